/** `jobs/<id>/` of any mount: what became of a request: its status, its answer, its events as they come, and how to stop it. */
import type { Job, Jobs } from "../../core/outside.ts";
import { shortDigest } from "../../core/code.ts";
import type { Entry } from "../../fs/file.ts";
import {
  dir,
  each,
  file,
  type Node,
  type Paging,
  refusal,
  type WatchEvent,
} from "../../fs/tree.ts";
import { streamFile } from "./events.ts";
import { JSON_TYPE, textOf } from "./json.ts";

const MAX_WORD_BYTES = 64;

export interface JobFiles {
  /** The status as people see it: what its kind keeps of it is told under names of its own. */
  readonly shown: (job: Job) => object;
  /** What its result is, in a word for people. */
  readonly result: string;
  /** What its events are; undefined: it has none. */
  readonly events?: string;
  /** Of its status, what a watch tells; the job's own if absent. */
  readonly state?: (job: Job) => string;
  /** What its status may be, for people. */
  readonly states?: string;
  /** What `ctl` takes, and what that does; `cancel` if absent. */
  readonly words?: ControlWords;
  /** Who may say them; everybody if absent. */
  readonly only?: readonly string[];
  /** What else is in its directory, or in place of what is there otherwise. */
  readonly more?: (id: string) => Readonly<Record<string, Node>>;
  /** Of the directory of all of them. */
  readonly about?: string;
}

export interface ControlWords {
  /** For people: one a line. */
  readonly list: readonly string[];
  readonly about: string;
  /** @throws FileError `invalid_request` for another word, with what it takes */
  perform(id: string, word: string): Promise<void>;
}

export function jobsDir(jobs: Jobs, about: JobFiles): Node {
  return each({
    list: (page) => entries(jobs, page),
    get: async (name) => await jobs.get(name) ? job(jobs, name, about) : undefined,
  }, { about: about.about ?? "requests of this agent, the oldest first" });
}

async function entries(jobs: Jobs, page: Paging): Promise<Entry[]> {
  const found = await jobs.list(page);
  return found.map((job) => ({ name: job.job_id, dir: true, modified: changedAt(job) }));
}

function changedAt({ created_at, started_at, ended_at }: Job): number {
  return Date.parse(ended_at ?? started_at ?? created_at);
}

const STATES = "pending, running, streaming, complete, failed or cancelled, with times and costs";

function job(jobs: Jobs, id: string, kind: JobFiles): Node {
  const { shown, result, events, state = ({ status }) => status, states = STATES } = kind;
  const find = async () => {
    const job = await jobs.get(id);
    if (!job) throw refusal("not_found");
    return job;
  };
  return dir({
    status: file({
      type: JSON_TYPE,
      about: states,
      async stat() {
        const job = await jobs.get(id);
        if (!job) return undefined;
        const text = JSON.stringify(shown(job));
        return { size: text.length, modified: changedAt(job), version: shortDigest(text) };
      },
      read: async () => JSON.stringify(shown(await find())),
      watch: ({ signal }) => changes(jobs, id, state, signal),
    }),
    result: file({
      type: JSON_TYPE,
      about: result,
      async read() {
        const value = await jobs.result(id);
        if (value === undefined) {
          const job = await find();
          throw noResult(job, state(job));
        }
        return JSON.stringify(value);
      },
    }),
    ...(events === undefined
      ? {}
      : { stream: file({ ...streamFile(jobs.stream(id), events), whole: true }) }),
    ctl: ctl(jobs, id, kind),
    ...kind.more?.(id),
  });
}

/** @param state in the words of its mount */
function noResult({ status, error }: Job, state: string) {
  if (status === "failed" && error) {
    return refusal(error.code, `the job failed, and has no result: ${error.message}`);
  }
  return status === "cancelled"
    ? refusal("not_found", "the job was cancelled, and has no result")
    : refusal("not_ready", `the job is ${state}; its status can be watched`);
}

async function* changes(
  jobs: Jobs,
  id: string,
  state: (job: Job) => string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let last: string | undefined;
  for await (const job of jobs.watch(id, signal)) {
    const status = state(job);
    if (status === last) continue;
    last = status;
    yield { type: "modified", status };
  }
}

function ctl(jobs: Jobs, id: string, { words = cancelOf(jobs), shown, only }: JobFiles): Node {
  async function perform(data: Uint8Array): Promise<string> {
    await words.perform(id, textOf(data).trim());
    const job = await jobs.get(id);
    return JSON.stringify({ status: job && (shown(job) as { status?: unknown }).status });
  }
  return file({
    type: "text/plain; charset=utf-8",
    about: words.about,
    ...(only ? { only: { write: only, call: only } } : {}),
    maxBytes: MAX_WORD_BYTES,
    read: () => words.list.map((word) => `${word}\n`).join(""),
    write: async (data) => void await perform(data),
    call: perform,
  });
}

function cancelOf(jobs: Jobs): ControlWords {
  return {
    list: ["cancel"],
    about: "cancel ends the job; one that has ended stays as it is",
    async perform(id, word) {
      if (word !== "cancel") {
        throw refusal("invalid_request", `it takes cancel, not ${JSON.stringify(word)}`);
      }
      await jobs.cancel(id);
    },
  };
}
