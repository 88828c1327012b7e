/** A stream file over numbered rows: read what is kept, resume behind a seq, be told of a gap, watch on without missing anything. */
import type { StreamEvent } from "../fs/file.ts";
import type { Announcer } from "./announce.ts";
import type { Stream } from "./view.ts";

/** How many events one read of rows brings at the most. */
const PAGE = 500;

export interface StreamRows {
  /** Kept events with a seq greater than `after`, in order, at most `limit`. */
  page(after: number, limit: number): Promise<StreamEvent[]>;
  /** Every event below this seq can be read, or is gone; those from it on are still to come. */
  comingSeq(): number;
  /** The last event that has happened, readable or not. */
  lastSeq(): number;
  readonly announcer: Announcer<StreamEvent>;
  /** Makes what is still in memory readable. */
  flush?(): Promise<void>;
}

export function makeStream(rows: StreamRows): Stream {
  async function read(after: number, limit: number): Promise<StreamEvent[]> {
    const events = await rows.page(after, limit);
    const first = events[0]?.seq ?? rows.comingSeq();
    if (first <= after + 1) return events;
    return [{ seq: first - 1, type: "gap", from: after + 1, to: first - 1 }, ...events];
  }
  /** Everything behind `after`, page by page, so that a long history is never held whole. */
  async function* history(after: number): AsyncGenerator<StreamEvent> {
    while (true) {
      const events = await read(after, PAGE);
      if (events.length === 0) return;
      yield* events;
      after = events.at(-1)!.seq;
    }
  }
  async function tail(count: number): Promise<StreamEvent[]> {
    if (count <= 0) return [];
    return await rows.page(Math.max(0, rows.comingSeq() - 1 - count), count);
  }
  return {
    async read({ after, limit }) {
      await rows.flush?.();
      if (after === undefined) return await rows.page(0, limit ?? Infinity);
      return await read(after, limit ?? Infinity);
    },
    async tail(count) {
      await rows.flush?.();
      return await tail(count);
    },
    async *watch({ after, tail: count, signal }) {
      // Listening begins before the history is read, so that nothing falls between the two.
      const live = rows.announcer.listen(signal);
      let last = rows.lastSeq();
      try {
        await rows.flush?.();
        if (after !== undefined) {
          last = after;
          for await (const event of history(after)) {
            if (signal.aborted) return;
            last = event.seq;
            yield event;
          }
        } else {
          for (const event of await tail(count ?? 0)) {
            last = event.seq;
            yield event;
          }
        }
        for await (const event of live) {
          if (event.seq <= last) continue;
          last = event.seq;
          yield event;
        }
      } finally {
        await live.return?.();
      }
    },
  };
}
