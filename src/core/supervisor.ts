/** Who ticks next: due agents stand in one line, first in first out, and go to its end after each tick; no agent is ever in two ticks. */

/** Ticks that may run at once; most of a tick is waiting. */
export const MAX_TICKING = 256;

export interface Ticker {
  /** There is something that it may tick now. */
  readonly due: boolean;
  tick(): Promise<void>;
}

export interface Supervisor {
  /** The agent may have something to do; cheap to say too often. */
  ready(ticker: Ticker): void;
  readonly ticking: number;
  readonly waiting: number;
  paused: boolean;
  /** Starts no more ticks; resolves when those that run have ended. */
  stop(): Promise<void>;
}

export function makeSupervisor(onError: (error: unknown) => void): Supervisor {
  let line: Ticker[] = [];
  let head = 0;
  const inLine = new Set<Ticker>();
  const running = new Map<Ticker, Promise<void>>();
  let stopped = false;
  let paused = false;

  function take(): Ticker | undefined {
    const ticker = line[head];
    if (ticker === undefined) return undefined;
    head++;
    if (head > 1024 && head * 2 > line.length) {
      line = line.slice(head);
      head = 0;
    }
    inLine.delete(ticker);
    return ticker;
  }
  function pump(): void {
    while (!stopped && !paused && running.size < MAX_TICKING) {
      const ticker = take();
      if (!ticker) return;
      if (ticker.due) run(ticker);
    }
  }
  function run(ticker: Ticker): void {
    // It runs from here on, also for whoever is told in the tick's first steps that there is more.
    running.set(ticker, Promise.resolve());
    const work = ticker.tick().catch(onError).then(() => {
      running.delete(ticker);
      if (ticker.due) join(ticker);
      pump();
    });
    running.set(ticker, work);
  }
  function join(ticker: Ticker): void {
    if (inLine.has(ticker) || running.has(ticker)) return;
    inLine.add(ticker);
    line.push(ticker);
  }
  return {
    ready(ticker) {
      join(ticker);
      pump();
    },
    get ticking() {
      return running.size;
    },
    get waiting() {
      return inLine.size;
    },
    get paused() {
      return paused;
    },
    set paused(value) {
      paused = value;
      pump();
    },
    async stop() {
      stopped = true;
      await Promise.all(running.values());
    },
  };
}
