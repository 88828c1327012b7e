/** Streams whose events are one row each and are written in a tick's commit: `/outbox` and the trajectory. */
import type { StreamEvent } from "../fs/file.ts";
import type { AgentStorage, Row } from "./storage.ts";
import type { Stream } from "./view.ts";
import { announcer } from "./announce.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { makeStream } from "./stream.ts";
import { numberOfKey, padN } from "./keys.ts";
import { NO_REDACTION, type Redactor } from "./redact.ts";

/** Rows beyond the retention are removed so many at a time. */
const PRUNE_BATCH = 64;

export interface Numbered extends Stream {
  readonly listeners: number;
  /** Ends every watch. */
  end(): void;
  /** Gives the event its number and row; the caller commits the row, then `announce`s or `takeBack`s. */
  add(event: { readonly type: string; readonly [field: string]: unknown }): StreamEvent;
  row(event: StreamEvent): Row;
  /** After the commit. */
  announce(event: StreamEvent): void;
  /** There was no commit: its number is given again, if no later one was given. */
  takeBack(event: StreamEvent): void;
  /** The next event's number. */
  nextSeq: number;
  /** Removes a batch beyond the retention if there is one. */
  prune(retention: number): Promise<void>;
}

export interface NumberedOptions {
  readonly storage: AgentStorage;
  readonly prefix: string;
  /** The next number. */
  readonly next: number;
  /** Rows that go with a pruned event. */
  readonly along?: (event: StreamEvent) => string[];
  /** Takes secrets out of what is added; nothing is taken out if absent. */
  readonly redactor?: Redactor;
}

/** The key says its number: readers go on behind it, and an imported row that says another would lead them in a circle. */
function eventIn({ key, value }: Row): StreamEvent {
  const event = decodeJson<StreamEvent>(value);
  const seq = numberOfKey(key);
  return event?.seq === seq ? event : { ...event, seq };
}

export function numbered(options: NumberedOptions): Numbered {
  const { storage, prefix, next, along, redactor = NO_REDACTION } = options;
  const told = announcer<StreamEvent>();
  let seq = next;
  /** Below it all that was committed has been announced. */
  let coming = next;
  /** Lowest number that may still have a row; found at the first prune. */
  let oldest: number | undefined;

  async function page(after: number, limit: number): Promise<StreamEvent[]> {
    const rows = await storage.list({
      prefix,
      after: prefix + padN(Math.max(0, after)),
      ...(limit === Infinity ? {} : { limit }),
    });
    return rows.map(eventIn);
  }
  return {
    ...makeStream({
      page,
      comingSeq: () => coming,
      lastSeq: () => coming - 1,
      announcer: told,
    }),
    get nextSeq() {
      return seq;
    },
    set nextSeq(value) {
      seq = value;
    },
    add: (event) => ({ seq: seq++, ...redactor.json(event) }),
    row: (event) => ({ key: prefix + padN(event.seq), value: encodeJson(event) }),
    get listeners() {
      return told.listeners;
    },
    end: () => told.end(),
    announce(event) {
      coming = Math.max(coming, event.seq + 1);
      told.tell(event);
    },
    takeBack(event) {
      if (seq === event.seq + 1) seq = event.seq;
    },
    async prune(retention) {
      if (seq - (oldest ?? 1) < retention + PRUNE_BATCH) return;
      // Not from the beginning, where only what is gone stands.
      const after = prefix + padN(Math.max(0, (oldest ?? 1) - 1));
      const rows = await storage.list({ prefix, after, limit: PRUNE_BATCH });
      const last = seq - retention;
      const gone = rows.filter((row) => row.key < prefix + padN(last));
      oldest = gone.length > 0 ? Number(gone.at(-1)!.key.slice(prefix.length)) + 1 : last;
      if (gone.length === 0) return;
      const remove = gone.flatMap((row) => [
        row.key,
        ...(along?.(decodeJson<StreamEvent>(row.value)) ?? []),
      ]);
      await storage.commit({ check: [], remove, put: [] });
    },
  };
}
