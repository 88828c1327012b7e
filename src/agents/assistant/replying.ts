/** How a question ends: its answer goes to whoever asked, and stays in the conversation. */
import type { AgentContext } from "../../core/agent.ts";
import type { Backend } from "../../core/backend.ts";
import { reply } from "../common/reply.ts";
import type { Config } from "./config.ts";
import { kept, trim } from "./conversation.ts";
import type { Memory, Question } from "./memory.ts";
import { noToolsNote } from "./words.ts";

export interface Work {
  readonly ctx: AgentContext<Memory>;
  readonly config: Config;
  readonly timer: Backend["timer"];
}

/** The first of the calls is done, and this came of it. */
export function endCall({ ctx }: Work, question: Question, content: string): void {
  const call = question.calls.shift()!;
  ctx.state.turns.at(-1)!.push({ role: "tool", tool_call_id: call.id, content });
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
  const { plain } = state;
  const note = plain && !plain.told ? `\n\n${noToolsNote(plain.model)}` : "";
  if (plain) plain.told = true;
  await reply(ctx, text + note, question.envelope_id);
}
