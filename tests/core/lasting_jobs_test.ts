/** Jobs that go on outside while the runtime does not, and streams that keep so much and no more. */
import assert from "../assert.ts";
import { agent, door, said, type Scene, scene } from "../../conformance/ticks/scene.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import type { UsageReport } from "../../src/core/budget.ts";
import type { Job, JobRun } from "../../src/core/outside.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { StreamEvent } from "../../src/fs/file.ts";
import { watch } from "../../src/fs/use.ts";
import { DESK, withDesk } from "./desk.ts";

const BUDGETS = { [DESK]: { per_day_micro_usd: 1_000, approvers: [] } };

const orders = agent(async (ctx: AgentContext, trigger: Trigger) => {
  if (trigger.type === "message") {
    await ctx.env.call(`${DESK}/new`, { what: said(trigger), price: 10 });
  }
});

async function jobOf(s: Scene): Promise<Job> {
  const [id] = await s.at("one").names(`${DESK}/jobs`);
  return await s.at("one").json<Job>(`${DESK}/jobs/${id}/status`);
}
async function eventsOf(s: Scene): Promise<StreamEvent[]> {
  const { job_id } = await jobOf(s);
  const text = await s.at("one").read(`${DESK}/jobs/${job_id}/stream`);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}
const usage = (s: Scene) => s.at("one").json<UsageReport>("/budget/usage");
const untilAborted = ({ signal }: JobRun) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );

for (const end of ["clean", "crash"] as const) {
  Deno.test(`a job that goes on outside is taken up after a ${end} end, with what it kept and its stream, and is paid once`, () =>
    withDesk(async (subject, desk) => {
      desk.kind = { resumes: true };
      const lives: unknown[] = [];
      const on = door();
      desk.run = async (run) => {
        await run.asking();
        lives.push([run.isResumed, run.job.kept]);
        const { done = 0 } = (run.job.kept ?? {}) as { done?: number };
        for (let n = done + 1; n <= 6; n++) {
          if (n === 4 && !run.isResumed) await untilAborted(run);
          await run.emit({ n }, { done: n });
          if (n === 3) await run.keep({ done: 3, phase: "half" });
        }
        await on.pass();
        return { result: "whole", costMicroUsd: 7 };
      };
      const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
      await s.at("one").send("a");
      await s.advance(1_000);
      assert.deepEqual((await jobOf(s)).kept, { done: 3, phase: "half" });
      await s.restart(end);
      await s.quiet();
      assert.equal((await jobOf(s)).status, "streaming");
      assert.equal((await usage(s)).day.reserved_micro_usd, 10);
      on.open();
      await s.quiet();
      assert.deepEqual(lives, [[false, null], [true, { done: 3, phase: "half" }]]);
      const job = await jobOf(s);
      assert.deepEqual([job.status, job.cost_micro_usd], ["complete", 7]);
      assert.deepEqual(
        (await eventsOf(s)).map(({ seq, n }) => [seq, n]),
        [1, 2, 3, 4, 5, 6].map(
          (n) => [n, n],
        ),
      );
      const { day } = await usage(s);
      assert.deepEqual([day.reserved_micro_usd, day.spent_micro_usd], [0, 7]);
    }));
}

Deno.test("its time counts over the restart", () =>
  withDesk(async (subject, desk) => {
    desk.kind = { resumes: true };
    const endings: unknown[] = [];
    desk.run = async (run) => {
      await run.asking();
      try {
        return await untilAborted(run);
      } finally {
        endings.push(run.ending);
      }
    };
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    await s.at("one").send("a");
    await s.advance(40_000);
    await s.restart("clean");
    await s.quiet();
    assert.deepEqual(endings, ["stopped"]);
    await s.advance(19_000);
    assert.equal((await jobOf(s)).status, "running");
    await s.advance(2_000);
    const { status, error } = await jobOf(s);
    assert.deepEqual([status, error?.code, endings], ["failed", "timeout", ["stopped", "timeout"]]);
  }));

Deno.test("of a stream with limits the beginning and the end are kept, the cut is told, and whoever watches sees all", () =>
  withDesk(async (subject, desk) => {
    desk.kind = { resumes: true, streamLimits: { headBytes: 20_000, tailBytes: 5_000 } };
    const seen: StreamEvent[] = [];
    const s = await scene(subject, { one: orders }, { budgets: BUDGETS });
    const [begun, watched] = [door(), door()];
    let running: StreamEvent[] = [];
    desk.run = async (run) => {
      await run.asking();
      await run.emit({ n: 0 });
      begun.open();
      await watched.pass();
      for (let n = 1; n <= 500; n++) await run.emit({ n, data: "x".repeat(500) }, { n });
      running = await run.stream.read({ after: 0 });
      return { costMicroUsd: 1 };
    };
    const watching = begun.pass().then(async () => {
      const { job_id } = await jobOf(s);
      const events = await watch<StreamEvent>(
        await s.at("one").files(),
        `${DESK}/jobs/${job_id}/stream`,
        { after: 0, signal: AbortSignal.timeout(60_000) },
      );
      for await (const event of events) {
        seen.push(event);
        watched.open();
      }
    });
    await s.at("one").send("a");
    await s.quiet();
    await watching;
    const kept = await eventsOf(s);
    const size = kept.reduce((sum, { data }) => sum + (data as string ?? "").length, 0);
    assert.ok(size < 26_000 && size > 15_000, String(size));
    const types = kept.map(({ type }) => type).filter((type) => type !== "chunk");
    assert.deepEqual(types, ["cut", "gap"]);
    assert.equal(kept.at(-1)!.n, 500);
    const gap = kept.find(({ type }) => type === "gap")!;
    const at = kept.indexOf(gap);
    assert.deepEqual([gap.from, gap.to], [kept[at - 1]!.seq! + 1, kept[at + 1]!.seq! - 1]);
    assert.deepEqual(running, kept, "who reads while it runs");
    const between = Math.floor((gap.from as number + gap.seq) / 2);
    const { job_id } = await jobOf(s);
    const files = await s.at("one").files();
    for (const after of [gap.from as number - 1, between, gap.seq - 1, gap.seq, 10_000]) {
      const later = await watch<StreamEvent>(files, `${DESK}/jobs/${job_id}/stream`, {
        after,
        signal: AbortSignal.timeout(60_000),
      });
      const rest = kept.filter(({ seq, type }) => seq > after && type === "chunk");
      const first = after < gap.seq ? [{ ...gap, from: after + 1 }] : [];
      assert.deepEqual(await Array.fromAsync(later), [...first, ...rest], `behind ${after}`);
    }
    assert.equal((await jobOf(s)).kept !== null, true);
    const told = seen.filter(({ type }) => type === "chunk").map(({ n }) => n);
    assert.deepEqual(told, Array.from({ length: 501 }, (_, n) => n));
  }));
