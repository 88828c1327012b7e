/** Commands that are given to a session that runs: each a job of its own, whose output is part of the session's stream. */
import type { Command, ExecEnd } from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import type { Job, JobEnd, JobRun, JobTerms } from "../../core/outside.ts";
import type { Secrets } from "../../core/secrets.ts";
import type { AgentView } from "../../core/view.ts";
import { FileError, hasCode } from "../../fs/error.ts";
import { file, type Node, refusal } from "../../fs/tree.ts";
import type { Gate } from "../common/gate.ts";
import { followed, withoutDoing } from "./follow.ts";
import type { Live } from "./live.ts";
import { MOUNT } from "./policy.ts";
import { MAX_RESULT_BYTES, retold, streams } from "./record.ts";
import { execRequestOf, workdirOf } from "./request.ts";
import { filledEnv } from "./secrets.ts";
import type { Deps } from "./course.ts";
import { CALLERS, stateOf } from "./shown.ts";
import type { SessionInput } from "./terms.ts";
import { orAborted, within } from "./timing.ts";

/** Commands of one session that run at a time; others wait. */
const MAX_EXECS = 16;
/** How long what was killed may take to be gone; then the whole session is ended. */
const KILL_MS = 5_000;
const MAX_BYTES = 2 * 1024 * 1024;
const encoder = new TextEncoder();

export interface ExecData {
  readonly type: "exec";
  readonly session_id: string;
}

interface ExecInput {
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly stdin: string | null;
}

/** What its job keeps once it has ended, before the session's stream says so. */
interface Over extends ExecEnd {
  readonly duration_ms: number;
}

export interface ExecDeps extends Deps {
  readonly execs: Gate<string>;
}

export function execPaths(session: string, id: string) {
  const at = `${MOUNT}/sessions/${session}/exec/${id}`;
  return { status_path: `${at}/status`, output_path: `${at}/output`, result_path: `${at}/result` };
}

/** `exec/new` */
export function execNew(view: AgentView, secrets: Secrets, session: string): Node {
  return file({
    type: "text/plain; charset=utf-8",
    about:
      "runs a command in the session, once it runs: a command as text, or { command, env?, workdir?, " +
      "stdin?, timeout_ms?, idempotency_key?, notify? }; answers { exec_id, status, status_path, " +
      "output_path, result_path } at once",
    only: { call: CALLERS },
    maxBytes: MAX_BYTES,
    async call(data) {
      const request = execRequestOf(data);
      const { idempotency_key: key, ...order } = request;
      const answer = await view.outside.submit({
        mount: MOUNT,
        path: `${MOUNT}/sessions/${session}/exec/new`,
        request: order as unknown as Json,
        ...(key === undefined ? {} : { idempotency: { scope: `containers/${session}`, key } }),
      }, async (): Promise<JobTerms> => {
        mustTakeCommands(await view.jobs(MOUNT).get(session));
        filledEnv(secrets, view.id, request.env);
        const input: ExecInput = {
          command: request.command,
          env: request.env,
          workdir: workdirOf(request.workdir),
          stdin: request.stdin ?? null,
        };
        return {
          maxCostMicroUsd: 0,
          reason: `a command in the session ${session}`,
          data: { type: "exec", session_id: session },
          input: input as unknown as Json,
          under: `/sessions/${session}`,
          notify: request.notify,
          timeoutMs: request.timeout_ms ?? 0,
          answer: (id) => ({ exec_id: id, status: "pending", ...execPaths(session, id) }),
        };
      });
      return JSON.stringify(answer);
    },
  });
}

/** One that has not begun takes them too: they wait for it. @throws FileError `not_ready` */
function mustTakeCommands(job: Job | undefined): void {
  const state = job && stateOf(job);
  if (state !== "provisioning" && state !== "cloning") mustRun(job);
}

/** @throws FileError `not_ready` */
export function mustRun(job: Job | undefined): void {
  const state = job && stateOf(job);
  if (state === "running") return;
  const advice = state === "provisioning" || state === "cloning"
    ? "its status can be watched"
    : "nothing runs in it any more";
  throw refusal("not_ready", `the session is ${state ?? "gone"}; ${advice}`);
}

/** Runs one, or takes up one that runs. */
export async function runExec(deps: ExecDeps, run: JobRun): Promise<JobEnd> {
  const { session_id } = run.job.data as unknown as ExecData;
  // Jobs that a restart takes up begin in one step, sessions among them.
  await Promise.resolve();
  const live = deps.sessions.get(run.agent, session_id);
  if (!live) throw hasEnded(session_id);
  const work = executed(deps, run, live);
  live.execs.add(work);
  try {
    return await work;
  } finally {
    live.execs.delete(work);
  }
}

