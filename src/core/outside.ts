/** What is done in the world outside for an agent: begun at most once, paid from its budget, recorded before its answer is seen. Types only: `spend.ts` keeps the promise. */
import type { Failure } from "./agent.ts";
import type { AgentId } from "./id.ts";
import type { FileService } from "../fs/file.ts";
import type { Json } from "./envelope.ts";
import type { Stream } from "./event_stream.ts";

/** What an order is known by. */
export interface Order {
  /** Whose budget pays: `/compute`. */
  readonly mount: string;
  /** The file it was written to: `/compute/new`. */
  readonly path: string;
  /** What is asked for, parsed; the same request has the same digest whatever the order of its fields. */
  readonly request: Json;
  /** A second order with the same key within the journal's time gets the first one's answer. `scope` keeps the keys of different services apart. */
  readonly idempotency?: { readonly scope: string; readonly key: string } | undefined;
}

/** What a new order comes to, before anything is asked of anybody. */
export interface Terms {
  /** What it may cost at the most; this is reserved. */
  readonly maxCostMicroUsd: number;
  /** For people: `chat with gpt-5 (openai)`. */
  readonly reason: string;
}

export interface JobTerms extends Terms {
  /** What the job's kind needs to run it, also after a restart. Kept in the job's row; small. */
  readonly data: Json;
  /** What is large of that: kept besides, as a value of any size. */
  readonly input?: Json;
  /** A directory below the mount to which it belongs, `/sessions/7`: its job is listed there. */
  readonly under?: string;
  readonly notify: boolean;
  /** From its begin on; 0: none. */
  readonly timeoutMs: number;
  /** What the caller gets. */
  readonly answer: (jobId: string) => Json;
}

export interface Performed {
  readonly answer: Json;
  /** Undefined: not known, so that all that was reserved counts. */
  readonly costMicroUsd: number | undefined;
}

/**
 * Effects outside, from a tick or from a caller. `terms` is asked only for an order that is new, so a repeat is answered
 * whatever policy and budget say by then; it may refuse, which leaves nothing behind. All three reject with `budget_exceeded`, `approval_required`,
 * `conflict` (the key was used for another request), `nondeterministic`, `interrupted` (begun before, and nobody knows how it ended), and
 * with the refusal that was recorded.
 */
export interface Outside {
  /** Begins a job: reservation, record, journal and job stand in one commit, and the job runs after it. Answers what `answer` said. */
  submit(order: Order, terms: () => Promise<JobTerms>): Promise<Json>;
  /** An effect that is waited for: what is reserved stands before it begins, its answer and its cost before the caller sees them. */
  perform(
    order: Order,
    terms: () => Promise<Terms>,
    run: () => Promise<Performed>,
  ): Promise<Json>;
}

export type JobStatus = "pending" | "running" | "streaming" | "complete" | "failed" | "cancelled";

export interface Job {
  readonly job_id: string;
  readonly status: JobStatus;
  /** ISO 8601. */
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** The envelope in whose tick it was begun; null for one of a caller. */
  readonly envelope_id: string | null;
  readonly reserved_micro_usd: number;
  /** Null until it has ended. */
  readonly cost_micro_usd: number | null;
  /** What its kind keeps of it: `JobTerms.data`. */
  readonly data: Json;
  /** What its run last kept: `JobRun.keep`. */
  readonly kept: Json | null;
  readonly error: Failure | null;
}

/** A job as its kind runs it. */
export interface JobRun {
  readonly agent: AgentId;
  readonly job: Job;
  /** `JobTerms.input`. */
  input(): Promise<Json>;
  /** The agent's own files, read with the agent's authority. */
  readonly files: FileService;
  /** Aborts when the job is cancelled, out of time (its reason is a FileError `timeout`), or the runtime stops. */
  readonly signal: AbortSignal;
  /**
   * Says that somebody outside is asked from now on; durable when it resolves. A job that a crash finds asked ends as
   * `failed: interrupted` and is not begun again; one that was not asked is run anew.
   */
  asking(): Promise<void>;
  /** Adds an event to the job's stream; its `seq` is given. Durable soon after, and before the job's end, together with `kept`. The first one makes it `streaming`. */
  emit(event: { readonly [field: string]: Json }, kept?: Json): Promise<void>;
  /** How far it is, for whoever asks and for its next life. Small; durable when it resolves, with all events before it. */
  keep(kept: Json): Promise<void>;
  /** Its own events, as they are kept so far. */
  readonly stream: Pick<Stream, "read">;
  /** Keeps bytes of any size under a name as long as the job is kept, in place of what had it before: `Jobs.stored`. Durable when it resolves. */
  store(name: string, data: AsyncIterable<Uint8Array>): Promise<void>;
  /** What it has kept under this name. */
  stored(name: string): Promise<Stored | undefined>;
  /** An earlier life of the runtime began it: `job.kept` is what that one kept last. */
  readonly isResumed: boolean;
  /**
   * Why the signal is aborted. `stopped`: the runtime ends, and what can go on without it is left alone. `deleted`: the agent does, nothing of the job is kept, and
   * what it began outside is ended.
   */
  readonly ending: "cancelled" | "timeout" | "stopped" | "deleted" | undefined;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number): Promise<void>;
}

export interface JobEnd {
  readonly result?: Json;
  /** Undefined: not known, so that all that was reserved counts. */
  readonly costMicroUsd: number | undefined;
  /** Ended as failed, with a cost: what was thrown by `run` costs what it says here. */
  readonly error?: unknown;
}

/** How much of a stream is kept, in bytes; what is between its beginning and its end is only told. */
export interface StreamLimits {
  readonly headBytes: number;
  readonly tailBytes: number;
}

/** How jobs of one mount run. */
export interface JobKind {
  /** One that a restart finds asked is run again, and takes up what goes on outside. Absent: it ends as `failed: interrupted`. */
  readonly resumes?: boolean;
  /** Absent: all of it is kept. */
  readonly streamLimits?: StreamLimits;
  /** Where the job's files are: `/compute/jobs/7`, if it is not said. `under` is that of its terms. */
  readonly pathOf?: (under: string, id: string) => string;
  /** What of a request gives the job more time: `timeout_ms`, if it is not said. */
  readonly moreTimeBy?: (under: string) => string;
  /** Runs it to its end; what it throws makes the job `failed` (`cancelled` after a cancel) at no cost unless it was asked, else at all that was reserved. */
  run(run: JobRun): Promise<JobEnd>;
}

/** Bytes that a job has stored. */
export interface Stored {
  readonly size: number;
  read(range?: { readonly offset?: number; readonly length?: number }): AsyncIterable<Uint8Array>;
}

/** Jobs of one kind of one agent. */
export interface Jobs {
  /** Newest last. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<Job[]>;
  get(id: string): Promise<Job | undefined>;
  /** What it came to; undefined while it runs, or when it failed. */
  result(id: string): Promise<Json | undefined>;
  /** What it has kept under this name: `JobRun.store`. */
  stored(id: string, name: string): Promise<Stored | undefined>;
  /** Events with `seq` from 1; a watch ends after the job's last event. */
  stream(id: string): Stream;
  /** Each change of its status, from now on. */
  watch(id: string, signal: AbortSignal): AsyncIterable<Job>;
  /** No error for one that has ended. */
  cancel(id: string): Promise<void>;
}

/** What is being done now, by its journal's id or its record's key: a second one waits for the first. */
export interface Doing {
  readonly digest: string;
  readonly answer: Promise<Json>;
}
