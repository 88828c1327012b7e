/**
 * An agent that needs no code: a loop of model calls whose only tools are its own files. So what it may do is its mount table, and what it may spend
 * is its budget. It answers one message after the other, keeps the conversation in its state, and stops where its config says.
 */
import { codeOf } from "../fs/error.ts";
import type { Agent, AgentContext, Outcome } from "../core/agent.ts";
import type { Backend } from "../core/backend.ts";
import type { Trigger } from "../core/trigger.ts";
import { fieldsOf } from "./common/files.ts";
import { goOn } from "./common/waiting.ts";
import { type Config, configOf } from "./assistant/config.ts";
import { type Memory, memorySchema } from "./assistant/memory.ts";
import { jobEnded, lookAgain } from "./assistant/answering.ts";
import { finish, type Work } from "./assistant/replying.ts";
import { think } from "./assistant/thinking.ts";
import { decided, tooLate } from "./assistant/waiting.ts";

/** Messages that wait while it is at another one. */
const MAX_WAITING = 50;
const MAX_WAITING_CHARS = 512 * 1024;

/** @param timer bounds its waits for files */
export function assistant(timer: Backend["timer"]): Agent<Memory> & { readonly about: string } {
  return {
    name: "assistant",
    about: "Answers by a model, with its own files as the model's tools.",
    state: memorySchema,
    onCreate(ctx) {
      configOf(ctx.agent.config);
    },
    async onTrigger(ctx, trigger) {
      let config: Config;
      try {
        config = configOf(ctx.agent.config);
      } catch (error) {
        return await refuseAll(ctx, trigger, (error as Error).message);
      }
      return await onTrigger({ ctx, config, timer }, trigger);
    },
  };
}

async function onTrigger(work: Work, trigger: Trigger): Promise<Outcome> {
  const { ctx } = work;
  switch (trigger.type) {
    case "message":
      return await onMessage(work, trigger);
    case "event": {
      const { job_id, approval_id, state } = fieldsOf(trigger.data);
      if (typeof job_id === "string") await jobEnded(work, job_id);
      else if (typeof approval_id === "string") {
        await decided(work, approval_id, state === "approved");
      }
      break;
    }
    case "alarm": {
      const { deadline, go_on } = fieldsOf(trigger.payload);
      if (typeof deadline === "string") await tooLate(work, deadline);
      else if (go_on === ctx.state.question?.envelope_id) goOn(ctx.state.question);
      break;
    }
    case "manual":
      await lookAgain(work);
  }
  await think(work);
}

async function onMessage(
  work: Work,
  trigger: Trigger & { readonly type: "message" },
): Promise<Outcome> {
  const { ctx } = work;
  const { state } = ctx;
  const { envelope_id, source } = trigger.meta;
  // Or two assistants would talk for ever.
  if (source.kind === "agent" && trigger.parent_id !== undefined) return;
  if (trigger.payload.kind === "binary") return await ctx.reply("I read text and JSON alone.");
  const text = source.kind === "http" ? trigger.text : `[from ${trigger.from}]\n${trigger.text}`;
  const chars = state.waiting.reduce((sum, { text }) => sum + text.length, text.length);
  if (
    state.waiting.length >= MAX_WAITING || (state.waiting.length > 0 && chars > MAX_WAITING_CHARS)
  ) {
    return await ctx.reply("Too many messages wait for me already. Send it again later.");
  }
  state.waiting.push({ envelope_id, text });
  await lookAgain(work);
  await think(work);
  return { pending: isOpen(state, envelope_id) };
}

/** Is it still to be answered? */
function isOpen({ question, waiting }: Memory, envelopeId: string): boolean {
  return question?.envelope_id === envelopeId ||
    waiting.some(({ envelope_id }) => envelope_id === envelopeId);
}

/** Its config was changed to one that is none: everybody who waits is told. */
async function refuseAll(
  ctx: AgentContext<Memory>,
  trigger: Trigger,
  why: string,
): Promise<void> {
  if (ctx.state.question) await finish({ ctx }, why);
  for (const { envelope_id } of ctx.state.waiting.splice(0)) {
    await ctx.reply(why, { to: envelope_id }).catch((error) => {
      if (codeOf(error) !== "not_found") throw error;
    });
  }
  if (trigger.type === "message") await ctx.reply(why);
}
