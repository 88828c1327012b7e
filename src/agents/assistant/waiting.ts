/** What a question waits for: a person's yes, the next tick; and what becomes of it when the time is over. */
import { APPROVAL_TTL_MS } from "../../core/approval.ts";
import { cancel } from "../common/files.ts";
import { mayRepeat, waitForAbsent, waitForTick } from "../common/waiting.ts";
import type { Question } from "./memory.ts";
import { endCall, finish, type Work } from "./replying.ts";

/** A question to a person has run out by then. */
const APPROVAL_WAIT_MS = APPROVAL_TTL_MS + 60_000;

/** Nobody knows how the last model call ended: the same is asked for once more, at once. */
export async function again(work: Work, question: Question, why: string): Promise<void> {
  if (mayRepeat(question)) return;
  await finish(work, `My model calls were cut off again and again: ${why}`);
}

/** The same in the next tick, as this one has begun a model call that it does not know any more. That one counts as a step. */
export async function againNextTick(work: Work, question: Question, why: string): Promise<void> {
  await again(work, question, why);
  if (work.ctx.state.question !== question) return;
  question.steps++;
  await waitForTick(work.ctx, question, 0);
}

/** Asks for the same a little later; after some tries, this is why there is no answer. */
export async function later(work: Work, question: Question, why: string): Promise<void> {
  if (!await waitForAbsent(work.ctx, question)) await finish(work, why);
}

/** @param approval what is asked of a person; the time until the answer is not the question's */
export async function waitForPerson(
  work: Work,
  question: Question,
  approval: string,
): Promise<void> {
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

/** The time is over, for the model or for a person. */
export async function tooLate(work: Work, envelopeId: string): Promise<void> {
  const { ctx, config } = work;
  const { question } = ctx.state;
  if (question?.envelope_id !== envelopeId) return;
  if (question.waits?.kind === "approval") {
    return await finish(work, "I stopped: nobody has said whether I may go on.");
  }
  if (question.waits?.kind === "job") {
    await cancel(ctx, `/compute/jobs/${question.waits.id}/ctl`, "cancel");
  }
  const seconds = Math.ceil(config.max_answer_ms / 1000);
  await finish(work, `I stopped: there was no answer within ${seconds} s (max_answer_ms).`);
}
