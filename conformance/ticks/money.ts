/** Laws of money and of effects outside: nothing above a limit, nothing twice, nothing forgotten. */
import type { Json } from "../../src/core/envelope.ts";
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import type { Job } from "../../src/core/outside.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import { codeOf } from "../../src/fs/error.ts";
import { callJson } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, AT_ONCE, type Caller, ONCE, said, type Scene, scene } from "./scene.ts";
import { SHOP, type Wish } from "./shop.ts";
import type { TickLaw, TickSubject } from "./subject.ts";

const DAY_MS = 86_400_000;

/** Answers of a shop, or the codes of its refusals. */
async function tried(run: () => Promise<Json>): Promise<Json> {
  try {
    return await run();
  } catch (error) {
    return codeOf(error);
  }
}

const buy = (ctx: AgentContext, wish: Wish) =>
  ctx.env.call<Json>(`${SHOP}/buy`, wish as unknown as Json);
const order = (ctx: AgentContext, wish: Wish) =>
  ctx.env.call<{ job_id: string }>(`${SHOP}/new`, wish as unknown as Json);

/** A call by the operator, followed until nothing moves any more. */
async function asOperator(s: Scene, file: string, wish: Wish): Promise<Json> {
  return JSON.parse(await s.at("one").call(`${SHOP}/${file}`, JSON.stringify(wish)));
}

async function ledger(s: Scene): Promise<Reservation[]> {
  const text = await s.at("one").read("/budget/ledger");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}
const usage = (one: Caller) => one.json<UsageReport>(`${SHOP}/usage`);

/** What the ledger's lines sum up to is what is told; nothing is above a limit or below nothing. */
async function balanced(s: Scene, limit: number): Promise<void> {
  const told = await usage(s.at("one"));
  const today = (await ledger(s)).filter(({ created_at }) => created_at >= told.day_start);
  const sum = (of: (line: Reservation) => number) => today.reduce((all, line) => all + of(line), 0);
  same(told.day, {
    reserved_micro_usd: sum(({ state, amount_micro_usd }) =>
      state === "reserved" ? amount_micro_usd : 0
    ),
    spent_micro_usd: sum(({ actual_micro_usd }) => actual_micro_usd ?? 0),
    limit_micro_usd: limit,
    remaining_micro_usd: limit - told.day.reserved_micro_usd - told.day.spent_micro_usd,
  }, "the ledger's sum and what is told of the day");
  holds(told.day.reserved_micro_usd + told.day.spent_micro_usd <= limit, "the limit is kept");
}

async function jobs(s: Scene): Promise<Job[]> {
  const ids = await s.at("one").names(`${SHOP}/jobs`);
  return await Promise.all(ids.map((id) => s.at("one").json<Job>(`${SHOP}/jobs/${id}/status`)));
}

/** Events of the ends of jobs, as the agent gets them. */
function hears(ctx: AgentContext, trigger: Parameters<typeof said>[0]): boolean {
  if (trigger.type !== "event") return false;
  ctx.state.heard = [...ctx.state.heard ?? [], trigger.data];
  return true;
}

