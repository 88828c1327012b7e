/** `sessions/<id>/`: what has become of a session, what it prints, the commands that it is given, its files, and how it is ended. */
import type { Job, Jobs } from "../../core/outside.ts";
import type { Stream } from "../../core/event_stream.ts";
import type { AgentView } from "../../core/view.ts";
import { SIGNALS } from "../../core/containers.ts";
import type { StreamEvent } from "../../fs/file.ts";
import { each, file, type Node, type Paging, refusal } from "../../fs/tree.ts";
import { streamFile } from "../common/events.ts";
import { type ControlWords, jobsDir } from "../common/jobs.ts";
import { JSON_TYPE } from "../common/json.ts";
import { execNew, execPaths } from "./exec.ts";
import { filesNode } from "./files.ts";
import { stateIn } from "./live.ts";
import { MOUNT } from "./policy.ts";
import type { Deps } from "./course.ts";
import { NO_USAGE } from "./ending.ts";
import { CALLERS, SESSION_STATES, sessionShown, stateOf } from "./shown.ts";
import type { SessionData } from "./terms.ts";

const PAGE = 256;
const EVENTS = "{ seq, stream: stdout or stderr, data, exec_id?, encoding?: base64 }, and " +
  '{ type: "exit", exit_code, command? or exec_id? } as a command ends';

export function sessionFiles(view: AgentView, deps: Deps): Node {
  const jobs = view.jobs(MOUNT);
  return jobsDir(jobs, {
    about: "sessions of this agent, the oldest first",
    shown: sessionShown,
    state: stateOf,
    states: SESSION_STATES,
    result: "{ session_id, exit_code, stdout, stderr, command_results, artifacts, usage, " +
      "cost_micro_usd, reserved_micro_usd, duration_ms, provider_id }",
    only: CALLERS,
    words: stopOf(jobs),
    more: (id) => ({
      output: file({ ...streamFile(jobs.stream(id), EVENTS), whole: true }),
      usage: usage(view, deps, id),
      exec: execs(view, deps, id),
      files: filesNode(view, deps, id),
    }),
  });
}

function stopOf(jobs: Jobs): ControlWords {
  return {
    list: ["stop"],
    about: "stop ends the session; one that has ended stays as it is",
    async perform(id, word) {
      if (word !== "stop") {
        throw refusal("invalid_request", `it takes stop, not ${JSON.stringify(word)}`);
      }
      await jobs.cancel(id);
    },
  };
}

function usage(view: AgentView, { providers }: Deps, id: string): Node {
  return file({
    type: JSON_TYPE,
    about: "{ cpu_time_ms, peak_memory_bytes, disk_writes_bytes, network_bytes } so far",
    async read() {
      const job = await view.jobs(MOUNT).get(id);
      if (!job) throw refusal("not_found");
      const provider = providers.get((job.data as unknown as SessionData).provider_id);
      const isLive = stateOf(job) === "running" && provider;
      const { usage = NO_USAGE } = stateIn(job.kept);
      return JSON.stringify(isLive ? await provider.usage(id).catch(() => usage) : usage);
    },
  });
}

/** `exec/`: `new`, and each command that was given. */
function execs(view: AgentView, deps: Deps, session: string): Node {
  const jobs = view.jobs(`${MOUNT}/sessions/${session}`);
  const given = jobsDir(jobs, {
    shown: (job) => execShown(session, job),
    state: execState,
    states: "pending, running, complete, failed or cancelled",
    result: "{ exec_id, exit_code, stdout, stderr, duration_ms }",
    only: CALLERS,
    words: wordsOf(view, deps, session, jobs),
    more: (id) => ({
      output: file({
        ...streamFile(ofExec(view.jobs(MOUNT).stream(session), jobs, id), EVENTS),
        whole: true,
      }),
    }),
  }) as Extract<Node, { dir: true }>;
  const fresh = execNew(view, deps.secrets, session);
  return each({
    // `new` sorts behind all ids, which begin with a digit.
    async list(page: Paging) {
      const entries = await given.list(page);
      const isEnd = entries.length < page.limit && (page.after === undefined || page.after < "new");
      return isEnd ? [...entries, { name: "new", dir: false }] : entries;
    },
    get: (name, use) => name === "new" ? fresh : given.get(name, use),
  }, { about: "commands that were given to the session, the oldest first, and new" });
}

function execState({ status }: Job): string {
  return status === "streaming" ? "running" : status;
}

function execShown(session: string, job: Job): object {
  const { job_id, data: _, kept: __, reserved_micro_usd: ___, cost_micro_usd: ____, ...rest } = job;
  return {
    exec_id: job_id,
    session_id: session,
    ...rest,
    status: execState(job),
    ...execPaths(session, job_id),
  };
}

function wordsOf(
  view: AgentView,
  { providers }: Deps,
  session: string,
  jobs: Jobs,
): ControlWords {
  const names = SIGNALS.join(", ");
  return {
    list: ["cancel", ...SIGNALS.map((name) => `signal ${name}`)],
    about: `cancel ends the command, and all that it began; signal NAME sends one of ${names}`,
    async perform(id, word) {
      if (word === "cancel") return await jobs.cancel(id);
      const name = /^signal (?:SIG)?([A-Z0-9]+)$/.exec(word)?.[1];
      if (!SIGNALS.some((known) => known === name)) {
        const what = JSON.stringify(word);
        throw refusal("invalid_request", `it takes cancel or signal NAME (${names}), not ${what}`);
      }
      const status = (await jobs.get(id))?.status;
      if (status !== "running" && status !== "streaming") {
        if (status !== "pending") return;
        throw refusal("not_ready", "the command has not begun; its status can be watched");
      }
      const job = await view.jobs(MOUNT).get(session);
      const provider = job && providers.get((job.data as unknown as SessionData).provider_id);
      await provider?.signal(session, id, name!);
    },
  };
}

/** The session's stream, of one command alone: it ends as the command does. */
function ofExec(all: Stream, jobs: Jobs, id: string): Stream {
  const isIts = (event: StreamEvent) =>
    event["exec_id"] === id || event.type === "cut" || event.type === "gap";
  async function read({ after = 0, limit = Infinity }: Parameters<Stream["read"]>[0]) {
    const found: StreamEvent[] = [];
    for (let from = after; found.length < limit;) {
      const page = await all.read({ after: from, limit: PAGE });
      if (page.length === 0) break;
      found.push(...page.filter(isIts));
      from = page.at(-1)!.seq;
    }
    return found.slice(0, limit);
  }
  return {
    read,
    tail: async (count) => count <= 0 ? [] : (await read({})).slice(-count),
    async *watch({ after = 0, signal }) {
      const over = new AbortController();
      const both = AbortSignal.any([signal, over.signal]);
      let last = after;
      endedOf(jobs, id, both).then(() => over.abort(), () => over.abort());
      try {
        for await (const event of all.watch({ after, signal: both })) {
          last = event.seq;
          if (!isIts(event)) continue;
          yield event;
          if (event.type === "exit") return;
        }
        if (!signal.aborted) yield* await read({ after: last });
      } finally {
        over.abort();
      }
    },
  };
}

/** Resolves when the command has ended. */
async function endedOf(jobs: Jobs, id: string, signal: AbortSignal): Promise<void> {
  const changes = jobs.watch(id, signal)[Symbol.asyncIterator]();
  // It listens before it looks, so that no end comes between.
  let next = changes.next();
  let job = await jobs.get(id);
  while (job && job.ended_at === null) {
    const { done, value } = await next;
    if (done) return;
    job = value;
    next = changes.next();
  }
}
