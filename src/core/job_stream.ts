/**
 * The events of a job that runs: told at once, and kept in batches, so that a fast model is not held up by the disk. What a crash
 * takes away was told by a job that the crash has ended, or that tells it again.
 */
import type { StreamEvent } from "../fs/file.ts";
import type { Json } from "./envelope.ts";
import type { AgentStorage, Row } from "./storage.ts";
import type { Backend } from "./backend.ts";
import type { Stream } from "./event_stream.ts";
import type { StreamLimits } from "./outside.ts";
import { announcer } from "./announce.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { makeStream } from "./stream.ts";
import { padN } from "./keys.ts";

/** How long an event may wait for others before it is kept. */
const GATHER_MS = 50;
/** Events that wait, and their bytes; a sender beyond it waits too. */
const MAX_WAITING = 500;
const MAX_WAITING_BYTES = 1024 * 1024;
/** A watcher that leaves more than so many bytes unread reads on from what is kept. */
const MAX_BEHIND_BYTES = 8 * 1024 * 1024;
/** What an event weighs besides its text. */
const EVENT_BYTES = 128;

/** Where a stream stands, for a job that goes on after a restart. */
export interface StreamMark {
  /** Of the next event. */
  readonly seq: number;
  /** Of all that is kept so far. */
  readonly bytes: number;
}

export interface JobStream extends Stream {
  /** Gives it its `seq` and tells it. `kept` goes with it, in the same commit. Resolves when there is room for more. */
  add(event: { readonly [field: string]: Json }, kept?: Json): Promise<void>;
  /** Keeps this with all that was added so far. Durable when it resolves. */
  keep(kept: Json): Promise<void>;
  /** Resolves when all that was added is kept, as far as its limits let it. */
  flush(): Promise<void>;
  /** The same, with the last events of a stream that has more than it may keep; nothing is added after it. */
  close(): Promise<void>;
  /** Why events were lost, if some were. */
  readonly failure: unknown;
  /** Ends every watch. */
  end(): void;
}

export interface JobStreamOptions {
  readonly storage: Pick<AgentStorage, "list">;
  readonly timer: Backend["timer"];
  readonly prefix: string;
  /** Where an earlier life of the job left it. */
  readonly from?: StreamMark | undefined;
  /** Absent: all is kept. */
  readonly limits?: StreamLimits | undefined;
  /** Commits these rows, and beside them where the stream stands and the last `kept`. */
  readonly write: (
    rows: readonly Row[],
    mark: StreamMark,
    kept: Json | undefined,
  ) => Promise<void>;
  /** What could not be kept. */
  readonly onError: (error: unknown) => void;
}

