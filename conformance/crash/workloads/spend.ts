/** Things bought over a storage that dies: nothing above the limit, nothing twice, every reservation ended once. */
import type { AgentContext } from "../../../src/core/agent.ts";
import type { Reservation, UsageReport } from "../../../src/core/budget.ts";
import type { Json } from "../../../src/core/envelope.ts";
import type { EnvelopeId } from "../../../src/core/id.ts";
import type { Job } from "../../../src/core/outside.ts";
import type { Trigger } from "../../../src/core/trigger.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { holds, same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import { SHOP } from "../../ticks/shop.ts";
import { checkNothingLeft } from "../counting.ts";
import type { Workload } from "../workload.ts";

const LIMIT = 100;
const PRICE = 10;
/** What a crash cut off stays to be resolved by people. */
const UNKNOWN = "open/journal/";

/** Buys at once and by a job, and remembers what it got and what it heard. */
async function buying(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type === "event") {
    ctx.state.heard = [...ctx.state.heard ?? [], (trigger.data as { job_id: string }).job_id];
    return;
  }
  const item = said(trigger);
  let got: Json;
  try {
    await ctx.env.call(`${SHOP}/buy`, { item: `${item} now`, price: PRICE, cost: 7 });
    got = "bought";
  } catch (error) {
    got = codeOf(error);
    if (got !== "interrupted") throw error;
  }
  const { job_id } = await ctx.env.call<{ job_id: string }>(`${SHOP}/new`, {
    item: `${item} later`,
    price: PRICE,
    cost: 3,
  });
  ctx.state.got = [...ctx.state.got ?? [], [item, got, job_id]];
}

export default (): Workload => ({
  name: "spend",
  agents: () => ({ one: agent(buying) }),
  steps: [
    (s) =>
      s.create("one", {
        limits: { retry_ms: [1_000, 1_000] },
        budgets: { [SHOP]: { per_day_micro_usd: LIMIT, approvers: [] } },
      }),
    (s) => s.at("one").send("a", { id: "a" }),
    (s) => keyed(s, "new"),
    (s) => s.at("one").send("b", { id: "b" }),
    (s) => keyed(s, "buy"),
  ],
  async check(s, subject) {
    const { shop } = subject;
    const one = s.at("one");
    const { got, heard = [] } = await one.state() as {
      got: [string, Json, string][];
      heard?: string[];
    };
    same(got.map(([item]) => item), ["a", "b"], "messages, each once");
    for (const item of new Set(shop.asked)) {
      same(shop.asked.filter((asked) => asked === item).length, 1, `how often ${item} was bought`);
    }
    for (const [item, answer] of got) {
      holds(
        answer !== "bought" || shop.asked.includes(`${item} now`),
        "what was told as bought was bought",
      );
    }
    const jobs = await jobsOf(s);
    same(jobs.length, 3, "jobs");
    same(
      [...heard].sort(),
      jobs.map(({ job_id }) => job_id).sort(),
      "ends of jobs, each heard once",
    );
    for (const { status, error } of jobs) {
      holds(status === "complete" || error?.code === "interrupted", "how jobs end");
    }
    const lines = (await one.read("/budget/ledger")).split("\n")
      .filter((line) => line !== "").map((line): Reservation => JSON.parse(line));
    holds(lines.every(({ state }) => state !== "reserved"), "every reservation has ended");
    const spent = lines.reduce((sum, { actual_micro_usd }) => sum + (actual_micro_usd ?? 0), 0);
    const { day } = await one.json<UsageReport>(`${SHOP}/usage`);
    same([day.spent_micro_usd, day.reserved_micro_usd], [spent, 0], "the ledger's sum");
    holds(spent <= LIMIT, "the limit");
    holds(lines.length >= shop.asked.length, "nothing was bought that no line pays for");
    for (const id of ["a", "b"]) await one.wait(id as EnvelopeId);
    await checkNothingLeft(s, subject);
    const rows = await subject.backend.storage("one").list({ prefix: "" });
    const left = rows.map(({ key }) => key).filter((key) =>
      /^(open|call)\//.test(key) && !key.startsWith(UNKNOWN)
    );
    same(left, [], "rows of work outside that are left");
  },
});

/** The same request under one key, said again until it is answered; what nobody knows is told as such. */
async function keyed(s: Scene, file: string): Promise<void> {
  const wish = { item: `keyed ${file}`, price: PRICE, key: file };
  try {
    await s.at("one").call(`${SHOP}/${file}`, JSON.stringify(wish));
  } catch (error) {
    if (codeOf(error) !== "interrupted") throw error;
  }
}

async function jobsOf(s: Scene): Promise<Job[]> {
  const ids = await s.at("one").names(`${SHOP}/jobs`);
  return await Promise.all(ids.map((id) => s.at("one").json<Job>(`${SHOP}/jobs/${id}/status`)));
}
