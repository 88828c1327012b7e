/** How many jobs of one agent, or of another owner, are asked at a time: the others wait in the order of their ids, and nobody has been asked for them. */
interface Waiter {
  readonly jobId: string;
  readonly enter: () => void;
}

interface Line {
  limit: number;
  inside: number;
  /** In the order of their ids. */
  readonly waiting: Waiter[];
}

export interface Gate<K extends string> {
  /** Resolves when the job may ask; the answer lets the next one in. Rejects with the signal's reason. `limit` counts where nobody has set another. */
  enter(owner: K, jobId: string, limit: number, signal: AbortSignal): Promise<() => void>;
  /** From now on so many at a time; those that are in stay in. */
  setLimit(owner: K, limit: number): void;
}

export function makeGate<K extends string>(): Gate<K> {
  const lines = new Map<K, Line>();

  function admit(owner: K, line: Line): void {
    while (line.inside < line.limit && line.waiting.length > 0) {
      line.inside++;
      line.waiting.shift()!.enter();
    }
    if (line.inside === 0 && line.waiting.length === 0) lines.delete(owner);
  }

  return {
    async enter(owner, jobId, limit, signal) {
      signal.throwIfAborted();
      let line = lines.get(owner);
      if (!line) lines.set(owner, line = { limit, inside: 0, waiting: [] });
      const at = line;
      await new Promise<void>((resolve, reject) => {
        const leave = () => {
          at.waiting.splice(at.waiting.indexOf(waiter), 1);
          admit(owner, at);
          reject(signal.reason);
        };
        const waiter: Waiter = {
          jobId,
          enter() {
            signal.removeEventListener("abort", leave);
            resolve();
          },
        };
        signal.addEventListener("abort", leave, { once: true });
        const behind = at.waiting.findIndex((other) => other.jobId > jobId);
        at.waiting.splice(behind < 0 ? at.waiting.length : behind, 0, waiter);
        admit(owner, at);
      });
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        at.inside--;
        admit(owner, at);
      };
    },
    setLimit(owner, limit) {
      const line = lines.get(owner);
      if (!line) return;
      line.limit = limit;
      admit(owner, line);
    },
  };
}
