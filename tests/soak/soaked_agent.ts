/** The agent that is killed over and over, as the module that its process runs. Each of its ticks counts one thing, under a name of that thing's own, and itself. */

/** A thing that a tick counts, by the message, the alarm or the job: the first part of its name in KV. */
export const THINGS = ["heard", "got", "rang", "ended"] as const;
export type Thing = typeof THINGS[number];

/** What a message asks for. */
export type Deed =
  | { readonly does: "note" }
  | { readonly does: "alarm"; readonly ms: number }
  | { readonly does: "send"; readonly to: string }
  | { readonly does: "buy" };

/**
 * So `state.ticks` is how many ticks have committed, and a name that is there was counted at least once: where there are as many names as ticks, each was
 * counted exactly once.
 */
export const SOURCE = `
async function count(ctx, thing, id) {
  ctx.state.ticks = (ctx.state.ticks ?? 0) + 1;
  const name = thing + "." + id;
  await ctx.kv.set(name, ((await ctx.kv.get(name)) ?? 0) + 1);
}

async function buy(ctx, id, prompt) {
  const input = { messages: [{ role: "user", content: prompt }], max_tokens: 10 };
  try {
    const { job_id } = await ctx.env.call("/compute/new", { model: "talks", kind: "chat", input });
    await ctx.kv.set("job." + id, job_id);
  } catch (error) {
    if (error.code !== "budget_exceeded") throw error;
    await ctx.kv.set("refused." + id, 1);
  }
}

export default {
  name: "soaked",
  async onTrigger(ctx, trigger) {
    if (trigger.type === "alarm") return await count(ctx, "rang", trigger.payload);
    if (trigger.type === "event") return await count(ctx, "ended", trigger.data.job_id ?? "nothing");
    if (trigger.type !== "message") return;
    const { id, does, ms, to } = trigger.payload.data;
    if (does === "pass") return await count(ctx, "got", id);
    await count(ctx, "heard", id);
    if (does === "alarm") await ctx.alarm(ms, id);
    if (does === "send") await ctx.send(to, { id, does: "pass" });
    if (does === "buy") await buy(ctx, id, ctx.agent.id + " " + id);
  },
};
`;
