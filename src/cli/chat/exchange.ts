/** One message to an agent and what comes of it: the model calls that it caused, the files that were used, the replies. */
import type { Job } from "../../core/outside.ts";
import type { AgentId, EnvelopeId } from "../../core/id.ts";
import type { Json } from "../../core/envelope.ts";
import type { ComputeChunk } from "../../core/compute.ts";
import type { Waited } from "../../core/runtime.ts";
import type { Client } from "../../http/client.ts";
import { codeOf } from "../../fs/error.ts";
import type { FileService, StreamEvent } from "../../fs/file.ts";
import { entries, readJson, watch, writeText } from "../../fs/use.ts";
import { EXIT, trouble } from "../exit.ts";

const TRACE = "/logs/trace";
const JOBS = "/compute/jobs";
/** One request waits so long; then the next one goes on waiting. */
const WAIT_MS = 600_000;

/** Who is told what happens until the replies come, in the order in which it does. */
export interface Listener {
  /** A model call has begun to answer: what it says comes next. */
  speaks(): void;
  text(text: string): void;
  file(op: string, path: string): void;
  /** A person has to allow something first. */
  asks(approval: string, op: string, path: string): void;
}

export interface Answered extends Waited {
  /** The model calls that the message caused, oldest first. */
  readonly jobs: readonly Job[];
}

export interface Exchange {
  readonly answered: Promise<Answered>;
  /** Ends the model call that runs, or the next one. Rejects where the server refuses. */
  cancel(): Promise<void>;
}

/** @param listener without one, nobody is told before the end */
export async function exchange(
  server: Client,
  id: AgentId,
  text: string,
  listener?: Listener,
): Promise<Exchange> {
  const files = server.files(id);
  const over = new AbortController();
  const jobs = await openJobs(files, listener, over.signal);
  // Before the message goes, so that nothing of what it causes is missed.
  const events = listener && await traceOf(files, over.signal);
  const payload = { kind: "text", text } as const;
  const sent = await server.send(id, { payload });
  if (!("envelope_id" in sent) || sent.disposition === "dead_letter") {
    over.abort();
    throw trouble(EXIT.failed, `${id}'s inbox is full: the message went to its dead letters`);
  }
  const { envelope_id } = sent;
  jobs.belongs(envelope_id);
  const told = listener && events ? follow(events, jobs, listener) : Promise.resolve();

  async function answered(): Promise<Answered> {
    try {
      const waited = await untilAnswered(server, id, envelope_id, payload);
      return { ...waited, jobs: await jobs.ended() };
    } finally {
      over.abort();
      // What could not be shown is no reason to withhold the answer.
      await told.catch(() => {});
    }
  }
  return { answered: answered(), cancel: jobs.cancel };
}

async function untilAnswered(
  server: Client,
  id: AgentId,
  envelope: EnvelopeId,
  payload: { readonly kind: "text"; readonly text: string },
): Promise<Waited> {
  while (true) {
    // The same message under the same id is not a second one.
    const waited = await server.send(id, { id: envelope, payload }, { waitMs: WAIT_MS });
    if ("tick" in waited) return waited;
  }
}

/** Undefined where this caller may not see what the agent does. */
async function traceOf(
  files: FileService,
  signal: AbortSignal,
): Promise<AsyncIterable<StreamEvent> | undefined> {
  try {
    return await watch<StreamEvent>(files, TRACE, { signal, tail: 0 });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ["not_found", "permission_denied"].includes(codeOf(error));
}

async function follow(
  events: AsyncIterable<StreamEvent>,
  jobs: FollowedJobs,
  listener: Listener,
): Promise<void> {
  for await (const event of events) {
    if (!jobs.has(event.envelope_id)) continue;
    if (event.type === "tick_start") await jobs.told(event.envelope_id);
    const path = String(event.path);
    const op = String(event.op);
    if (event.type === "approval" && event.action === "asked") {
      listener.asks(String(event.approval_id), op, path);
    }
    const isModel = path.startsWith("/compute/");
    if (event.type === "file_call" && !isModel) listener.file(op, path);
    if (event.type === "file_result" && path === "/compute/new" && event.error === undefined) {
      await jobs.look();
    }
  }
}

interface FollowedJobs {
  /** What this envelope causes is of interest. */
  belongs(envelope: string): void;
  has(envelope: unknown): boolean;
  /** Looks for new ones, and tells what they say. */
  look(): Promise<void>;
  /** Resolves when all is told that was said before the tick of this envelope. */
  told(envelope: unknown): Promise<void>;
  /** All of them, once those that have ended are told to their end. */
  ended(): Promise<Job[]>;
  cancel(): Promise<void>;
}

/** The model calls that an envelope causes, and those that their ends cause in turn. */
async function openJobs(
  files: FileService,
  listener: Listener | undefined,
  signal: AbortSignal,
): Promise<FollowedJobs> {
  const envelopes = new Set<string>();
  const found = new Map<string, Promise<void>>();
  let last = await lastJob(files);
  let isCancelled = false;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    if (last === undefined) return;
    const after = last === "" ? {} : { after: last };
    for (const { name } of await files.list(JOBS, after)) {
      last = name;
      const job = await jobOf(name);
      if (job.envelope_id === null || !envelopes.has(job.envelope_id)) continue;
      envelopes.add(`job:${name}:done`);
      const told = listener ? tell(name, listener) : Promise.resolve();
      told.catch(() => {});
      found.set(name, told);
      if (isCancelled) await end(name);
    }
  }
  async function tell(id: string, listener: Listener): Promise<void> {
    let begun = false;
    const chunks = await watch<Chunk>(files, `${JOBS}/${id}/stream`, { after: 0, signal });
    for await (const { delta } of chunks) {
      if (!delta?.content) continue;
      if (!begun) listener.speaks();
      begun = true;
      listener.text(delta.content);
    }
  }
  function jobOf(id: string): Promise<Job> {
    return readJson<Job>(files, `${JOBS}/${id}/status`);
  }
  /** One that has ended already is none to end. */
  async function end(id: string): Promise<void> {
    await writeText(files, `${JOBS}/${id}/ctl`, "cancel");
  }
  /** One after the other, so that none is found twice. */
  function lookNext(): Promise<void> {
    looking = looking.catch(() => {}).then(look);
    return looking;
  }

  return {
    belongs: (envelope) => void envelopes.add(envelope),
    has: (envelope) => typeof envelope === "string" && envelopes.has(envelope),
    look: lookNext,
    async told(envelope) {
      const [, id] = /^job:(.+):done$/.exec(String(envelope)) ?? [];
      await found.get(id ?? "")?.catch(() => {});
    },
    async ended() {
      await lookNext();
      const all = await Promise.all([...found.keys()].map(jobOf));
      const over = all.filter(({ ended_at }) => ended_at !== null);
      await Promise.all(over.map(({ job_id }) => found.get(job_id)));
      return all;
    },
    async cancel() {
      isCancelled = true;
      await Promise.all([...found.keys()].map(end));
    },
  };
}
type Chunk = Partial<ComputeChunk>;

/** The newest job; `""` where there is none yet, undefined where there can be none. */
async function lastJob(files: FileService): Promise<string | undefined> {
  let last = "";
  try {
    for await (const { name } of entries(files, JOBS)) last = name;
    return last;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** What of the day's budget is left for model calls, in micro-USD; undefined where there is no limit or no telling. */
export async function leftOf(files: FileService): Promise<number | undefined> {
  try {
    const usage = await readJson<{ day?: { remaining_micro_usd?: Json } }>(files, "/compute/usage");
    const left = usage.day?.remaining_micro_usd;
    return typeof left === "number" ? left : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
