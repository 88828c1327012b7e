/** The model calls that a message causes, found as they begin, and what they say. */
import type { ComputeChunk } from "../../core/compute.ts";
import type { Job } from "../../core/outside.ts";
import { codeOf } from "../../fs/error.ts";
import type { FileService } from "../../fs/file.ts";
import { entries, readJson, watch, writeText } from "../../fs/use.ts";

const JOBS = "/compute/jobs";

/** Who is told what a model says. */
export interface Hearer {
  /** A model call has begun to answer: what it says comes next. */
  speaks(): void;
  text(text: string): void;
}

/** The envelope that a job's end brings. */
export function doneOf(job: string): string {
  return `job:${job}:done`;
}

/** Not there for this caller. */
export function isAbsent(error: unknown): boolean {
  return ["not_found", "permission_denied"].includes(codeOf(error));
}

export interface FollowedJobs {
  /** What this envelope causes is of interest. */
  belongs(envelope: string): void;
  has(envelope: unknown): boolean;
  /** One more has begun: finds it, and tells what it says. */
  look(): Promise<void>;
  /** Resolves when all is told that was said before the tick of this envelope. */
  told(envelope: unknown): Promise<void>;
  /** The last one that there is by now. */
  last(): Promise<string | undefined>;
  /** All that were found, once those that have ended are told to their end. */
  ended(): Promise<Job[]>;
  cancel(): Promise<void>;
}

/** The model calls that an envelope causes, and those that their ends cause in turn. */
export async function openJobs(
  files: FileService,
  listener: Hearer,
  signal: AbortSignal,
): Promise<FollowedJobs> {
  const envelopes = new Set<string>();
  /** In the order in which they were caused. */
  const found: string[] = [];
  const told = new Map<string, Promise<void>>();
  /** New ones, by the envelope that has caused them; whoever else talks with the agent has some. */
  const others = new Map<string, string>();
  const seen = await jobsOf(files);
  let begun = 0;
  let isCancelled = false;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    if (!seen) return;
    for (const { name } of await files.list(JOBS, { after: seen.from })) {
      if (seen.has(name)) continue;
      seen.add(name);
      const { envelope_id } = await jobOf(name);
      if (envelope_id !== null) others.set(name, envelope_id);
    }
    for (let name = ours(); name !== undefined; name = ours()) await take(name);
  }
  /** One that an envelope of ours has caused. */
  function ours(): string | undefined {
    return [...others].find(([, envelope]) => envelopes.has(envelope))?.[0];
  }
  async function take(name: string): Promise<void> {
    others.delete(name);
    envelopes.add(doneOf(name));
    found.push(name);
    if (isCancelled) await end(name);
  }
  /** The first `count` of them, each once; what they say goes on while others are looked for. */
  function tellFirst(count: number): void {
    for (const name of found.slice(0, count)) {
      if (told.has(name)) continue;
      const telling = tell(name);
      telling.catch(() => {});
      told.set(name, telling);
    }
  }
  async function tell(id: string): Promise<void> {
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
    async look() {
      begun++;
      await lookNext();
      // What a later one says comes after what was done before it.
      tellFirst(begun);
    },
    async told(envelope) {
      const [, id] = /^job:(.+):done$/.exec(String(envelope)) ?? [];
      await told.get(id ?? "")?.catch(() => {});
    },
    async last() {
      await lookNext();
      return found.at(-1);
    },
    async ended() {
      tellFirst(found.length);
      const all = await Promise.all(found.map(jobOf));
      const over = all.filter(({ ended_at }) => ended_at !== null);
      await Promise.all(over.map(({ job_id }) => told.get(job_id)));
      return all;
    },
    async cancel() {
      isCancelled = true;
      await lookNext();
      await Promise.all(found.map(end));
    },
  };
}
type Chunk = Partial<ComputeChunk>;

/** A job's id begins with its time: within a millisecond the others are in no order. */
const TIME_CHARS = 13;

interface Seen {
  has(job: string): boolean;
  add(job: string): void;
  /** New ones are behind this name, and some that have been seen. */
  readonly from: string;
}

/** The jobs that there are; undefined where there can be none. */
async function jobsOf(files: FileService): Promise<Seen | undefined> {
  const names = new Set<string>();
  let last = "";
  const add = (job: string) => {
    names.add(job);
    if (job > last) last = job;
  };
  try {
    for await (const { name } of entries(files, JOBS)) add(name);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  return {
    has: (job) => names.has(job),
    add,
    get from() {
      return last === "" ? "0" : last.slice(0, TIME_CHARS);
    },
  };
}
