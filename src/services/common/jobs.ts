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
}

export function jobsDir(jobs: Jobs, about: JobFiles): Node {
  return each({
    list: (page) => entries(jobs, page),
    get: async (name) => await jobs.get(name) ? job(jobs, name, about) : undefined,
  }, { about: "requests of this agent, the oldest first" });
}

async function entries(jobs: Jobs, page: Paging): Promise<Entry[]> {
  const found = await jobs.list(page);
  return found.map((job) => ({ name: job.job_id, dir: true, modified: changedAt(job) }));
}

function changedAt({ created_at, started_at, ended_at }: Job): number {
  return Date.parse(ended_at ?? started_at ?? created_at);
}

function job(jobs: Jobs, id: string, { shown, result, events }: JobFiles): Node {
  const find = async () => {
    const job = await jobs.get(id);
    if (!job) throw refusal("not_found");
    return job;
  };
  return dir({
    status: file({
      type: JSON_TYPE,
      about: "pending, running, streaming, complete, failed or cancelled, with times and costs",
      async stat() {
        const job = await jobs.get(id);
        if (!job) return undefined;
        const text = JSON.stringify(shown(job));
        return { size: text.length, modified: changedAt(job), version: shortDigest(text) };
      },
      read: async () => JSON.stringify(shown(await find())),
      watch: ({ signal }) => changes(jobs, id, signal),
    }),
    result: file({
      type: JSON_TYPE,
      about: result,
      async read() {
        const value = await jobs.result(id);
        if (value === undefined) throw noResult(await find());
        return JSON.stringify(value);
      },
    }),
    ...(events === undefined
      ? {}
      : { stream: file({ ...streamFile(jobs.stream(id), events), whole: true }) }),
    ctl: ctl(jobs, id),
  });
}

function noResult({ status, error }: Job) {
  if (status === "failed" && error) {
    return refusal(error.code, `the job failed, and has no result: ${error.message}`);
  }
  return status === "cancelled"
    ? refusal("not_found", "the job was cancelled, and has no result")
    : refusal("not_ready", `the job is ${status}; its status can be watched`);
}

async function* changes(jobs: Jobs, id: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  for await (const { status } of jobs.watch(id, signal)) yield { type: "modified", status };
}

function ctl(jobs: Jobs, id: string): Node {
  async function perform(data: Uint8Array): Promise<string> {
    const word = textOf(data).trim();
    if (word !== "cancel") {
      throw refusal("invalid_request", `it takes cancel, not ${JSON.stringify(word)}`);
    }
    await jobs.cancel(id);
    const job = await jobs.get(id);
    return JSON.stringify({ status: job?.status });
  }
  return file({
    type: "text/plain; charset=utf-8",
    about: "cancel ends the job; one that has ended stays as it is",
    maxBytes: MAX_WORD_BYTES,
    read: () => "cancel\n",
    write: async (data) => void await perform(data),
    call: perform,
  });
}
