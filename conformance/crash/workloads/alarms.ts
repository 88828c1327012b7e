/** Alarms over a storage that dies: once, at the same time, cancelled, by a cron expression, and out of one another. */
import type { AgentContext } from "../../../src/core/agent.ts";
import type { Trigger } from "../../../src/core/trigger.ts";
import { same } from "../../expect.ts";
import { agent, said } from "../../ticks/scene.ts";
import type { Workload } from "../workload.ts";

/** A cron alarm rings so often before the agent ends it. */
const MINUTES = 2;

async function ringing(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type === "alarm") {
    const what = String(trigger.payload);
    ctx.state.rang = [...ctx.state.rang ?? [], what];
    if (what === "first") await ctx.alarm(700, "out of first");
    if (what === "minute") {
      ctx.state.minutes = (ctx.state.minutes ?? 0) + 1;
      if (ctx.state.minutes === MINUTES) await ctx.cancelAlarm(trigger.alarm_id);
    }
    return;
  }
  if (said(trigger) === "set") {
    await ctx.alarm(500, "first");
    await ctx.alarm(1_000, "second");
    await ctx.alarm(1_000, "third");
    ctx.state.cancel = await ctx.alarm(90_000, "never");
    await ctx.cron("* * * * *", "minute");
  } else ctx.state.cancelled = await ctx.cancelAlarm(ctx.state.cancel);
}

export default (): Workload => ({
  name: "alarm",
  agents: () => ({ one: agent(ringing) }),
  steps: [
    (s) => s.create("one", { limits: { retry_ms: [0, 0], idle_ms: 300 } }),
    (s) => s.at("one").send("set", { id: "set" }),
    (s) => s.advance(600),
    (s) => s.at("one").send("cancel", { id: "cancel" }),
    (s) => s.advance(600),
    (s) => s.advance(70_000),
  ],
  async check(s) {
    const { rang, cancelled } = await s.at("one").state() as {
      rang: string[];
      cancelled: boolean;
    };
    same(
      [...rang].sort(),
      ["first", "minute", "minute", "out of first", "second", "third"],
      "what rang",
    );
    same(cancelled, true, "the alarm that was cancelled");
  },
});
