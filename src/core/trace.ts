/** What an agent does, as it happens: events in small batches of rows outside the tick's commit, so that a failed tick leaves its evidence. */
import type { StreamEvent } from "../fs/file.ts";
import type { AgentStorage, Row } from "./storage.ts";
import type { Stream } from "./view.ts";
import { announcer } from "./announce.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { isoTime } from "./id.ts";
import { key, numberOfKey } from "./keys.ts";
import { NO_REDACTION, type Redactor } from "./redact.ts";
import { makeStream } from "./stream.ts";

export type TraceType =
  | "tick_start"
  | "tick_end"
  | "file_call"
  | "file_result"
  | "message_in"
  | "message_out"
  | "chunk"
  | "container_output"
  | "usage"
  | "state_change"
  | "alarm"
  | "budget"
  | "approval"
  | "error"
  | "log"
  | "lifecycle"
  | "expired";

/** An event before it has its number and time. */
export interface TraceInput {
  readonly type: TraceType;
  readonly tick_id?: string;
  readonly envelope_id?: string;
  readonly [field: string]: unknown;
}

export interface Trace extends Stream {
  readonly listeners: number;
  /** Ends every watch. */
  end(): void;
  add(event: TraceInput): void;
  /** Resolves when everything added so far is committed. */
  flush(): Promise<void>;
  /** The next event's number. */
  readonly nextSeq: number;
  readonly pending: boolean;
}

/** Events in one row at the most; a reader who looks for a seq looks so far back. */
const BATCH = 64;
/** How long events may wait for company when nobody watches. */
export const TRACE_DELAY_MS = 50;
/** Kept in memory while they cannot be written; older ones are lost, and the gap shows. */
const MAX_PENDING = 5_000;
/** So many events above the retention before a batch is removed. */
const SLACK = 256;

export interface TraceOptions {
  readonly storage: AgentStorage;
  readonly now: () => number;
  readonly timer: (delayMs: number, fire: () => void) => () => void;
  /** Seq of an event that is known to be kept or older; numbers are looked for from there. */
  readonly hint: number;
  readonly retention: () => number;
  readonly onError: (error: unknown) => void;
  /** Takes secrets out of what is added; nothing is taken out if absent. */
  readonly redactor?: Redactor;
}

/** Opens an agent's trace, looking for its last number. */
export async function openTrace(options: TraceOptions): Promise<Trace> {
  const { storage, redactor = NO_REDACTION } = options;
  const rest = await storage.list({
    prefix: "trace/",
    after: key.trace(Math.max(0, options.hint - BATCH - 1)),
  });
  const lastRow = rest.at(-1);
  let next = lastRow ? decodeJson<StreamEvent[]>(lastRow.value).at(-1)!.seq + 1 : options.hint;
  next = Math.max(1, next, options.hint);
  let oldest: number | undefined;
  let pending: StreamEvent[] = [];
  /** The first of those whose commit is under way. */
  let leaving: number | undefined;
  let cancel: (() => void) | undefined;
  let writing: Promise<void> | undefined;
  let ended = false;
  const told = announcer<StreamEvent>();

  function schedule(): void {
    if (cancel || writing || ended) return;
    if (told.listeners > 0) {
      cancel = () => {};
      Promise.resolve().then(write);
    } else cancel = options.timer(TRACE_DELAY_MS, () => void write());
  }
  async function write(): Promise<void> {
    cancel?.();
    cancel = undefined;
    if (writing || pending.length === 0) return writing;
    const events = pending;
    pending = [];
    leaving = events[0]!.seq;
    const put: Row[] = [];
    for (let i = 0; i < events.length; i += BATCH) {
      const some = events.slice(i, i + BATCH);
      put.push({ key: key.trace(some[0]!.seq), value: encodeJson(some) });
    }
    writing = storage.commit({ check: [], remove: [], put }).then(
      () => {
        leaving = undefined;
        for (const event of events) told.tell(event);
        return prune();
      },
      (error) => {
        leaving = undefined;
        pending = [...events, ...pending].slice(-MAX_PENDING);
        options.onError(error);
      },
    ).finally(() => {
      writing = undefined;
      if (pending.length > 0) schedule();
    });
    return await writing;
  }
  async function prune(): Promise<void> {
    oldest ??= numberOfKey((await storage.list({ prefix: "trace/", limit: 1 }))[0]?.key ?? "/1");
    if (next - oldest <= options.retention() + SLACK) return;
    const after = key.trace(Math.max(0, oldest - 1));
    const rows = await storage.list({ prefix: "trace/", after, limit: 32 });
    const remove: string[] = [];
    for (let i = 0; i + 1 < rows.length; i++) {
      // A row's last event is the one before the next row's first.
      const following = numberOfKey(rows[i + 1]!.key);
      if (following > next - options.retention()) break;
      remove.push(rows[i]!.key);
      oldest = following;
    }
    if (remove.length > 0) await storage.commit({ check: [], remove, put: [] });
  }
  async function flush(): Promise<void> {
    const upTo = next;
    while (pending.length > 0 && pending[0]!.seq < upTo) {
      const before = pending.length;
      await (writing ?? write());
      if (!writing && pending.length >= before && pending[0]!.seq < upTo) return;
    }
    await writing;
  }
  async function page(after: number, limit: number): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    let from = after < BATCH ? undefined : key.trace(after - BATCH);
    while (events.length < limit) {
      const rows = await storage.list({
        prefix: "trace/",
        limit: 32,
        ...(from === undefined ? {} : { after: from }),
      });
      for (const row of rows) {
        for (const event of decodeJson<StreamEvent[]>(row.value)) {
          if (event.seq > after && events.length < limit) events.push(event);
        }
      }
      if (rows.length < 32) break;
      from = rows.at(-1)!.key;
    }
    return events;
  }

  const stream = makeStream({
    page,
    comingSeq: () => leaving ?? pending[0]?.seq ?? next,
    lastSeq: () => next - 1,
    announcer: told,
    flush,
  });
  return {
    ...stream,
    flush,
    get listeners() {
      return told.listeners;
    },
    end() {
      ended = true;
      cancel?.();
      told.end();
    },
    get nextSeq() {
      return next;
    },
    get pending() {
      return pending.length > 0 || writing !== undefined;
    },
    add(event) {
      const told = redactor.json(event);
      pending.push({ seq: next++, timestamp: isoTime(options.now()), ...told });
      schedule();
    },
  };
}