export const moneyLaws: readonly TickLaw[] = [
  {
    id: "T75",
    name: "budget_enforcement",
    says:
      "what is spent and reserved never passes the limit of the tick, of the mount or of the whole agent, however many ask at once; a refusal says which limit, and leaves nothing",
    async test(subject: TickSubject) {
      const { shop } = subject;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (hears(ctx, trigger)) return;
          const wishes = Array.from({ length: 10 }, (_, i) => i);
          ctx.state.got = await Promise.all(
            wishes.map((i) =>
              tried(() => buy(ctx, { item: `${said(trigger)}${i}`, price: 20, cost: 15 }))
            ),
          );
        }),
      }, {
        limits: ONCE,
        budgets: {
          "/": { per_day_micro_usd: 200, approvers: [] },
          [SHOP]: { per_tick_micro_usd: 50, per_day_micro_usd: 100, approvers: [] },
        },
      });
      const one = s.at("one");
      await one.send("a");
      const { got } = await one.state() as { got: Json[] };
      same(shop.asked.length, 2, "what a tick of 50 buys at 20 at a time");
      same(got.filter((answer) => answer === "budget_exceeded").length, 8, "refusals");
      await balanced(s, 100);
      // Callers are limited by the day alone: 30 are spent, so that three more of 20 fit in.
      const answers = await s.answer(async () => {
        const files = await one.files();
        return await Promise.all(
          Array.from(
            { length: 10 },
            (_, i) =>
              tried(() =>
                callJson<Json>(files, `${SHOP}/new`, { item: `b${i}`, price: 20, waits: true })
              ),
          ),
        );
      });
      same(answers.filter((answer) => answer === "budget_exceeded").length, 7, "refused callers");
      await balanced(s, 100);
      shop.open();
      await s.quiet();
      await balanced(s, 100);
      same((await usage(one)).day.spent_micro_usd, 90, "what is spent when all is settled");
      await refuses("budget_exceeded", () => asOperator(s, "buy", { item: "c", price: 11 }), "11");
      same(shop.asked.length, 5, "what was asked of the shop");
      same((await ledger(s)).length, 5, "lines of the ledger");
      await s.advance(DAY_MS);
      await asOperator(s, "buy", { item: "d", price: 100 });
      same((await usage(one)).day.spent_micro_usd, 100, "a new day has its own limit");
      await s.restart("crash");
      await balanced(s, 100);
      await refuses("budget_exceeded", () => asOperator(s, "buy", { item: "e", price: 1 }), "more");
    },
  },
  {
    id: "T76",
    name: "idempotent_effects",
    says:
      "of two same requests under one key one is done, at once, later and after a crash, and both get its answer; the key with another request is a conflict",
    async test(subject) {
      const { shop } = subject;
      const s = await scene(subject, { one: agent(() => {}) }, {
        budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } },
      });
      const one = s.at("one");
      const wish = { item: "a", price: 10, key: "k" };
      for (const file of ["new", "buy"]) {
        const named = { ...wish, key: `k ${file}` };
        const before = shop.asked.length;
        const answers = await s.answer(async () => {
          const files = await one.files();
          return await Promise.all(
            [named, named].map((wish) => callJson<Json>(files, `${SHOP}/${file}`, wish)),
          );
        });
        same(answers[0], answers[1], "the answers of two at once");
        same(await asOperator(s, file, named), answers[0], "the answer later");
        same(shop.asked.length, before + 1, `what was asked by ${file}`);
        await refuses(
          "conflict",
          () => asOperator(s, file, { ...named, item: "b" }),
          "the key with another request",
        );
        await s.restart("crash");
        same(await asOperator(s, file, named), answers[0], "the answer after a crash");
        same(shop.asked.length, before + 1, "what was asked in the end");
      }
      same((await usage(one)).day.spent_micro_usd, 20, "what was paid");
    },
  },
  {
    id: "T77",
    name: "effects_are_recorded",
    says:
      "what a tick did outside is not done again by its next try, which gets the answers and the refusals of before, whether it threw, lost to another writer, or was cut off",
    async test(subject) {
      const { shop } = subject;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (hears(ctx, trigger)) return;
          const a = await Promise.all([
            buy(ctx, { item: "a", price: 10 }),
            buy(ctx, { item: "b", price: 10 }),
          ]);
          const { job_id } = await order(ctx, { item: "c", price: 10 });
          const no = await tried(() =>
            buy(ctx, { item: "d", price: 10, fails: "invalid_request" })
          );
          ctx.state.got = [...a, job_id, no];
          ctx.state.tries = ctx.tick.attempt;
          if (ctx.tick.attempt === 1) throw new Error("after all");
        }),
      }, {
        limits: AT_ONCE,
        budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } },
      });
      await s.at("one").send("go");
      await s.advance(1);
      const state = await s.at("one").state() as {
        got: Json[];
        tries: number;
        heard: { job_id: string }[];
      };
      same(
        state.heard.map(({ job_id }) => job_id),
        [state.got[2]],
        "the job's end, after it began",
      );
      same(state.tries, 2, "the try that committed");
      same(shop.asked.filter((item) => item !== "c").sort(), ["a", "b", "d"], "each once");
      same(shop.asked.filter((item) => item === "c").length, 1, "the job, once");
      same(state.got[3], "invalid_request", "the refusal");
      same((await jobs(s)).length, 1, "jobs");
      await balanced(s, 100);
      const rows = await subject.backend.storage("one").list({ prefix: "call/" });
      same(rows.length, 0, "records that are left after the commit");
    },
  },
  {
    id: "T78",
    name: "what_nobody_knows_is_not_done_again",
    says:
      "an effect that a crash cut off is told as interrupted, counts in full, ends once, and is not repeated by itself; a job that ran fails as interrupted, one that was not begun is run",
    async test(subject) {
      const { shop } = subject;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (hears(ctx, trigger)) return;
          ctx.state.got = await tried(() => buy(ctx, { item: "a", price: 10, waits: true }));
        }),
      }, {
        limits: AT_ONCE,
        budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } },
      });
      const one = s.at("one");
      await one.send("go");
      await asOperator(s, "new", { item: "b", price: 20, waits: true });
      same(shop.asked, ["a", "b"], "what is being bought");
      await s.restart("crash");
      await s.quiet();
      same(shop.asked, ["a", "b"], "what was asked after the crash");
      const state = await one.state() as { got: Json; heard: { status: string }[] };
      same(state.got, "interrupted", "what the next try is told");
      same(state.heard.map(({ status }) => status), ["failed"], "the end of the job, told once");
      const [job] = await jobs(s);
      same([job!.status, job!.error?.code], ["failed", "interrupted"], "the job");
      same((await ledger(s)).map(({ state }) => state), ["unknown", "unknown"], "the ledger");
      await balanced(s, 100);
      same((await usage(one)).day.spent_micro_usd, 30, "all of it counts");
      await s.restart("crash");
      same((await usage(one)).day.spent_micro_usd, 30, "and counts once");
    },
  },
  {
    id: "T79",
    name: "another_course_is_refused",
    says:
      "a try that asks for something else outside than the try before it, with the same code, fails as nondeterministic; replayed fresh, it may",
    async test(subject) {
      const { shop } = subject;
      let item = "a";
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          await buy(ctx, { item, price: 1 });
          if (item !== "c") throw new Error("after all");
        }),
      }, {
        limits: { retry_ms: [1_000] },
        budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } },
      });
      const { envelope_id } = await s.at("one").send("go");
      item = "b";
      await s.advance(2_000);
      same(shop.asked, ["a"], "what was bought");
      const [letter] = await s.at("one").letters();
      holds(letter?.last_error?.message.includes("nondeterministic"), "why it was given up");
      item = "c";
      await s.at("one").dead(`replay ${envelope_id} fresh`);
      await s.advance(2_000);
      same(shop.asked, ["a", "c"], "what was bought in the end");
    },
  },
  {
    id: "T80",
    name: "a_job_tells_its_end_once",
    says:
      "a job's events are kept in order, its result stands when it is complete, and its end reaches the agent by one envelope, with the commit that settles what it cost; a cancelled one is told as cancelled",
    async test(subject) {
      const { shop } = subject;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (hears(ctx, trigger)) return;
          await order(ctx, { item: said(trigger), price: 10, cost: 4, waits: true });
        }),
      }, { budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } } });
      const one = s.at("one");
      await one.send("a");
      await one.send("b");
      const [a, b] = await jobs(s);
      same([a!.status, b!.status], ["streaming", "streaming"], "while they run");
      await one.write(`${SHOP}/jobs/${b!.job_id}/ctl`, "cancel");
      await s.quiet();
      shop.open();
      await s.quiet();
      const ended = await jobs(s);
      same(ended.map(({ status }) => status), ["complete", "cancelled"], "how they ended");
      same(
        (await one.events(`${SHOP}/jobs/${a!.job_id}/stream`)).map(({ seq, text }) => [seq, text]),
        [[1, "one a"], [2, "done"]],
        "what was streamed",
      );
      same(await one.json(`${SHOP}/jobs/${a!.job_id}/result`), { got: "a" }, "the result");
      const { heard } = await one.state() as { heard: { job_id: string; status: string }[] };
      same(
        heard.map(({ job_id, status }) => [job_id, status]),
        [[b!.job_id, "cancelled"], [a!.job_id, "complete"]],
        "ends that were heard",
      );
      same(ended.map(({ cost_micro_usd }) => cost_micro_usd), [4, 10], "costs");
      await balanced(s, 100);
      await s.restart("crash");
      same(await jobs(s), ended, "after a crash");
      same((await one.state() as { heard: Json[] }).heard.length, 2, "ends, heard once");
    },
  },
  {
    id: "T81",
    name: "a_person_says_yes_once",
    says:
      "what costs more than the threshold waits for a yes, leaves nothing reserved meanwhile, passes once after it, and is refused after a no; the agent hears of the answer",
    async test(subject) {
      const { shop } = subject;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (hears(ctx, trigger)) return;
          ctx.state.got = await tried(() => buy(ctx, { item: "dear", price: 60 }));
        }),
      }, {
        budgets: {
          [SHOP]: { per_day_micro_usd: 500, approval_threshold_micro_usd: 50, approvers: [] },
        },
      });
      const one = s.at("one");
      const got = async () => (await one.state() as { got: Json }).got;
      await one.send("go");
      same(await got(), "approval_required", "the first try");
      same((await usage(one)).day.reserved_micro_usd, 0, "what is reserved meanwhile");
      const questions = async () =>
        (await one.names("/approvals")).filter((name) => name.startsWith("apr_"));
      const [question] = await questions();
      await one.write(`/approvals/${question}`, "approve");
      await s.quiet();
      const { heard } = await one.state() as { heard: { state: string }[] };
      same(heard.map(({ state }) => state), ["approved"], "what the agent heard");
      await one.send("again");
      same((await got() as { got: string }).got, "dear", "after the yes");
      await one.send("and again");
      same(await got(), "approval_required", "a yes is for once");
      const asked = (await questions()).filter((id) => id !== question);
      same(asked.length, 1, "open questions");
      await one.write(`/approvals/${asked[0]}`, "deny");
      await s.quiet();
      await one.send("after the no");
      same(await got(), "permission_denied", "after the no");
      same(shop.asked, ["dear"], "what was bought");
    },
  },
];
