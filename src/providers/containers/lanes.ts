/** One thing at a time for each name: what comes later waits until what came before has ended, however it ended. */

export interface Lanes {
  run<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** When all that was begun by now has ended. */
  idle(): Promise<void>;
}

export function lanes(): Lanes {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(name, work) {
      const done = (last.get(name) ?? Promise.resolve()).then(work, work);
      last.set(name, done);
      const leave = () => {
        if (last.get(name) === done) last.delete(name);
      };
      done.then(leave, leave);
      return done;
    },
    async idle() {
      await Promise.allSettled(last.values());
    },
  };
}
