/** One message to an agent and what comes of it: the model calls that it caused, the files that were used, the replies. */
import type { Job } from "../../core/outside.ts";
import type { AgentId, EnvelopeId } from "../../core/id.ts";
import type { Waited } from "../../core/runtime.ts";
import type { Client } from "../../http/client.ts";
import type { FileService, StreamEvent } from "../../fs/file.ts";
import { readJson, watch } from "../../fs/use.ts";
import { EXIT, trouble } from "../exit.ts";
import { doneOf, type FollowedJobs, type Hearer, isAbsent, openJobs } from "./jobs.ts";

const TRACE = "/logs/trace";
/** One request waits so long; then the next one goes on waiting. */
const WAIT_MS = 600_000;
/** How long an answer that is there waits for what was done on the way to it to be told. */
const TELL_MS = 2_000;

/** Who is told what happens until the replies come, in the order in which it does. */
export interface Listener extends Hearer {
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

/** Sends the message; what comes of it is told until the replies are there. */
export async function exchange(
  server: Client,
  id: AgentId,
  text: string,
  listener: Listener,
): Promise<Exchange> {
  const files = server.files(id);
  const over = new AbortController();
  const jobs = await openJobs(files, listener, over.signal);
  // Before the message goes, so that nothing of what it causes is missed.
  const events = await traceOf(files, over.signal);
  const payload = { kind: "text", text } as const;
  const sent = await server.send(id, { payload });
  if (!("envelope_id" in sent) || sent.disposition === "dead_letter") {
    over.abort();
    throw trouble(EXIT.failed, `${id}'s inbox is full: the message went to its dead letters`);
  }
  const { envelope_id } = sent;
  jobs.belongs(envelope_id);
  const told = events ? follow(events, jobs, listener) : undefined;

  async function answered(): Promise<Answered> {
    try {
      const waited = await untilAnswered(server, id, envelope_id, payload);
      const last = await jobs.last();
      await told?.until(last === undefined ? envelope_id : doneOf(last));
      return { ...waited, jobs: await jobs.ended() };
    } finally {
      over.abort();
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

interface Told {
  /** Resolves when all is told that the tick of this envelope did, or it takes too long. */
  until(envelope: string): Promise<void>;
}

function follow(
  events: AsyncIterable<StreamEvent>,
  jobs: FollowedJobs,
  listener: Listener,
): Told {
  const ended = new Set<string>();
  let wake = () => {};

  async function run(): Promise<void> {
    for await (const event of events) {
      if (!jobs.has(event.envelope_id)) continue;
      if (event.type === "tick_start") await jobs.told(event.envelope_id);
      await tell(event, jobs, listener);
      if (event.type !== "tick_end") continue;
      ended.add(String(event.envelope_id));
      wake();
    }
  }
  let isOver = false;
  // What could not be shown is no reason to withhold the answer.
  run().catch(() => {}).finally(() => {
    isOver = true;
    wake();
  });

  return {
    async until(envelope) {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        wake();
      }, TELL_MS);
      while (!ended.has(envelope) && !isOver && !isLate) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      clearTimeout(timer);
    },
  };
}

async function tell(event: StreamEvent, jobs: FollowedJobs, listener: Listener): Promise<void> {
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

interface Usage {
  readonly day?: { readonly remaining_micro_usd?: number | null };
}

/** What of the day's budget is left for model calls, in micro-USD; undefined where there is no telling. */
export async function leftOf(files: FileService): Promise<number | undefined> {
  try {
    const { mounts, ...agent } = await readJson<
      Usage & { readonly mounts?: { readonly "/compute"?: { readonly usage: Usage } } }
    >(files, "/budget/usage");
    const left = [agent, mounts?.["/compute"]?.usage]
      .flatMap((usage) => usage?.day?.remaining_micro_usd ?? []);
    return left.length === 0 ? undefined : Math.min(...left);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
