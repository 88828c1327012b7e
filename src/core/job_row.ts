/** A job as its row keeps it, and what is told of that. */
import { FileError } from "../fs/error.ts";
import type { Failure } from "./agent.ts";
import type { Backend } from "./backend.ts";
import type { Envelope, Json } from "./envelope.ts";
import { type EnvelopeId, isoTime, type Timestamp, uuidv7 } from "./id.ts";
import type { StreamMark } from "./job_stream.ts";
import type { Job, JobStatus } from "./outside.ts";

/** Row `job/<mount>/<id>`. Times are milliseconds. */
export interface JobRow {
  readonly id: string;
  /** With the directory below it to which the job belongs. */
  readonly mount: string;
  readonly status: JobStatus;
  readonly created: number;
  readonly started?: number;
  readonly ended?: number;
  readonly envelope?: string;
  /** The reservation that pays. */
  readonly held?: string;
  readonly reserved: number;
  readonly cost?: number;
  readonly data: Json;
  readonly kept?: Json;
  /** Where its stream stands, of a kind that goes on after a restart. */
  readonly mark?: StreamMark;
  readonly notify: boolean;
  readonly timeout: number;
  readonly error?: Failure;
}

export function shown(row: JobRow): Job {
  return {
    job_id: row.id,
    status: row.status,
    created_at: isoTime(row.created),
    started_at: row.started === undefined ? null : isoTime(row.started),
    ended_at: row.ended === undefined ? null : isoTime(row.ended),
    envelope_id: row.envelope ?? null,
    reserved_micro_usd: row.reserved,
    cost_micro_usd: row.cost ?? null,
    data: row.data,
    kept: row.kept ?? null,
    error: row.error ?? null,
  };
}

/** Ids in the order in which they are made, also within one millisecond. */
export function idsInOrder(backend: Pick<Backend, "now" | "random">): () => string {
  let lastMs = 0;
  let bits: Uint8Array = new Uint8Array(10);
  return () => {
    const ms = backend.now();
    if (ms > lastMs) {
      lastMs = ms;
      bits = backend.random(10);
    } else {
      for (let i = bits.length - 1; i >= 0 && ++bits[i]! > 255; i--) bits[i] = 0;
    }
    return uuidv7(lastMs, bits);
  };
}

/** Of `/containers/sessions/7` it is `/containers`. */
export function mountOf({ mount }: JobRow): string {
  return mount.split("/", 2).join("/");
}

/** The agent's tick that goes on with what has come of the job. */
export function doneEnvelope(row: JobRow, path: string, now: number): Envelope {
  return {
    id: `job:${row.id}:done` as EnvelopeId,
    timestamp: now as Timestamp,
    source: { kind: "system", reason: "job" },
    payload: {
      kind: "json",
      data: {
        event: "job_done",
        job_id: row.id,
        status: row.status,
        mount: mountOf(row),
        result_path: `${path}/result`,
      },
    },
    metadata: row.envelope === undefined ? {} : { parent_id: row.envelope as EnvelopeId },
  };
}

export function isOver(row: JobRow): FileError {
  return new FileError("not_ready", "run", `${row.mount}/jobs/${row.id}`, {
    detail: "the job has ended; nothing can be added to it",
  });
}

export function outOfTime(row: JobRow, moreTimeBy = "timeout_ms"): FileError {
  return new FileError("timeout", "run", `${row.mount}/jobs/${row.id}`, {
    detail: `it was given ${row.timeout} ms; ask for more by ${moreTimeBy}`,
    extra: { timeout_ms: row.timeout },
  });
}
