/**
 * A question on its way to its answer. Each tick takes it as far as it goes: the calls that the model wants are done, the next model call is begun, and the
 * tick ends; what the model says comes in an envelope of its own.
 */
import { z } from "zod";
import { codeOf, type FileError } from "../../fs/error.ts";
import type { AgentContext } from "../../core/agent.ts";
import { APPROVAL_TTL_MS } from "../../core/approval.ts";
import type { Backend } from "../../core/backend.ts";
import type { Json } from "../../core/envelope.ts";
import type { Job } from "../../core/outside.ts";
import type { Config } from "./config.ts";
import { bytesOf, cutText, kept, messagesFor, trim } from "./conversation.ts";
import type { Asked, Memory, Question } from "./memory.ts";
import { chooseModel } from "./models.ts";
import { runTool, TOOLS } from "./tools.ts";
import { failureOf, NO_MODEL, noToolsNote, plainSystemOf, reasonOf, systemOf } from "./words.ts";

/** Calls that a model gets done at once. */
const MAX_CALLS = 16;
/** Arguments of one call; more is no message to a file but a mistake. */
const MAX_ARGUMENTS_CHARS = 256 * 1024;
/** A reply has to fit into an envelope. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024;
/** How often one question asks again for what nobody knows the end of. */
const MAX_REPEATS = 3;
/** A question to a person has run out by then. */
const APPROVAL_WAIT_MS = APPROVAL_TTL_MS + 60_000;

