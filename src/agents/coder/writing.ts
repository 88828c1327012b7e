/** A step of a task: the model is asked for the program and its test, and its answer is taken for files. */
import { z } from "zod";
import type { Json } from "../../core/envelope.ts";
import type { Job } from "../../core/outside.ts";
import { found } from "../common/files.ts";
import { chooseModel, isAnyoneUnseen, whoIsDown } from "../common/models.ts";
import { noModel } from "../common/refusals.ts";
import { waitForAbsent } from "../common/waiting.ts";
import { filesIn, type Found } from "./format.ts";
import type { Task } from "./memory.ts";
import { type Before, messagesOf } from "./prompt.ts";
import { refused, stopped } from "./refused.ts";
import { again, type Ended, finish, leftOf, spentOf, type Work } from "./work.ts";

const answerSchema = z.object({
  output: z.object({ text: z.string(), finish_reason: z.string() }),
});

/** Asks the model; its answer comes in an envelope of its own. */
export async function ask(work: Work, task: Task): Promise<void> {
  const { ctx } = work;
  if (task.model === null && !await findModel(work, task)) return;
  try {
    const { job_id } = await ctx.env.call<{ job_id: string }>(
      "/compute/new",
      await requestOf(work, task),
    );
    task.steps++;
    task.absences = 0;
    task.waits = { kind: "job", id: job_id };
  } catch (error) {
    await refused(work, task, error);
  }
}

/** False: there is none, or none yet. */
async function findModel(work: Work, task: Task): Promise<boolean> {
  const { ctx, config } = work;
  task.model = config.model ?? (await chooseModel(ctx, undefined))?.name ?? null;
  if (task.model !== null) return true;
  const mayCome = task.absences === 0 || await isAnyoneUnseen(ctx);
  if (!mayCome || !await waitForAbsent(ctx, task)) {
    await finish(work, task, noModel("coder", await whoIsDown(ctx)));
  }
  return false;
}

/** The same task at the same step always asks for the same. */
async function requestOf(work: Work, task: Task): Promise<Json> {
  const { config } = work;
  const { max_tokens, temperature, step_timeout_ms } = config;
  const left = leftOf(work, task);
  const before = task.fault === "" ? undefined : await beforeOf(work, task);
  const request = {
    model: task.model,
    kind: "chat",
    input: {
      messages: messagesOf(config, task.text, before),
      max_tokens,
      ...(temperature === undefined ? {} : { temperature }),
    },
    stream: true,
    idempotency_key: `${task.envelope_id}:${task.steps}`,
    ...(step_timeout_ms === undefined ? {} : { timeout_ms: step_timeout_ms }),
    ...(left === undefined ? {} : { max_cost_micro_usd: left }),
  };
  return request as unknown as Json;
}

async function beforeOf(work: Work, { written, fault }: Task): Promise<Before> {
  const answer = written === null ? undefined : await answerOf(work, written);
  return { files: answer?.files ?? [], fault };
}

/** What a model call answered, as files; undefined where it is not here, or is no answer of a chat. */
export async function answerOf({ ctx }: Work, job: string): Promise<Found | undefined> {
  const result = await found(ctx, `/compute/jobs/${job}/result`);
  const { data } = answerSchema.safeParse(result);
  return data && filesIn(data.output.text, data.output.finish_reason === "length");
}

/** The model call of a task has ended. */
export async function answered(work: Work, task: Task, ended: Ended): Promise<void> {
  const { id } = ended;
  const job = await found<Job>(work.ctx, `/compute/jobs/${id}/status`);
  // It ended so long ago, in a pause, that it is not kept any more; or it is another agent's.
  if (!job) return await again(work, task, "what the model said is not here any more");
  task.spent.compute.times++;
  task.spent.compute.cost_micro_usd += job.cost_micro_usd ?? job.reserved_micro_usd;
  if (ended.isCancelled || job.status === "cancelled") {
    return await finish(
      work,
      task,
      `Stopped: the model call was cancelled.\n\n${spentOf(task)}`,
    );
  }
  if (job.status !== "complete") {
    const error = job.error ?? { code: "internal" as const, message: "nobody knows why" };
    if (error.code === "interrupted") return await again(work, task, error.message);
    return await stopped(work, task, error);
  }
  const answer = await answerOf(work, id) ??
    { fault: "The answer was no chat message.", files: undefined };
  task.repeats = 0;
  task.written = id;
  if (answer.files) task.phase = "test";
  else await failed(work, task, answer.fault);
}

/** The attempt came to nothing: the next one is told why, if there is one. */
export async function failed(work: Work, task: Task, fault: string): Promise<void> {
  const { max_attempts } = work.config;
  task.phase = "write";
  task.fault = fault;
  if (task.attempt >= max_attempts) return await giveUp(work, task);
  task.attempt++;
}

async function giveUp(work: Work, task: Task): Promise<void> {
  const { max_attempts } = work.config;
  const attempts = max_attempts === 1 ? "the only attempt" : `${max_attempts} attempts`;
  await finish(
    work,
    task,
    [
      `I gave up after ${attempts} (max_attempts): I have no program whose test passes.`,
      `Of the last one: ${task.fault}`,
      ...(task.written === null ? [] : [
        `What the model wrote: agentd cat ${work.ctx.agent.id}/compute/jobs/${task.written}/result`,
      ]),
      spentOf(task),
    ].join("\n\n"),
  );
}
