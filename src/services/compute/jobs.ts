/** `jobs/<id>/`: what became of a request: its status, its answer, its answer as it comes, and how to stop it. */
import type { Job } from "../../core/outside.ts";
import type { AgentView } from "../../core/view.ts";
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
import { streamFile } from "../common/events.ts";
import { JSON_TYPE, textOf } from "../common/json.ts";
import { type JobData, MOUNT, pathsOf } from "./terms.ts";

const MAX_WORD_BYTES = 64;

export function jobsDir(view: AgentView): Node {
  return each({
    list: (page) => entries(view, page),
    get: async (name) => await view.jobs(MOUNT).get(name) ? job(view, name) : undefined,
  }, { about: "requests of this agent, the oldest first" });
}

async function entries(view: AgentView, page: Paging): Promise<Entry[]> {
  const jobs = await view.jobs(MOUNT).list(page);
  return jobs.map((job) => ({ name: job.job_id, dir: true, modified: changedAt(job) }));
}

function changedAt({ created_at, started_at, ended_at }: Job): number {
  return Date.parse(ended_at ?? started_at ?? created_at);
}

function job(view: AgentView, id: string): Node {
  const jobs = view.jobs(MOUNT);
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
      watch: ({ signal }) => changes(view, id, signal),
    }),
    result: file({
      type: JSON_TYPE,
      about: "{ job_id, output, usage?, cost_micro_usd, latency_ms, provider_id, model }",
      async read() {
        const result = await jobs.result(id);
        if (result === undefined) throw noResult(await find());
        return JSON.stringify(result);
      },
    }),
    stream: file({
      ...streamFile(
        jobs.stream(id),
        "the answer as it comes: { job_id, seq, delta, finish_reason?, usage? }, the last one " +
          "with its finish_reason",
      ),
      whole: true,
    }),
    ctl: ctl(view, id),
  });
}

/** What its kind keeps of it is told under names of its own. */
function shown({ data, ...job }: Job) {
  const { kind, model, routes } = data as unknown as JobData;
  const [first] = routes;
  return { ...job, kind, model, provider_id: first?.provider_id, ...pathsOf(job.job_id) };
}

function noResult({ status, error }: Job) {
  if (status === "failed" && error) {
    return refusal(error.code, `the job failed, and has no result: ${error.message}`);
  }
  return status === "cancelled"
    ? refusal("not_found", "the job was cancelled, and has no result")
    : refusal("not_ready", `the job is ${status}; its stream and its status can be watched`);
}

async function* changes(
  view: AgentView,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for await (const job of view.jobs(MOUNT).watch(id, signal)) {
    yield { type: "modified", status: job.status };
  }
}

function ctl(view: AgentView, id: string): Node {
  async function perform(data: Uint8Array): Promise<string> {
    const word = textOf(data).trim();
    if (word !== "cancel") {
      throw refusal("invalid_request", `it takes cancel, not ${JSON.stringify(word)}`);
    }
    const jobs = view.jobs(MOUNT);
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
