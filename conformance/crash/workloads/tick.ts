/** Ticks and lives over a storage that dies. */
import type { AgentId } from "../../../src/core/id.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent, type Scene } from "../../ticks/scene.ts";
import {
  checkCounts,
  checkNothingLeft,
  counting,
  heardBy,
  inOrder,
  remembering,
} from "../counting.ts";
import type { Workload } from "../workload.ts";

/** Ticks: every kind of effect, failures, dead letters, sleep, a full inbox, lives that begin and end. */
export default (): Workload => ({
  name: "tick",
  agents: () => ({
    one: agent(counting, {
      onWake: (ctx) => void (ctx.state.wakes = (ctx.state.wakes ?? 0) + 1),
      onSleep: (ctx) => ctx.kv.set("slept", true),
    }),
    two: remembering,
    drops: remembering,
    gone: agent(async (ctx) => {
      await ctx.kv.set("ticked", true);
      await ctx.alarm(1_000, "nobody hears it");
    }, { onCreate: (ctx) => ctx.kv.set("made", true) }),
  }),
  steps: [
    (s) => s.create("two"),
    (s) => s.create("one", { limits: { retry_ms: [1_000, 1_000] } }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) => s.at("one", "ann").send("fails once", { id: "once" }),
    (s) => s.at("one", "bob").send("fails", { id: "fails" }),
    (s) => s.at("one", "ann").send("b", { id: "b" }),
    (s) => s.advance(1_000),
    (s) => s.at("one").control("hibernate"),
    (s) => s.at("one").send("c", { id: "c" }),
    (s) => s.at("one").tick(),
    (s) => s.create("drops"),
    (s) => s.at("drops").overflow({ max_depth: 2, policy: "drop_oldest" }),
    (s) => s.at("drops").control("pause"),
    ...["1", "2", "3"].map((text) => (s: Scene) =>
      s.at("drops").send(text, { id: `drop-${text}` })
    ),
    (s) => s.create("gone"),
    (s) => s.at("gone").send("farewell", { id: "farewell" }),
    async (s) => {
      try {
        await s.delete("gone");
      } catch (error) {
        if (codeOf(error) !== "not_found") throw error;
      }
    },
  ],
  aside: ["drop-1"],
  async check(s, subject) {
    await checkCounts(s, ["a", "fails once", "b", "c"]);
    const one = s.at("one");
    inOrder(await heardBy(s, "one"), ["a", "fails once", "b"]);
    same((await one.letters()).map(({ id, tries }) => [id, tries]), [["fails", 3]], "dead letters");
    await s.at("drops").control("resume");
    same(await heardBy(s, "drops"), ["2", "3"], "what a full inbox kept");
    const agents = (await s.answer(() => s.runtime.list({}))).map(({ id }) => id);
    same(agents, ["drops", "one", "two"] as AgentId[], "agents");
    const owners = await subject.backend.owners({ limit: 100 });
    same(owners.includes("gone"), false, "rows are left of the one that has ended");
    await checkNothingLeft(s, subject);
  },
});
