/** Keeps a list: "remember milk" adds to it, "forget milk" takes away, anything else tells it. */
import { z } from "zod";
import type { Agent } from "./agentd.d.ts";

export default {
  name: "list",
  version: 1,
  state: z.object({ items: z.array(z.string()).default([]) }),

  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    const [word, ...rest] = trigger.text.trim().split(/\s+/);
    const item = rest.join(" ");
    if (word === "remember" && item) ctx.state.items.push(item);
    if (word === "forget") ctx.state.items = ctx.state.items.filter((one) => one !== item);
    const { items } = ctx.state;
    await ctx.reply(`${items.length} item${items.length === 1 ? "" : "s"}: ${items.join(", ")}`);
  },
} satisfies Agent<{ items: string[] }>;
