/** What a stream file is to those who read it: events that are kept, and those to come. */
import type { StreamEvent } from "../fs/file.ts";

/** A file of events, each with a `seq` that only grows. */
export interface Stream {
  /** Kept events behind `after` (0: from the oldest), at most `limit`; a first event `gap { from, to }` when older ones were asked for and are gone. */
  read(options: { readonly after?: number; readonly limit?: number }): Promise<StreamEvent[]>;
  /** The last `count` that are kept, oldest first. */
  tail(count: number): Promise<StreamEvent[]>;
  /** From `after`, else from the last `tail` events, on; ends when the signal aborts. */
  watch(options: {
    readonly after?: number;
    readonly tail?: number;
    readonly signal: AbortSignal;
  }): AsyncIterable<StreamEvent>;
}
