/**
 * The events of a job that runs: told at once, and kept in batches, so that a fast model is not held up by the disk. What a crash
 * takes away was told by a job that the crash has ended.
 */
import type { StreamEvent } from "../fs/file.ts";
import type { Json } from "./envelope.ts";
import type { AgentStorage, Row } from "./storage.ts";
import type { Backend } from "./backend.ts";
import type { Stream } from "./event_stream.ts";
import { announcer } from "./announce.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { makeStream } from "./stream.ts";
import { padN } from "./keys.ts";

/** How long an event may wait for others before it is kept. */
const GATHER_MS = 50;
/** Events that wait; a sender beyond it waits too. */
const MAX_WAITING = 500;

export interface JobStream extends Stream {
  /** Gives it its `seq` and tells it. Resolves when there is room for more. */
  add(event: { readonly [field: string]: Json }): Promise<void>;
  /** Resolves when all that was added is kept. */
  flush(): Promise<void>;
  /** Why events were lost, if some were. */
  readonly failure: unknown;
  /** Ends every watch. */
  end(): void;
}

export interface JobStreamOptions {
  readonly storage: Pick<AgentStorage, "list">;
  readonly timer: Backend["timer"];
  readonly prefix: string;
  /** Commits these rows. */
  readonly write: (rows: readonly Row[]) => Promise<void>;
  /** What could not be kept. */
  readonly onError: (error: unknown) => void;
}

export function openJobStream(options: JobStreamOptions): JobStream {
  const { prefix } = options;
  const told = announcer<StreamEvent>();
  let seq = 1;
  /** Below it all is kept. */
  let kept = 1;
  let waiting: StreamEvent[] = [];
  let work: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let failure: unknown;

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      // Also of what came while the last batch was written.
      cancel?.();
      cancel = undefined;
      const events = waiting;
      waiting = [];
      try {
        await options.write(
          events.map((event) => ({ key: prefix + padN(event.seq), value: encodeJson(event) })),
        );
      } catch (error) {
        failure ??= error;
        throw error;
      }
      kept = events.at(-1)!.seq + 1;
    }
  }
  const start = () => work ??= write().finally(() => work = undefined);
  async function flush(): Promise<void> {
    while (work || waiting.length > 0) await start();
  }
  return {
    ...makeStream({
      page: (after, limit) => eventsBehind(options.storage, prefix, after, limit),
      comingSeq: () => kept,
      lastSeq: () => seq - 1,
      announcer: told,
      flush,
    }),
    flush,
    get failure() {
      return failure;
    },
    end: () => told.end(),
    async add(fields) {
      const event: StreamEvent = { seq: seq++, type: "chunk", ...fields };
      waiting.push(event);
      told.tell(event);
      if (waiting.length >= MAX_WAITING) return await start();
      // The first one says that the job has begun to answer.
      if (event.seq === 1) start().catch(options.onError);
      else {
        cancel ??= options.timer(GATHER_MS, () => {
          cancel = undefined;
          start().catch(options.onError);
        });
      }
    },
  };
}

/** Kept events of a job. */
export async function eventsBehind(
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
