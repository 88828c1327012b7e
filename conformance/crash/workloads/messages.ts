/** Messages between agents over a storage that dies. */
import { same } from "../../expect.ts";
import { agent, said } from "../../ticks/scene.ts";
import { checkNothingLeft, heardBy } from "../counting.ts";
import type { Workload } from "../workload.ts";

/** Messages between agents: to one that is full, to nobody, to itself, and answers to them. */
export default (): Workload => ({
  name: "messages",
  agents: () => ({
    ann: agent(async (ctx, trigger) => {
      if (trigger.type === "event") ctx.state.lost = [...ctx.state.lost ?? [], trigger.event];
      if (trigger.type !== "message") return;
      ctx.state.heard = [...ctx.state.heard ?? [], `${trigger.from} ${trigger.text}`];
      if (trigger.from.startsWith("http:")) {
        for (const n of [1, 2]) await ctx.send("full", `${trigger.text} ${n}`);
        await ctx.send("nobody", trigger.text);
        await ctx.send("ann", trigger.text);
      }
    }),
    full: agent(async (ctx, trigger) => {
      ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
      await ctx.reply(`thanks for ${said(trigger)}`);
    }),
  }),
  steps: [
    (s) => s.create("full"),
    (s) => s.at("full").overflow({ max_depth: 1 }),
    (s) => s.at("full").control("pause"),
    (s) => s.create("ann"),
    (s) => s.at("ann", "me").send("a", { id: "a" }),
    (s) => s.at("ann", "me").send("b", { id: "b" }),
    (s) => s.advance(2_500),
    (s) => s.at("full").control("resume"),
  ],
  async check(s, subject) {
    const sent = ["a 1", "a 2", "b 1", "b 2"];
    same(await heardBy(s, "full"), sent, "what the full one heard, each once and in order");
    const { heard, lost } = await s.at("ann").state() as { heard: string[]; lost: string[] };
    same(lost, ["undeliverable", "undeliverable"], "what could not arrive");
    const from = (who: string) => heard.filter((text) => text.startsWith(who));
    same(from("http:me"), ["http:me a", "http:me b"], "heard from outside");
    same(from("ann"), ["ann a", "ann b"], "heard from itself");
    same(
      from("full"),
      sent.map((text) => `full thanks for ${text}`),
      "answers, each once and in order",
    );
    await checkNothingLeft(s, subject);
  },
});