async function executed(deps: ExecDeps, run: JobRun, live: Live): Promise<JobEnd> {
  const either = AbortSignal.any([run.signal, live.ended]);
  await orAborted(either, live.ready);
  const leave = await deps.execs.enter(live.id, run.job.job_id, MAX_EXECS, either);
  try {
    await run.asking();
    return await attended(deps, run, live);
  } finally {
    leave();
  }
}

async function attended(deps: ExecDeps, run: JobRun, live: Live): Promise<JobEnd> {
  const execId = run.job.job_id;
  const { stdout, stderr } = streams(MAX_RESULT_BYTES);
  const add = (stream: "stdout" | "stderr", bytes: Uint8Array) =>
    (stream === "stdout" ? stdout : stderr).add(bytes);
  const lost = () => {
    stdout.lost();
    stderr.lost();
  };
  if (run.isResumed) await retold(live.run.stream, execId, { add, lost, exit() {} });
  const over = run.job.kept as unknown as Over | null ??
    await following(deps, run, live, add);
  if (live.state.doing[execId]) {
    const { exit_code } = over;
    await live.note(withoutDoing(execId), { type: "exit", exec_id: execId, exit_code });
  }
  const { exit_code, duration_ms } = over;
  const result = {
    exec_id: execId,
    exit_code,
    stdout: stdout.text(),
    stderr: stderr.text(),
    duration_ms,
  };
  const error = run.signal.aborted
    ? run.signal.reason
    : over.out_of_memory && exit_code !== 0
    ? outOfMemory(execId)
    : undefined;
  return { result, costMicroUsd: 0, ...(error === undefined ? {} : { error }) };
}

/** Until it has ended: by itself, killed because its job is over, or with its session. */
async function following(
  deps: ExecDeps,
  run: JobRun,
  live: Live,
  onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
): Promise<Over> {
  const execId = run.job.job_id;
  const input = await run.input() as unknown as ExecInput;
  const sessionInput = await live.run.input() as unknown as SessionInput;
  const detach = new AbortController();
  const ended = followed(live, {
    redactor: deps.secrets.redactor,
    execId,
    named: { exec_id: execId },
    spec: () => ({
      exec_id: execId,
      command: input.command,
      env: filledEnv(deps.secrets, run.agent, { ...sessionInput.env, ...input.env }),
      workdir: input.workdir,
      ...(input.stdin === null ? {} : { stdin: encoder.encode(input.stdin) }),
    }),
    onOutput,
    detach: detach.signal,
  });
  const leave = () => {
    if (live.ended.aborted) detach.abort(live.ended.reason);
    else if (run.ending === "stopped" || run.ending === "deleted") detach.abort(run.signal.reason);
    else kill(deps, live, execId, ended);
  };
  const signals = [run.signal, live.ended];
  for (const signal of signals) signal.addEventListener("abort", leave, { once: true });
  if (signals.some(({ aborted }) => aborted)) leave();
  try {
    const end = await orAborted(detach.signal, ended);
    const over: Over = { ...end, duration_ms: run.now() - live.state.doing[execId]!.began };
    await run.keep(over as unknown as Json);
    return over;
  } catch (error) {
    // What carries its output is gone, and with it whoever would see what it does from here on.
    const isLost = (hasCode(error, "interrupted") || hasCode(error, "out_of_memory")) &&
      !detach.signal.aborted && !live.ended.aborted;
    if (isLost && !run.signal.aborted) await kill(deps, live, execId, Promise.resolve());
    throw error;
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", leave);
  }
}

/** Really ends it: where that cannot be done, the session is ended. */
async function kill(
  { clock }: ExecDeps,
  live: Live,
  execId: string,
  ended: Promise<unknown>,
): Promise<void> {
  try {
    await within(clock, KILL_MS, live.provider.signal(live.id, execId, "KILL"));
    await within(clock, KILL_MS, ended.then(() => {}, () => {}));
  } catch {
    live.fail(
      new FileError("interrupted", "run", live.id, {
        detail: "a command could not be ended, and so its session was",
      }),
    );
  }
}

function hasEnded(session: string): FileError {
  return new FileError("interrupted", "run in", session, {
    detail: "the session has ended",
    extra: { asked: false },
  });
}

function outOfMemory(id: string): FileError {
  return new FileError("out_of_memory", "run", id, {
    detail: "it needed more than the session's limits.max_memory_mb",
  });
}
