/** An answer to an envelope of before. */
import { codeOf } from "../../fs/error.ts";
import type { AgentContext } from "../../core/agent.ts";
import { cutText } from "./text.ts";

/** A reply has to fit into an envelope. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024;

/** To whoever sent that envelope. */
export async function reply(ctx: AgentContext, text: string, to: string): Promise<void> {
  const { text: sent, isCut } = cutText(text, MAX_REPLY_BYTES);
  try {
    await ctx.reply(isCut ? `${sent}\n[cut]` : sent, { to });
  } catch (error) {
    // A copy of an agent has its memory and none of its senders.
    if (codeOf(error) !== "not_found") throw error;
    ctx.log.warn("nobody waits for this answer any more", to);
  }
}
