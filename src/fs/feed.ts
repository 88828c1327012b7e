/** Tells many watchers what happened. Each has a bounded queue of its own and never holds up the one who tells. */
import type { WatchEvent } from "./row.ts";

/** A watcher that leaves more than so many events unread loses them, and is told how many by a `gap`. */
export const MAX_UNREAD = 1000;

export interface Feed {
  tell(event: WatchEvent): void;
  /** Every event from this call on, until the signal aborts or the loop is left. */
  listen(signal: AbortSignal): AsyncIterableIterator<WatchEvent>;
  readonly listeners: number;
}

export function feed(): Feed {
  const queues = new Set<Queue>();
  return {
    get listeners() {
      return queues.size;
    },
    tell(event) {
      for (const queue of queues) queue.push(event);
    },
    listen(signal) {
      const end = () => {
        signal.removeEventListener("abort", end);
        queues.delete(queue);
        queue.end();
      };
      const queue = queueOf(end);
      if (signal.aborted) end();
      else {
        queues.add(queue);
        signal.addEventListener("abort", end);
      }
      return queue.events;
    },
  };
}

interface Queue {
  push(event: WatchEvent): void;
  end(): void;
  readonly events: AsyncIterableIterator<WatchEvent>;
}

function queueOf(left: () => void): Queue {
  let unread: WatchEvent[] = [];
  let missed = 0;
  let over = false;
  let wake: (() => void) | undefined;

  /** The next event, if there is one. What was lost is told before what came after it. */
  function take(): WatchEvent | undefined {
    if (missed === 0) return unread.shift();
    const gap = { type: "gap", missed };
    missed = 0;
    return gap;
  }
  async function next(): Promise<IteratorResult<WatchEvent>> {
    while (true) {
      const event = over ? undefined : take();
      if (event) return { done: false, value: event };
      if (over) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    push(event) {
      if (unread.length >= MAX_UNREAD) {
        missed += unread.length;
        unread = [];
      }
      unread.push(event);
      wake?.();
    },
    end() {
      over = true;
      wake?.();
    },
    events: {
      next,
      return() {
        left();
        return Promise.resolve({ done: true as const, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    },
  };
}
