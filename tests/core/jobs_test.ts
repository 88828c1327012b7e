/** Jobs that end late, badly, cut off, in thousands, or while something else goes on: each ends once, is paid once and is told once. */
import assert from "../assert.ts";
import { agent, allRows, door, said, type Scene, scene } from "../../conformance/ticks/scene.ts";
import type { TickSubject } from "../../conformance/ticks.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import type { Backend, Owner } from "../../src/core/backend.ts";
import type { Json } from "../../src/core/envelope.ts";
import { agentId } from "../../src/core/id.ts";
import type { Job } from "../../src/core/outside.ts";
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import type { Batch } from "../../src/core/storage.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import { FileError } from "../../src/fs/error.ts";
import type { StreamEvent } from "../../src/fs/file.ts";
import { watch } from "../../src/fs/use.ts";
import { DESK, type Desk, withDesk } from "./desk.ts";

const BUDGETS = { [DESK]: { per_day_micro_usd: 1_000_000, approvers: [] } };

/** Orders what it is told to, and remembers the ends of jobs. */
const orders = agent(async (ctx: AgentContext, trigger: Trigger) => {
  if (trigger.type === "event") {
    const { job_id, status } = trigger.data as { job_id: string; status: string };
    ctx.state.heard = [...ctx.state.heard ?? [], [job_id, status]];
    return;
  }
  const what = said(trigger);
  if (what !== "fills") await ctx.env.call(`${DESK}/new`, { what, price: 10 });
});

async function jobs(s: Scene, id = "one"): Promise<Job[]> {
  const ids = await s.at(id).names(`${DESK}/jobs`);
  return await Promise.all(ids.map((job) => s.at(id).json<Job>(`${DESK}/jobs/${job}/status`)));
}
const heard = async (s: Scene) =>
  ((await s.at("one").state()) as { heard?: [string, string][] }).heard ?? [];

async function left(subject: TickSubject, owner: string, ...prefixes: string[]): Promise<string[]> {
  return [...(await allRows(subject)).keys()]
    .filter((at) => prefixes.some((prefix) => at.startsWith(`${owner} ${prefix}`)));
}

/** Nothing is open but what people have to resolve, what is told is what the rows say, and every line of the ledger has ended. */
async function balanced(s: Scene, subject: TickSubject, id = "one"): Promise<number> {
  const lines = (await s.at(id).read("/budget/ledger")).split("\n")
    .filter((line) => line !== "").map((line): Reservation => JSON.parse(line));
  assert.deepEqual(lines.filter(({ state }) => state === "reserved"), []);
  const { day } = await s.at(id).json<UsageReport>("/budget/usage");
  const spent = lines.reduce((sum, { actual_micro_usd }) => sum + (actual_micro_usd ?? 0), 0);
  assert.deepEqual([day.reserved_micro_usd, day.spent_micro_usd], [0, spent]);
  const open = await left(subject, id, "open/");
  assert.deepEqual(open.filter((at) => !at.startsWith(`${id} open/journal/`)), []);
  return spent;
}

