/** A step of a task: the files are put into a session, the test is run there, and what came of it is read. */
import { z } from "zod";
import type { Failure } from "../../core/agent.ts";
import { command } from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import { found } from "../common/files.ts";
import { tailOf } from "../common/text.ts";
import type { CodeFile } from "./format.ts";
import type { Task } from "./memory.ts";
import { commandLine } from "./prompt.ts";
import { keep, type Proof, proven } from "./proof.ts";
import { refused, stopped } from "./refused.ts";
import { again, type Ended, finish, leftOf, spentOf, type Work } from "./work.ts";
import { answerOf, failed } from "./writing.ts";

const NEW = "/containers/new";
const SESSIONS = "/containers/sessions";

/** What is the program's own fault, or its test's, and not that of where it runs. */
const FAULTS: Readonly<Record<string, string>> = {
  agent_error: "",
  timeout: "it did not end in time",
  out_of_memory: "it wanted more memory than there is",
  quota_exceeded: "it wanted more of the disk than there is",
};

const commandResult = z.object({
  command,
  exit_code: z.number(),
  stdout: z.string(),
  stderr: z.string(),
  duration_ms: z.number(),
});
const resultSchema = z.object({
  exit_code: z.number(),
  command_results: z.array(commandResult),
  provider_id: z.string(),
});
type Result = z.infer<typeof resultSchema>;

interface Status {
  readonly status: string;
  readonly error?: Failure | null;
  readonly ended_at?: string | null;
  readonly cost_micro_usd?: number | null;
  readonly reserved_micro_usd?: number;
}

/** Begins a session; its end comes in an envelope of its own. */
export async function run(work: Work, task: Task): Promise<void> {
  const { ctx } = work;
  const files = await filesOf(work, task);
  if (files === undefined) {
    // A copy of an agent has not what only the original was answered.
    task.phase = "write";
    return await again(work, task, "what the model said is not here any more");
  }
  try {
    const { session_id } = await ctx.env.call<{ session_id: string }>(
      NEW,
      requestOf(work, task, files),
    );
    task.steps++;
    task.absences = 0;
    task.waits = { kind: "job", id: session_id };
  } catch (error) {
    await refused(work, task, error);
  }
}

async function filesOf(
  work: Work,
  { written }: Task,
): Promise<readonly CodeFile[] | undefined> {
  return written === null ? undefined : (await answerOf(work, written))?.files;
}

function requestOf(work: Work, task: Task, files: readonly CodeFile[]): Json {
  const { image, test, limits } = work.config;
  const left = leftOf(work, task);
  const request = {
    kind: "ephemeral",
    ...(image === undefined ? {} : { image }),
    files: Object.fromEntries(files.map(({ path, text }) => [path, text])),
    commands: test,
    limits,
    idempotency_key: `${task.envelope_id}:${task.steps}`,
    ...(left === undefined ? {} : { max_cost_micro_usd: left }),
  };
  return request as unknown as Json;
}

export async function isOver({ ctx }: Work, id: string): Promise<boolean> {
  const status = await found<Status>(ctx, `${SESSIONS}/${id}/status`);
  return !status || status.ended_at !== null;
}

/** The session of a task has ended. */
export async function tested(work: Work, task: Task, { id, isCancelled }: Ended): Promise<void> {
  const { ctx } = work;
  const status = await found<Status>(ctx, `${SESSIONS}/${id}/status`);
  if (!status) return await again(work, task, "what the session came to is not here any more");
  task.spent.containers.times++;
  task.spent.containers.cost_micro_usd += status.cost_micro_usd ?? status.reserved_micro_usd ?? 0;
  if (isCancelled) {
    return await finish(work, task, `Stopped: the session was ended.\n\n${spentOf(task)}`);
  }
  const result = resultSchema.safeParse(await resultOf(work, id)).data;
  if (status.status === "complete" && result && hasPassed(work, result)) {
    return await passed(work, task, id, result);
  }
  const { error } = status;
  const why = error ?? { code: "internal" as const, message: "nobody knows why" };
  if (why.code === "interrupted") return await again(work, task, why.message);
  if (FAULTS[why.code] === undefined) return await stopped(work, task, why);
  task.repeats = 0;
  await failed(work, task, faultOf(work, result, why));
}

/** Of a session that failed there may be none, which is said by an error of the failure's own code. */
async function resultOf({ ctx }: Work, id: string): Promise<unknown> {
  try {
    return await ctx.env.readJson(`${SESSIONS}/${id}/result`);
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return undefined;
  }
}

function hasPassed({ config: { test } }: Work, { exit_code, command_results }: Result): boolean {
  return exit_code === 0 && command_results.length === test.length &&
    command_results.every((one) => one.exit_code === 0);
}

/** What the model is told of a test that did not pass. */
function faultOf({ config }: Work, result: Result | undefined, error: Failure): string {
  const last = result?.command_results.at(-1);
  const why = FAULTS[error.code];
  const command = commandLine(last?.command ?? config.test[0]!);
  const output = last ? outputOf(last, config.max_output_bytes) : "";
  return [
    `The test did not pass${why ? `: ${why} (${error.message})` : ""}.`,
    "",
    `$ ${command}`,
    ...(output === "" ? [] : [output]),
    ...(last && !why ? [`exit code ${last.exit_code}`] : []),
  ].join("\n");
}

/** The end of both streams, in so many bytes. */
export function outputOf(
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  maxBytes: number,
): string {
  const all = [stdout, stderr].map((text) => text.trimEnd()).filter((text) => text !== "");
  const { text, isCut } = tailOf(all.join("\n"), maxBytes);
  return isCut ? `[what came before is cut]\n${text}` : text;
}

async function passed(work: Work, task: Task, id: string, result: Result): Promise<void> {
  const files = await filesOf(work, task);
  const last = result.command_results.at(-1)!;
  const proof: Proof = {
    files: files ?? [],
    session_id: id,
    provider_id: result.provider_id,
    command: commandLine(last.command),
    exit_code: last.exit_code,
    output: outputOf(last, work.config.max_output_bytes),
    duration_ms: last.duration_ms,
  };
  await finish(work, task, proven(work, task, proof, await keep(work, task, proof)));
}