export interface Work {
  readonly ctx: AgentContext<Memory>;
  readonly config: Config;
  readonly timer: Backend["timer"];
}

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
  const chosen = await chooseModel(ctx, config.model);
  const model = chosen?.name ?? config.model;
  if (model === undefined) return await reply(ctx, NO_MODEL, envelope_id);
  if (state.plain?.model !== model) {
    state.plain = chosen?.tools === false ? { model, told: false } : null;
  }
  const system = state.plain ? plainSystemOf(ctx, config) : await systemOf(ctx, config);
  state.turns.push([{ role: "user", content: text }]);
  state.question = {
    envelope_id,
    since: ctx.now(),
    left_ms: config.max_answer_ms,
    model,
    system,
    steps: 0,
    repeats: 0,
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
      maxResultBytes: resultBytes(config, question),
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
function resultBytes({ max_result_bytes, max_conversation_bytes }: Config, { calls }: Question) {
  return Math.max(
    128,
    Math.min(max_result_bytes, Math.floor(max_conversation_bytes / 2 / calls.length)),
  );
}

function endCall({ ctx }: Work, question: Question, content: string): void {
  const call = question.calls.shift()!;
  ctx.state.turns.at(-1)!.push({ role: "tool", tool_call_id: call.id, content });
}

async function submit(work: Work, question: Question): Promise<void> {
  const { ctx } = work;
  trim(ctx.state, work.config.max_conversation_bytes);
  try {
    const { job_id } = await ctx.env.call<{ job_id: string }>(
      "/compute/new",
      requestOf(work, question),
    );
    question.steps++;
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
      ...(max_tokens === undefined ? {} : { max_tokens }),
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
  switch (codeOf(error)) {
    case "internal":
    case "io":
    case "not_ready":
      // The engine tries the tick again.
      throw error;
    case "nondeterministic":
    case "interrupted":
    case "conflict":
      // An earlier try of this tick asked for something else, as a file has changed since then. Its model call goes on, and
      // nothing of it comes here; the next tick asks anew.
      return await again(work, question, failureOf(error).message, { kind: "tick" });
  }
  await failed(work, question, failureOf(error));
}

/** What is asked for once more has a name of its own, and counts as a step. */
async function again(
  work: Work,
  question: Question,
  why: string,
  waits: Question["waits"],
): Promise<void> {
  if (question.repeats >= MAX_REPEATS) {
    return await finish(work, `My model calls were cut off again and again: ${why}`);
  }
  question.repeats++;
  if (waits) question.steps++;
  question.waits = waits;
  if (waits?.kind === "tick") await work.ctx.alarm(0, { go_on: question.envelope_id });
}

/** @param approval what is asked of a person; the time until the answer is not the question's */
async function waitForPerson(work: Work, question: Question, approval: string): Promise<void> {
  const { ctx } = work;
  await ctx.cancelAlarm(question.alarm);
  question.left_ms = Math.max(1, question.left_ms - (ctx.now() - question.since));
  question.alarm = await ctx.alarm(APPROVAL_WAIT_MS, { deadline: question.envelope_id });
  question.waits = { kind: "approval", id: approval };
}

/** A person has answered: the same call or model call is tried again, or the model is told that it was denied. */
export async function decided(work: Work, approval: string, isApproved: boolean): Promise<void> {
  const { ctx } = work;
  const { question } = ctx.state;
  if (question?.waits?.kind !== "approval" || question.waits.id !== approval) return;
  await ctx.cancelAlarm(question.alarm);
  question.waits = null;
  question.since = ctx.now();
  question.alarm = await ctx.alarm(question.left_ms, { deadline: question.envelope_id });
  if (isApproved) return;
  if (question.calls.length > 0) {
    return endCall(work, question, "Error: a person was asked and has said no.");
  }
  await finish(work, "I was not allowed to ask the model: a person has said no.");
}

const answerSchema = z.object({
  output: z.object({
    text: z.string(),
    tool_calls: z.array(z.looseObject({
      id: z.string().default(""),
      function: z.looseObject({ name: z.string(), arguments: z.string() }),
    })).nullish(),
    finish_reason: z.string(),
  }),
});
type Answer = z.infer<typeof answerSchema>["output"];

/** A model call has ended; of one that nobody waits for any more, nothing is taken. */
export async function jobEnded(work: Work, id: string): Promise<void> {
  const { ctx } = work;
  const { question } = ctx.state;
  if (question?.waits?.kind !== "job" || question.waits.id !== id) return;
  question.waits = null;
  let job: Job;
  let result: unknown;
  try {
    job = await ctx.env.readJson<Job>(`/compute/jobs/${id}/status`);
    if (job.status === "complete") result = await ctx.env.readJson(`/compute/jobs/${id}/result`);
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
    // It ended so long ago, in a pause, that it is not kept any more.
    return await again(work, question, "what the model said is not kept any more", null);
  }
  if (job.status === "complete") {
    const { data } = answerSchema.safeParse(result);
    if (data) return await take(work, question, data.output);
    return await finish(work, "The model answered something that is no chat message.");
  }
  if (job.status === "cancelled") {
    return await finish(work, "Stopped: the model call was cancelled.");
  }
  await failed(work, question, job.error ?? { code: "internal", message: "nobody knows why" });
}

async function failed(
  work: Work,
  question: Question,
  error: { readonly code: FileError["code"]; readonly message: string },
): Promise<void> {
  const { state } = work.ctx;
  if (error.code === "interrupted") return await again(work, question, error.message, null);
  if (!state.plain && refusesTools(error)) {
    state.plain = { model: question.model, told: false };
    question.system = plainSystemOf(work.ctx, work.config);
    return;
  }
  await finish(work, reasonOf(error));
}

/** Servers have no code for it: their words are all there is. */
function refusesTools({ code, message }: { readonly code: string; readonly message: string }) {
  return ["invalid_request", "not_supported", "not_found", "provider_unavailable"].includes(code) &&
    /\btool/i.test(message);
}

/** The calls that the model wants are next; without any, what it says is the answer. */
async function take(work: Work, question: Question, answer: Answer): Promise<void> {
  const { state } = work.ctx;
  const { text, finish_reason } = answer;
  question.repeats = 0;
  const wanted = state.plain ? [] : answer.tool_calls ?? [];
  if (wanted.length === 0) {
    const end = finish_reason === "length"
      ? "\n[The model's answer was cut off at its limit.]"
      : "";
    return await finish(work, text.trim() === "" ? "(The model said nothing.)" : text + end);
  }
  const calls = wanted.map((call, i) => ({
    ...call,
    id: call.id === "" ? `call_${question.steps}_${i}` : call.id,
    type: "function" as const,
  }));
  const most = work.config.max_conversation_bytes / 4;
  const turn = state.turns.at(-1)!;
  const content = text === "" ? null : text;
  turn.push(kept({ role: "assistant", content, tool_calls: calls.slice(0, MAX_CALLS) }, most));
  question.calls = calls.slice(0, MAX_CALLS).map((call) =>
    call.function.arguments.length <= MAX_ARGUMENTS_CHARS
      ? call
      : { ...call, function: { ...call.function, arguments: "(too long)" } }
  );
  if (calls.length > MAX_CALLS) {
    const said = `Only the first ${MAX_CALLS} of your ${calls.length} calls are done at once.`;
    question.system += `\n\n(${said})`;
  }
}

/** The time is over, for the model or for a person. */
export async function tooLate(work: Work, envelopeId: string): Promise<void> {
  const { ctx, config } = work;
  const { question } = ctx.state;
  if (question?.envelope_id !== envelopeId) return;
  if (question.waits?.kind === "approval") {
    return await finish(work, "I stopped: nobody has said whether I may go on.");
  }
  if (question.waits?.kind === "job") await cancel(ctx, question.waits.id);
  const seconds = Math.ceil(config.max_answer_ms / 1000);
  await finish(work, `I stopped: there was no answer within ${seconds} s (max_answer_ms).`);
}

async function cancel({ env, signal, log }: AgentContext, job: string): Promise<void> {
  try {
    await env.write(`/compute/jobs/${job}/ctl`, "cancel");
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn("the model call goes on:", error);
  }
}

/** The answer, or why there is none, for the user and for the rest of the conversation. */
export async function finish(
  work: Pick<Work, "ctx"> & { readonly config?: Config },
  text: string,
): Promise<void> {
  const { ctx, config } = work;
  const { state } = ctx;
  const question = state.question!;
  // A call without its result would be refused by the model's server from then on.
  const turn = state.turns.at(-1)!;
  for (const { id } of question.calls) {
    turn.push({ role: "tool", tool_call_id: id, content: "Error: not done." });
  }
  await ctx.cancelAlarm(question.alarm);
  state.question = null;
  if (config) {
    turn.push(kept({ role: "assistant", content: text }, config.max_conversation_bytes / 2));
    trim(state, config.max_conversation_bytes);
  } else turn.push({ role: "assistant", content: text });
  const isNews = state.plain !== null && !state.plain.told;
  if (state.plain) state.plain.told = true;
  const note = isNews ? `\n\n${noToolsNote(question.model)}` : "";
  await reply(ctx, text + note, question.envelope_id);
}

/** To whoever sent that envelope. */
async function reply(ctx: AgentContext, text: string, to: string): Promise<void> {
  const { text: sent, isCut } = cutText(text, MAX_REPLY_BYTES);
  try {
    await ctx.reply(isCut ? `${sent}\n[cut]` : sent, { to });
  } catch (error) {
    // A copy of an agent has its memory and none of its senders.
    if (codeOf(error) !== "not_found") throw error;
    ctx.log.warn("nobody waits for this answer any more", to);
  }
}

function approvalIn(error: unknown): string | undefined {
  const id = (error as Partial<FileError>).extra?.approval_id;
  return codeOf(error) === "approval_required" && typeof id === "string" ? id : undefined;
}
