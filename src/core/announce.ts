/** Tells whoever listens what has been committed; a listener gets its own queue, bounded, and never holds up the one who tells. */
import { FileError } from "../fs/error.ts";

export interface Announcer<T> {
  tell(item: T): void;
  /** Everything told from this call on, until the signal aborts. Rejects with `rate_limited` when the listener fell more than `MAX_BEHIND` or the announcer's bytes behind. */
  listen(signal: AbortSignal): AsyncIterableIterator<T>;
  readonly listeners: number;
  /** Ends every listener. */
  end(): void;
}

/** A listener that leaves more than so many items unread is dropped. */
export const MAX_BEHIND = 20_000;

export interface Weighed<T> {
  /** In bytes. */
  readonly size: (item: T) => number;
  /** A listener that leaves more than so many bytes unread is dropped too. */
  readonly maxSize: number;
}

export function announcer<T>(weighed?: Weighed<T>): Announcer<T> {
  const queues = new Set<Queue<T>>();
  return {
    get listeners() {
      return queues.size;
    },
    tell(item) {
      for (const queue of queues) queue.push(item);
    },
    listen(signal) {
      const queue = makeQueue<T>(weighed, () => {
        queues.delete(queue);
        signal.removeEventListener("abort", queue.end);
      });
      if (signal.aborted) queue.end();
      else {
        queues.add(queue);
        signal.addEventListener("abort", queue.end);
      }
      return queue.items;
    },
    end() {
      for (const queue of [...queues]) queue.end();
    },
  };
}

interface Queue<T> {
  push(item: T): void;
  readonly end: () => void;
  readonly items: AsyncIterableIterator<T>;
}

function makeQueue<T>(weighed: Weighed<T> | undefined, onEnd: () => void): Queue<T> {
  let items: T[] = [];
  let size = 0;
  let read = 0;
  let over = false;
  let behind = false;
  let wake: (() => void) | undefined;
  const end = () => {
    if (over) return;
    over = true;
    onEnd();
    wake?.();
  };
  const step = async (): Promise<IteratorResult<T>> => {
    while (true) {
      if (read < items.length) {
        const value = items[read++]!;
        if (weighed) size -= weighed.size(value);
        if (read > 256 && read * 2 > items.length) {
          items = items.slice(read);
          read = 0;
        }
        return { done: false, value };
      }
      if (behind) {
        behind = false;
        throw new FileError("rate_limited", "watch", "", {
          detail: `the watcher fell too far behind; watch again from its last seq`,
        });
      }
      if (over) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
    }
  };
  return {
    end,
    push(item) {
      if (over) return;
      if (weighed) size += weighed.size(item);
      if (items.length - read >= MAX_BEHIND || weighed && size > weighed.maxSize) {
        behind = true;
        return end();
      }
      items.push(item);
      wake?.();
    },
    items: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: step,
      return() {
        end();
        return Promise.resolve({ done: true as const, value: undefined });
      },
    },
  };
}
