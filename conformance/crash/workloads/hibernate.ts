/** Sleep over a storage that dies: by a word, by the agent's own wish, by idleness, with a state that is large, and waking for a message and an alarm. */
import { holds, same } from "../../expect.ts";
import { agent, said } from "../../ticks/scene.ts";
import type { Workload } from "../workload.ts";

/** So much that the state stands in chunks. */
const LARGE = "dream ".repeat(30_000);

export default (): Workload => ({
  name: "hibernate",
  agents: () => ({
    one: agent(async (ctx, trigger) => {
      const text = said(trigger);
      ctx.state.heard = [...ctx.state.heard ?? [], text];
      ctx.state.large = LARGE + text;
      if (text === "sleep") await ctx.alarm(1_000, "wake");
      return { should_hibernate: text === "sleep" };
    }, {
      onWake: (ctx) => void (ctx.state.wakes = (ctx.state.wakes ?? 0) + 1),
      onSleep: async (ctx) => {
        ctx.state.sleeps = (ctx.state.sleeps ?? 0) + 1;
        await ctx.kv.set("sleeps", ctx.state.sleeps);
      },
    }),
  }),
  steps: [
    (s) => s.create("one", { limits: { idle_ms: 400, retry_ms: [0, 0] } }),
    (s) => s.at("one").send("a", { id: "a" }),
    (s) => s.at("one").control("hibernate"),
    (s) => s.at("one").send("sleep", { id: "sleep" }),
    (s) => s.advance(1_200),
    (s) => s.at("one").control("wake"),
    (s) => s.advance(500),
    (s) => s.at("one").send("b", { id: "b" }),
    (s) => s.at("one").control("hibernate"),
  ],
  async check(s) {
    const { heard, large, wakes, sleeps = 0 } = await s.at("one").state() as {
      heard: string[];
      large: string;
      wakes: number;
      sleeps?: number;
    };
    same([...heard].sort(), ["a", 'alarm "wake"', "b", "sleep"], "what was heard");
    same(large, LARGE + heard.at(-1), "the large part of the state");
    holds(wakes >= 1, "it woke");
    if (sleeps > 0) same(await s.at("one").json("/kv/sleeps"), sleeps, "how often it slept");
  },
});