Deno.test("what comes of a job after its end is refused, and changes nothing of it", () =>
  withDesk(async (subject, desk) => {
    const late = door();
    const refused: unknown[] = [];
    desk.run = (run) => {
      late.pass()
        .then(() => run.emit({ text: "late" })).catch((error) => refused.push(error.code))
        .then(() => run.asking()).catch((error) => refused.push(error.code));
      return Promise.resolve({ costMicroUsd: 1 });
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    const before = await jobs(s);
    assert.deepEqual(before.map(({ status }) => status), ["complete"]);
    late.open();
    await s.quiet();
    await s.advance(1_000);
    assert.deepEqual(refused, ["not_ready", "not_ready"]);
    assert.deepEqual(await jobs(s), before);
    assert.deepEqual(await left(subject, "one", "jobevent/"), []);
  }));

Deno.test("a job whose result or events cannot be kept ends as failed, and is paid", () =>
  withDesk(async (subject, desk) => {
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    const round: { [name: string]: unknown } = {};
    round.round = round;
    desk.run = async (run, { what }) => {
      await run.asking();
      if (what === "round") return { result: round as Json, costMicroUsd: 3 };
      if (what === "loud") {
        throw new FileError("invalid_request", "run", "a", { detail: "x".repeat(2_000_000) });
      }
      run.emit({ text: "x".repeat(2_000_000) }).catch(() => {});
      return { result: "ok", costMicroUsd: 5 };
    };
    for (const what of ["round", "loud", "large"]) await s.at("one").send(what);
    await s.quiet();
    assert.deepEqual(
      (await jobs(s)).map(({ status, cost_micro_usd }) => [status, cost_micro_usd]),
      [
        ["failed", 3],
        ["failed", 10],
        ["failed", 5],
      ],
    );
    assert.equal((await heard(s)).length, 3);
    assert.equal(await balanced(s, subject), 18);
  }));

Deno.test("the jobs of an agent that is deleted are cut off, also where they do not heed it, and nothing of them is left", () =>
  withDesk(async (subject, desk) => {
    const never = door();
    const signals: AbortSignal[] = [];
    desk.run = async (run) => {
      await run.asking();
      await run.emit({ text: "begun" });
      signals.push(run.signal);
      await never.pass();
      await run.emit({ text: "never" });
      return { result: "never", costMicroUsd: 1 };
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    const [job] = await jobs(s);
    const seen: Json[] = [];
    let ended = false;
    const watched = watchAll(s, job!.job_id, (event) => seen.push(event.text as Json))
      .finally(() => (ended = true));
    await s.until(() => seen.length === 1);
    const deleted = s.runtime.delete(agentId("one"));
    await s.until(() => ended);
    // Who does not heed it is waited for as long as it may take, and no longer.
    await s.advance(5_000);
    await deleted;
    await watched.catch(() => {});
    assert.deepEqual(seen, ["begun"]);
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true]);
    never.open();
    await s.quiet();
    await s.advance(10_000);
    assert.deepEqual(await left(subject, "one", ""), []);
    await s.create("one", { budgets: BUDGETS });
    assert.deepEqual(await jobs(s), []);
  }));

async function watchAll(s: Scene, job: string, told: (event: StreamEvent) => void): Promise<void> {
  const files = await s.at("one").files();
  for await (const event of await watch(files, `${DESK}/jobs/${job}/stream`, { after: 0 })) {
    told(event as StreamEvent);
  }
}

