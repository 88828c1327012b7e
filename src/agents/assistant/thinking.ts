/**
 * A question on its way to its answer. Each tick takes it as far as it goes: the calls that the model wants are done, the next model call is begun, and the
 * tick ends; what the model says comes in an envelope of its own.
 */
import type { Json } from "../../core/envelope.ts";
import { chooseModel, isAnyoneUnseen, whoIsDown } from "../common/models.ts";
import { approvalIn, failureOf, kindOf, noModel } from "../common/refusals.ts";
import { reply } from "../common/reply.ts";
import { bytesOf } from "../common/text.ts";
import { mayComeBack } from "../common/waiting.ts";
import { messagesFor, trim } from "./conversation.ts";
import type { Asked, Question } from "./memory.ts";
import { endCall, finish, type Work } from "./replying.ts";
import { runTool, TOOLS } from "./tools.ts";
import { againNextTick, later, waitForPerson } from "./waiting.ts";
import { plainSystemOf, reasonOf, systemOf } from "./words.ts";

/** So much of each result is given however many there are. */
const MIN_RESULT_BYTES = 128;

/** Goes on until something is waited for, or nothing is left to do. */
export async function think(work: Work): Promise<void> {
  const { state } = work.ctx;
  while (true) {
    const { question } = state;
    if (question?.waits) return;
    if (question) await step(work, question);
    else {
      const next = state.waiting.shift();
      if (!next) return;
      await begin(work, next);
    }
  }
}

/** A new question, or a reply that says why not. */
async function begin(work: Work, { envelope_id, text }: Asked): Promise<void> {
  const { ctx, config } = work;
  const { state } = ctx;
  const most = config.max_conversation_bytes / 2;
  if (bytesOf(text) > most) {
    return await reply(ctx, `This message is too long for me: I take ${most} bytes.`, envelope_id);
  }
  state.turns.push([{ role: "user", content: text }]);
  state.question = {
    envelope_id,
    since: ctx.now(),
    left_ms: config.max_answer_ms,
    model: null,
    system: "",
    steps: 0,
    repeats: 0,
    absences: 0,
    calls: [],
    waits: null,
    alarm: await ctx.alarm(config.max_answer_ms, { deadline: envelope_id }),
  };
}

/** The next call that the model wants, or else the next model call. */
async function step(work: Work, question: Question): Promise<void> {
  const { max_steps } = work.config;
  if (question.calls.length > 0) return await doCall(work, question);
  if (question.steps < max_steps) return await submit(work, question);
  await finish(
    work,
    `I stopped after ${max_steps} model calls without an answer (max_steps). Ask me to go on if you want me to.`,
  );
}

/** The first of the calls; one that a person has to allow is waited for. */
async function doCall(work: Work, question: Question): Promise<void> {
  const { ctx, config, timer } = work;
  const [call] = question.calls;
  let result: string;
  try {
    result = await runTool(call!, ctx, {
      maxResultBytes: resultBytes(work),
      maxWatchMs: config.max_watch_ms,
      timer,
    });
  } catch (error) {
    const id = approvalIn(error);
    if (id === undefined || ctx.signal.aborted) throw error;
    return await waitForPerson(work, question, id);
  }
  endCall(work, question, result);
}

/** All results of one answer together leave room for the rest of the conversation. */
function resultBytes({ ctx: { state }, config }: Work): number {
  const { max_result_bytes, max_conversation_bytes } = config;
  const asking = state.turns.at(-1)!.findLast(({ tool_calls }) => tool_calls !== undefined);
  const calls = asking?.tool_calls?.length ?? 1;
  const each = Math.floor(max_conversation_bytes / 2 / calls);
  return Math.max(MIN_RESULT_BYTES, Math.min(max_result_bytes, each));
}

/** Finds the model for a new question. False: there is none, or none yet. */
async function prepare(work: Work, question: Question): Promise<boolean> {
  const { ctx, config } = work;
  const { state } = ctx;
  const chosen = await chooseModel(ctx, config.model);
  const model = chosen?.name ?? config.model;
  if (model === undefined) {
    const why = noModel("assistant", await whoIsDown(ctx));
    if (question.absences === 0 || await isAnyoneUnseen(ctx)) await later(work, question, why);
    else await finish(work, why);
    return false;
  }
  if (state.plain?.model !== model || chosen?.tools === true) {
    state.plain = chosen?.tools === false ? { model, told: false } : null;
  }
  question.model = model;
  question.system = state.plain ? plainSystemOf(ctx, config) : await systemOf(ctx, config);
  return true;
}

async function submit(work: Work, question: Question): Promise<void> {
  const { ctx } = work;
  if (question.model === null && !await prepare(work, question)) return;
  trim(ctx.state, work.config.max_conversation_bytes);
  try {
    const { job_id } = await ctx.env.call<{ job_id: string }>(
      "/compute/new",
      requestOf(work, question),
    );
    question.steps++;
    question.absences = 0;
    question.waits = { kind: "job", id: job_id };
  } catch (error) {
    if (ctx.signal.aborted || (error as { name?: unknown }).name !== "FileError") throw error;
    await refused(work, question, error);
  }
}

/** The same question at the same step always asks for the same. */
function requestOf({ ctx, config }: Work, question: Question): Json {
  const { state } = ctx;
  const { max_tokens, temperature, step_timeout_ms, max_step_cost_micro_usd } = config;
  const isPlain = state.plain !== null;
  const request = {
    model: question.model,
    kind: "chat",
    input: {
      messages: messagesFor(state, question.system, isPlain),
      ...(isPlain ? {} : { tools: TOOLS }),
      max_tokens,
      ...(temperature === undefined ? {} : { temperature }),
    },
    stream: true,
    idempotency_key: `${question.envelope_id}:${question.steps}`,
    ...(step_timeout_ms === undefined ? {} : { timeout_ms: step_timeout_ms }),
    ...(max_step_cost_micro_usd === undefined
      ? {}
      : { max_cost_micro_usd: max_step_cost_micro_usd }),
  };
  return request as unknown as Json;
}

async function refused(work: Work, question: Question, error: unknown): Promise<void> {
  const id = approvalIn(error);
  if (id !== undefined) return await waitForPerson(work, question, id);
  const kind = kindOf(error);
  if (kind === "retry") throw error;
  // Its model call goes on, and the next tick asks anew.
  if (kind === "changed") return await againNextTick(work, question, failureOf(error).message);
  const why = reasonOf(failureOf(error));
  if (mayComeBack(question, error)) await later(work, question, why);
  else await finish(work, why);
}
