/**
 * Counts, so that what is lost or taken twice can be seen: `count` is exactly the number of distinct messages that it ticked.
 *
 * - Any message: replies with the count, as text.
 * - `alarm 500` or `{ "alarm": 500 }`: the same, and sets an alarm in so many milliseconds; when it fires, `alarms` goes up and an event `alarm { count, alarms }` is broadcast.
 * - `later 500` or `{ "later": 500 }`: counts, but replies (with the count that then stands) when the alarm fires.
 */
import { z } from "zod";
import type { Agent } from "../core/agent.ts";
import type { Payload } from "../core/envelope.ts";

const state = z.object({
  /** Messages. */
  count: z.number().int().nonnegative().default(0),
  /** Alarms that fired. */
  alarms: z.number().int().nonnegative().default(0),
});

/** About thirty years; a date far beyond it has no ISO form. */
const MAX_DELAY_MS = 1e12;

interface Command {
  readonly word: "alarm" | "later";
  readonly delayMs: number;
}

export const counter: Agent<z.infer<typeof state>> & { readonly about: string } = {
  name: "counter",
  about: 'Counts its messages and replies with the count; "alarm 500" sets an alarm in 500 ms.',
  state,
  async onTrigger(ctx, trigger) {
    if (trigger.type === "alarm") {
      ctx.state.alarms++;
      const { count, alarms } = ctx.state;
      await ctx.broadcast("alarm", { count, alarms });
      if (typeof trigger.payload === "string") {
        await ctx.reply(`${count}`, { to: trigger.payload });
      }
    }
    if (trigger.type !== "message") return;
    ctx.state.count++;
    const command = commandOf(trigger.payload);
    if (command?.word === "later") {
      await ctx.alarm(command.delayMs, trigger.meta.envelope_id);
      return { pending: true };
    }
    if (command) await ctx.alarm(command.delayMs);
    // A reply of another agent is counted and not answered, or two counters would go on for ever.
    if (trigger.meta.source.kind === "agent" && trigger.parent_id !== undefined) return;
    await ctx.reply(`${ctx.state.count}`);
  },
};

/** Undefined for any other message. */
function commandOf(payload: Payload): Command | undefined {
  if (payload.kind === "text") {
    const [, word, ms] = /^(alarm|later) (\d{1,12})$/.exec(payload.text.trim()) ?? [];
    return word === undefined ? undefined : asCommand(word, Number(ms));
  }
  if (payload.kind !== "json" && payload.kind !== "agent_message") return undefined;
  const { data } = payload;
  if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined;
  for (const word of ["alarm", "later"]) {
    if (Object.hasOwn(data, word)) return asCommand(word, data[word]);
  }
}

function asCommand(word: string, delayMs: unknown): Command | undefined {
  if (word !== "alarm" && word !== "later") return undefined;
  return typeof delayMs === "number" && Number.isFinite(delayMs) && delayMs >= 0
    ? { word, delayMs: Math.min(delayMs, MAX_DELAY_MS) }
    : undefined;
}