Deno.test("a job that comes to its end as the runtime stops is kept with what it came to", () =>
  withDesk(async (subject, desk) => {
    desk.run = async (run) => {
      await run.asking();
      await new Promise<void>((resolve) => run.signal.addEventListener("abort", () => resolve()));
      return { result: "what there is", costMicroUsd: 2 };
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    await s.restart("clean");
    await s.quiet();
    const [job] = await jobs(s);
    assert.deepEqual([job!.status, job!.cost_micro_usd], ["complete", 2]);
    assert.deepEqual(await heard(s), [[job!.job_id, "complete"]]);
    assert.equal(await balanced(s, subject), 2);
  }));

for (const policy of ["reject_new", "drop_oldest", "dead_letter"] as const) {
  Deno.test(`the end of a job comes through to an agent that is paused, asleep and full (${policy})`, () =>
    withDesk(async (subject, desk) => {
      const work = door();
      desk.run = async (run) => {
        await run.asking();
        await work.pass();
        return { result: 1, costMicroUsd: 2 };
      };
      const s = await scene(subject, { one: orders }, {
        budgets: BUDGETS,
        limits: { idle_ms: 100 },
      });
      const one = s.at("one");
      await one.send("a");
      await one.control("pause");
      await one.overflow({ max_depth: 1, policy });
      await one.send("fills");
      await s.advance(5_000);
      work.open();
      await s.quiet();
      const [job] = await jobs(s);
      assert.equal(job!.status, "complete");
      await one.control("resume");
      await s.quiet();
      assert.deepEqual(await heard(s), [[job!.job_id, "complete"]]);
      assert.equal(await balanced(s, subject), 2);
    }));
}

Deno.test("a job that ends during an export ends after it; a restored agent ends what was open, a clone has neither jobs nor money", () =>
  withDesk(async (subject, desk) => {
    const work = door();
    const ran: string[] = [];
    desk.run = async (run) => {
      await run.asking();
      ran.push(run.agent);
      await work.pass();
      return { result: 1, costMicroUsd: 2 };
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    const chunks = await s.answer(async () => {
      const file = await s.runtime.exportAgent(agentId("one"));
      const chunks: Uint8Array[] = [];
      for await (const chunk of file) {
        chunks.push(chunk);
        if (chunks.length === 2) work.open();
      }
      return chunks;
    });
    await s.quiet();
    assert.deepEqual((await jobs(s)).map(({ status }) => status), ["complete"]);
    assert.equal(await balanced(s, subject), 2);
    async function* file() {
      yield* chunks;
    }
    for (const [id, mode] of [["restored", "restore"], ["clone", "clone"]] as const) {
      await s.answer(() => s.runtime.importAgent(file(), { id: agentId(id), mode }));
    }
    await s.quiet();
    const [restored] = await jobs(s, "restored");
    assert.deepEqual([restored!.status, restored!.error?.code], ["failed", "interrupted"]);
    assert.equal(await balanced(s, subject, "restored"), 10);
    assert.deepEqual(await jobs(s, "clone"), []);
    assert.equal(await balanced(s, subject, "clone"), 0);
    await assert.rejects(s.at("clone").call(`${DESK}/new`, JSON.stringify({ what: "b" })), {
      code: "budget_exceeded",
    });
    assert.deepEqual(ran, ["one"]);
  }));

Deno.test("an envelope that is replayed fresh begins its job anew beside the one that runs, and both end", () =>
  withDesk(async (subject, desk) => {
    const work = door();
    desk.run = async (run) => {
      await run.asking();
      await work.pass();
      return { costMicroUsd: 2 };
    };
    let fails = true;
    const s = await scene(subject, {
      one: agent(async (ctx, trigger) => {
        if (trigger.type === "event") ctx.state.heard = (ctx.state.heard ?? 0) + 1;
        else {
          await ctx.env.call(`${DESK}/new`, { what: "a", price: 10 });
          if (fails) throw new Error("after all");
        }
      }),
    }, { budgets: BUDGETS, limits: { retry_ms: [0] } });
    const { envelope_id } = await s.at("one").send("go");
    await s.advance(1_000);
    assert.equal((await jobs(s)).length, 1, "one job over all tries");
    fails = false;
    await s.at("one").dead(`replay ${envelope_id} fresh`);
    await s.quiet();
    assert.deepEqual((await jobs(s)).map(({ status }) => status), ["running", "running"]);
    work.open();
    await s.quiet();
    assert.deepEqual((await jobs(s)).map(({ status }) => status), ["complete", "complete"]);
    assert.deepEqual(await s.at("one").state(), { heard: 2 });
    assert.equal(await balanced(s, subject), 4);
    assert.deepEqual(await left(subject, "one", "call/"), []);
  }));

Deno.test("a runtime that stops waits for a job that does not heed it, but not for ever", () =>
  withDesk(async (subject, desk) => {
    desk.run = async (run) => {
      await run.asking();
      return await new Promise(() => {});
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    const stopping = s.runtime.stop(0);
    await s.advance(6_000);
    await stopping;
    await s.restart("crash");
    const [job] = await jobs(s);
    assert.deepEqual([job!.status, job!.error?.code], ["failed", "interrupted"]);
    assert.equal(await balanced(s, subject), 10);
  }));

Deno.test("two thousand jobs at once end each once", () =>
  withDesk(async (subject, desk) => {
    const work = door();
    desk.run = async (run) => {
      await run.asking();
      await work.pass();
      return { result: 1, costMicroUsd: 3 };
    };
    const s = await scene(subject, {
      one: agent(async (ctx, trigger) => {
        if (trigger.type === "event") ctx.state.heard = (ctx.state.heard ?? 0) + 1;
        else {
          await Promise.all(
            Array.from({ length: 2_000 }, (_, n) =>
              ctx.env.call(`${DESK}/new`, { what: `${n}`, price: 10 })),
          );
        }
      }),
    }, { budgets: BUDGETS });
    await s.at("one").send("go");
    work.open();
    await s.quiet();
    assert.deepEqual(await s.at("one").state(), { heard: 2_000 });
    assert.equal(await balanced(s, subject), 6_000);
  }));

Deno.test("a hundred thousand events are kept in order; who begins to watch as the job ends misses none", () =>
  withDesk(async (subject, desk) => {
    const EVENTS = 100_000;
    const watchers: Promise<number[]>[] = [];
    const begin = (s: Scene, id: string) => {
      const seqs: number[] = [];
      watchers.push(watchAll(s, id, ({ seq }) => seqs.push(seq!)).then(() => seqs));
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    desk.run = async (run) => {
      await run.asking();
      for (let n = 1; n <= EVENTS; n++) {
        await run.emit({ n });
        if (n === 1 || n === EVENTS / 2 || n === EVENTS) begin(s, run.job.job_id);
      }
      return { costMicroUsd: 1 };
    };
    await s.at("one").send("a");
    await s.quiet();
    const [job] = await jobs(s);
    begin(s, job!.job_id);
    assert.equal(job!.status, "complete");
    const all = Array.from({ length: EVENTS }, (_, n) => n + 1);
    for (const seqs of await Promise.all(watchers)) assert.deepEqual(seqs, all);
  }));

/** A disk that is full at one commit, before it took effect or after it. */
function faulty(at: { n: number; fault: "before" | "after" }) {
  return (backend: Backend): Backend => ({
    ...backend,
    storage(owner: Owner) {
      const storage = backend.storage(owner);
      return {
        ...storage,
        async commit(batch: Batch) {
          const money = batch.put.some(({ key }) => /^(budget|job|call|journal)\//.test(key));
          const fails = owner === "one" && money && --at.n === 0;
          if (!fails || at.fault === "after") await storage.commit(batch);
          if (fails) {
            throw new FileError("quota_exceeded", "commit", owner, { detail: "the disk is full" });
          }
        },
      };
    },
  });
}

for (const fault of ["before", "after"] as const) {
  Deno.test(`a disk that is full (${fault}) at any commit of money loses none and frees none twice`, async () => {
    let commits = 0;
    for (let n = 1; n <= 24; n++) {
      const at = { n: 0, fault };
      await withDesk(async (subject, desk) => {
        const asked = counting(desk);
        const s = await scene(subject, {
          one: agent(async (ctx, trigger) => {
            if (trigger.type === "event") return;
            await ctx.env.call(`${DESK}/do`, { what: "one", price: 10 }).catch(unknown);
            await ctx.env.call(`${DESK}/do`, { what: "keyed", price: 10, key: "k" }).catch(unknown);
            await ctx.env.call(`${DESK}/new`, { what: "job", price: 10 });
            ctx.state.done = true;
          }),
        }, { budgets: BUDGETS, limits: { retry_ms: [500, 500, 500, 500] } });
        at.n = n;
        await s.at("one").send("go");
        await s.advance(20_000);
        commits = Math.max(commits, n - at.n);
        const spent = await balanced(s, subject).catch((error) => {
          throw new Error(`commit ${n}`, { cause: error });
        });
        assert.deepEqual(await s.at("one").state(), { done: true }, `commit ${n}`);
        for (const [what, times] of asked) assert.equal(times, 1, `${what} at commit ${n}`);
        assert.ok(spent >= asked.size && spent <= 30, `${spent} spent at commit ${n}`);
        await s.restart("crash");
        assert.equal(await balanced(s, subject), spent, `memory and rows at commit ${n}`);
      }, faulty(at));
    }
    assert.ok(commits >= 7, `${commits} commits`);
  });
}

/** What nobody knows the end of is taken as it is; all else is for another try. */
function unknown(error: { readonly code?: string }): void {
  if (error.code !== "interrupted") throw error;
}

/** How often each thing was asked for. */
function counting(desk: Desk): Map<string, number> {
  const asked = new Map<string, number>();
  const count = (what: string) => asked.set(what, (asked.get(what) ?? 0) + 1);
  desk.perform = ({ what }) => {
    count(what);
    return Promise.resolve({ answer: what, costMicroUsd: 1 });
  };
  desk.run = async (run, { what }) => {
    await run.asking();
    count(what);
    return { result: what, costMicroUsd: 1 };
  };
  return asked;
}
