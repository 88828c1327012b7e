/** A person's yes over a storage that dies: what waits for it waits on, goes on once it is given, and passes once. */
import type { Approval } from "../../../src/core/approval.ts";
import type { Json } from "../../../src/core/envelope.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { holds, same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import { SHOP } from "../../ticks/shop.ts";
import { checkNothingLeft } from "../counting.ts";
import type { Workload } from "../workload.ts";

const PRICE = 60;

export default (): Workload => ({
  name: "approval",
  agents: () => ({
    one: agent(async (ctx, trigger) => {
      if (trigger.type !== "message") return;
      const item = said(trigger);
      let got: Json = "heard";
      if (item.startsWith("dear")) {
        try {
          await ctx.env.call(`${SHOP}/buy`, { item, price: PRICE });
          got = "bought";
        } catch (error) {
          got = codeOf(error);
          // It does not look whether it may, and fails.
          if (got !== "interrupted") throw error;
        }
      }
      ctx.state.got = [...ctx.state.got ?? [], [item, got]];
    }),
  }),
  steps: [
    (s) =>
      s.create("one", {
        limits: { retry_ms: [1_000, 1_000] },
        budgets: {
          [SHOP]: {
            per_day_micro_usd: 10 * PRICE,
            approval_threshold_micro_usd: PRICE - 1,
            approvers: [],
          },
        },
      }),
    (s) => s.at("one", "ann").send("dear 1", { id: "dear-1" }),
    (s) => s.at("one", "ann").send("behind", { id: "behind" }),
    (s) => s.at("one", "bob").send("dear 2", { id: "dear-2" }),
    (s) => s.quiet(),
    yes,
    (s) => s.quiet(),
  ],
  async check(s, subject) {
    const { shop } = subject;
    const { got } = await s.at("one").state() as { got: [string, string][] };
    const items = got.map(([item]) => item);
    same([...items].sort(), ["behind", "dear 1", "dear 2"], "messages, each once");
    holds(items.indexOf("dear 1") < items.indexOf("behind"), "one sender's messages, in order");
    for (const item of ["dear 1", "dear 2"]) {
      const bought = shop.asked.filter((asked) => asked === item).length;
      const told = got.find(([of]) => of === item)![1];
      holds(bought === 1 || bought === 0 && told === "interrupted", `how often ${item} was bought`);
    }
    same(await pending(s), [], "questions that wait");
    same((await s.at("one").letters()).length, 0, "dead letters");
    await checkNothingLeft(s, subject);
  },
});

async function pending(s: Scene): Promise<Approval[]> {
  return await s.at("one").json<Approval[]>("/approvals/open");
}

/** What has been answered in an earlier life is answered. */
async function yes(s: Scene): Promise<void> {
  for (const { id } of await pending(s)) await s.at("one").write(`/approvals/${id}`, "approve");
}