export function openJobStream(options: JobStreamOptions): JobStream {
  const { prefix, limits } = options;
  const told = announcer<StreamEvent>({ size: sizeOf, maxSize: MAX_BEHIND_BYTES });
  let seq = options.from?.seq ?? 1;
  let bytes = options.from?.bytes ?? 0;
  const headBytes = limits?.headBytes ?? Infinity;
  /** Below it all is kept, or is beyond what may be kept. */
  let kept = seq;
  let waiting: StreamEvent[] = [];
  let waitingBytes = 0;
  let state: { readonly value: Json } | undefined;
  const last = lastEvents(limits?.tailBytes ?? 0);
  let work: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let failure: unknown;

  async function write(): Promise<void> {
    while (waiting.length > 0 || state) {
      // Also of what came while the last batch was written.
      cancel?.();
      cancel = undefined;
      const events = waiting;
      const along = state;
      waiting = [];
      waitingBytes = 0;
      state = undefined;
      const mark = { seq, bytes };
      try {
        await options.write(rowsOf(events), mark, along?.value);
      } catch (error) {
        failure ??= error;
        throw error;
      }
      kept = mark.seq;
    }
  }
  const rowsOf = (events: readonly StreamEvent[]): Row[] =>
    events.map((event) => ({ key: prefix + padN(event.seq), value: encodeJson(event) }));
  const start = () => work ??= write().finally(() => work = undefined);
  async function flush(): Promise<void> {
    while (work || waiting.length > 0 || state) await start();
  }
  /** Where it goes: to what is kept from the beginning, or to what is kept of the end. */
  function take(event: StreamEvent): void {
    const size = sizeOf(event);
    told.tell(event);
    if (bytes >= headBytes) return last.add(event, size);
    bytes += size;
    put(event, size);
    if (bytes < headBytes) return;
    const cut = cutAt(limits!, seq++);
    told.tell(cut);
    put(cut, EVENT_BYTES);
  }
  function put(event: StreamEvent, size: number): void {
    waiting.push(event);
    waitingBytes += size;
  }
  return {
    ...makeStream({
      async page(after, limit) {
        const events = await rowsBehind(options.storage, prefix, after, limit);
        const from = Math.max(after, events.at(-1)?.seq ?? 0);
        return withGaps([...events, ...last.behind(from)]).slice(0, limit);
      },
      comingSeq: () => bytes >= headBytes ? seq : kept,
      lastSeq: () => seq - 1,
      announcer: told,
      flush,
    }),
    flush,
    async keep(value) {
      state = { value };
      await flush();
    },
    async close() {
      await flush();
      const events = last.take();
      if (events.length > 0) await options.write(rowsOf(events), { seq, bytes }, undefined);
    },
    get failure() {
      return failure;
    },
    end: () => told.end(),
    async add(fields, along) {
      const event: StreamEvent = { seq: seq++, type: "chunk", ...fields };
      if (along !== undefined) state = { value: along };
      take(event);
      if (waiting.length >= MAX_WAITING || waitingBytes >= MAX_WAITING_BYTES) return await start();
      // The first one says that the job has begun to answer.
      if (event.seq === 1) start().catch(options.onError);
      else if (waiting.length > 0 || state) {
        cancel ??= options.timer(GATHER_MS, () => {
          cancel = undefined;
          start().catch(options.onError);
        });
      }
    },
  };
}

/** Says that from here on not all of the stream is kept. */
function cutAt({ headBytes, tailBytes }: StreamLimits, seq: number): StreamEvent {
  return {
    seq,
    type: "cut",
    detail: `${headBytes} bytes are kept from the beginning and ${tailBytes} from the end; ` +
      "what comes between is told to whoever watches",
    kept_bytes: headBytes,
    tail_bytes: tailBytes,
  };
}

function lastEvents(maxBytes: number) {
  let events: { readonly event: StreamEvent; readonly size: number }[] = [];
  let total = 0;
  return {
    add(event: StreamEvent, size: number): void {
      events.push({ event, size });
      total += size;
      let gone = 0;
      while (total > maxBytes && gone < events.length) total -= events[gone++]!.size;
      if (gone > 0) events = events.slice(gone);
    },
    behind: (seq: number) => events.map(({ event }) => event).filter((event) => event.seq > seq),
    take: () => events.map(({ event }) => event),
  };
}

/** Roughly, in bytes: texts count by their characters. */
function sizeOf(event: StreamEvent): number {
  let size = EVENT_BYTES;
  for (const value of Object.values(event)) if (typeof value === "string") size += value.length;
  return size;
}

/** Kept events of a job, and an event `gap` where some that would stand before one of them are not. */
export async function eventsBehind(
  storage: Pick<AgentStorage, "list">,
  prefix: string,
  after: number,
  limit: number,
): Promise<StreamEvent[]> {
  return withGaps(await rowsBehind(storage, prefix, after, limit), after);
}

async function rowsBehind(
  storage: Pick<AgentStorage, "list">,
  prefix: string,
  after: number,
  limit: number,
): Promise<StreamEvent[]> {
  const rows = await storage.list({
    prefix,
    after: prefix + padN(Math.max(0, after)),
    ...(limit === Infinity ? {} : { limit }),
  });
  return rows.map((row) => decodeJson<StreamEvent>(row.value));
}

/** @param after what stands before the first one; undefined: nothing is said of that */
function withGaps(events: readonly StreamEvent[], after?: number): StreamEvent[] {
  return events.flatMap((event, i) => {
    const before = i === 0 ? after : events[i - 1]!.seq;
    if (before === undefined || event.seq <= before + 1) return [event];
    return [{ seq: event.seq - 1, type: "gap", from: before + 1, to: event.seq - 1 }, event];
  });
}
