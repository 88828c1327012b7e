/**
 * What models say to an agent while it works on a message, as they say it: the jobs that the message causes, and those that their ends cause in turn.
 * Only what the agent has asked for as a stream is passed on; of other jobs it may make what it likes.
 */
import type { ComputeChunk } from "../../core/compute.ts";
import type { Job } from "../../core/outside.ts";
import type { FileService, StreamEvent } from "../../fs/file.ts";
import { readJson, watch } from "../../fs/use.ts";

const TRACE = "/logs/trace";
const JOBS = "/compute/jobs";
/** A job's id begins with the time of its begin: so many hexadecimal digits of milliseconds, and a dash among them. */
const TIME_DIGITS = 12;

export interface Word {
  readonly job: string;
  readonly text: string;
}

export interface Words {
  /** Those of this message, until the signal aborts. Ends where they cannot be followed any more: the replies are what counts. */
  of(envelope: string): AsyncGenerator<Word>;
}

/** Listens from now on, so that nothing is missed of what is sent next. @param nowMs the runtime's time */
export async function listen(
  files: FileService,
  nowMs: number,
  signal: AbortSignal,
): Promise<Words> {
  const events = await watch<StreamEvent>(files, TRACE, { signal, tail: 0 });
  return {
    async *of(envelope) {
      try {
        yield* caused(files, events, envelope, firstAt(nowMs), signal);
      } catch {
        // Who may not see the jobs, or is too slow for the trace, gets the replies as they are.
      }
    },
  };
}

async function* caused(
  files: FileService,
  events: AsyncIterable<StreamEvent>,
  envelope: string,
  from: string,
  signal: AbortSignal,
): AsyncGenerator<Word> {
  const envelopes = new Set<unknown>([envelope]);
  const seen = new Set<string>();
  for await (const event of events) {
    if (!envelopes.has(event.envelope_id) || !beginsJob(event)) continue;
    for (const { name } of await files.list(JOBS, { after: from })) {
      if (seen.has(name)) continue;
      const { envelope_id } = await readJson<Job>(files, `${JOBS}/${name}/status`);
      if (!envelopes.has(envelope_id)) continue;
      seen.add(name);
      envelopes.add(`job:${name}:done`);
      yield* said(files, name, signal);
    }
  }
}

function beginsJob({ type, path, error }: StreamEvent): boolean {
  return type === "file_result" && path === "/compute/new" && error === undefined;
}

/** An answer that comes whole brings its reason to end along: it was not asked for as a stream. */
async function* said(files: FileService, job: string, signal: AbortSignal): AsyncGenerator<Word> {
  const chunks = await watch<ComputeChunk>(files, `${JOBS}/${job}/stream`, { after: 0, signal });
  for await (const { delta, finish_reason } of chunks) {
    if (delta.content && finish_reason === undefined) yield { job, text: delta.content };
  }
}

/** A name before those of all jobs that begin from now on. */
function firstAt(nowMs: number): string {
  const digits = nowMs.toString(16).padStart(TIME_DIGITS, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}
