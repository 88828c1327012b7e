/** What comes of a model call: calls that the model wants done, its answer, or a failure. */
import { z } from "zod";
import type { Failure } from "../../core/agent.ts";
import type { Approval } from "../../core/approval.ts";
import type { Job } from "../../core/outside.ts";
import { found } from "../common/files.ts";
import { goOn } from "../common/waiting.ts";
import { kept } from "./conversation.ts";
import type { Question } from "./memory.ts";
import { finish, type Work } from "./replying.ts";
import { again, decided } from "./waiting.ts";
import { plainSystemOf, reasonOf } from "./words.ts";

/** Calls that a model gets done at once. */
const MAX_CALLS = 16;
/** Arguments of one call; more is no message to a file but a mistake. */
const MAX_ARGUMENTS_CHARS = 256 * 1024;

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

/**
 * Looks whether what is waited for has come without a word of it: what tells of it may lie in the dead letters, and a copy of an agent waits for
 * what only the original has begun.
 */
export async function lookAgain(work: Work): Promise<void> {
  const { ctx } = work;
  const waits = ctx.state.question?.waits;
  if (waits?.kind === "job") {
    const job = await found<Job>(ctx, `/compute/jobs/${waits.id}/status`);
    if (!job || job.ended_at !== null) await jobEnded(work, waits.id);
  } else if (waits?.kind === "approval") {
    const approval = await found<Approval>(ctx, `/approvals/${waits.id}`);
    // Asked again, it says itself what has become of it.
    if (approval?.state !== "pending") await decided(work, waits.id, true);
  } else if (waits && waits.due <= ctx.now()) goOn(ctx.state.question);
}

/** A model call has ended; of one that nobody waits for any more, nothing is taken. */
export async function jobEnded(work: Work, id: string): Promise<void> {
  const { ctx } = work;
  const { question } = ctx.state;
  if (question?.waits?.kind !== "job" || question.waits.id !== id) return;
  question.waits = null;
  const job = await found<Job>(ctx, `/compute/jobs/${id}/status`);
  // It ended so long ago, in a pause, that it is not kept any more; or it is another agent's.
  if (!job) return await again(work, question, "what the model said is not here any more");
  if (job.status === "complete") {
    const result = await found(ctx, `/compute/jobs/${id}/result`);
    const { data } = answerSchema.safeParse(result);
    if (data) return await take(work, question, data.output);
    return await finish(work, "The model answered something that is no chat message.");
  }
  if (job.status === "cancelled") {
    return await finish(work, "Stopped: the model call was cancelled.");
  }
  await failed(work, question, job.error ?? { code: "internal", message: "nobody knows why" });
}

async function failed(work: Work, question: Question, error: Failure): Promise<void> {
  const { state } = work.ctx;
  if (error.code === "interrupted") return await again(work, question, error.message);
  if (!state.plain && refusesTools(error)) {
    state.plain = { model: question.model!, told: false };
    question.system = plainSystemOf(work.ctx, work.config);
    return;
  }
  await finish(work, reasonOf(error));
}

/** Servers have no code for it: their words are all there is. */
function refusesTools({ code, message }: Failure): boolean {
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
