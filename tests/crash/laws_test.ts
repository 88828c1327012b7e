/** Each law of what has recovered bites: a world that keeps them all, with one thing in it changed, breaks the law that says so. */
import assert from "../assert.ts";
import { type Accepted, crashLaws, look, type Recovered } from "../../conformance/crash.ts";
import type { AgentSight, TickRecord } from "../../conformance/crash/recovered.ts";
import { recording, tallied } from "../../conformance/crash/through.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import { agent, said, stage } from "../../conformance/ticks/scene.ts";
import { SHOP } from "../../conformance/ticks/shop.ts";
import { encodeJson } from "../../src/core/code.ts";

/** A world in which each law has something to look at. */
async function recovered(): Promise<Recovered> {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const accepted: Accepted[] = [];
  try {
    subject.shop.open();
    const agents = tallied({
      one: agent(async (ctx, trigger) => {
        if (trigger.type !== "message") return;
        await ctx.reply("heard");
        if (said(trigger) !== "a") return;
        await ctx.alarm(100, "ring");
        await ctx.send("two", "hello");
        await ctx.env.write("/files/large", "x".repeat(600_000));
        await ctx.env.call(`${SHOP}/new`, { item: "it", price: 5 });
      }),
      two: agent(() => {}),
    });
    const s = recording(await stage(subject, agents), accepted);
    await s.create("two");
    await s.create("one", { budgets: { [SHOP]: { per_day_micro_usd: 100, approvers: [] } } });
    for (const id of ["a", "b", "c"]) await s.at("one", "ann").send(id, { id });
    await s.advance(1_000);
    return await look(subject, s, accepted);
  } finally {
    await opened.close();
  }
}

/** The same world with another sight of agent `one`. */
function seeing(all: Recovered, change: (one: AgentSight) => Partial<AgentSight>): Recovered {
  const one = all.agents.get("one")!;
  return { ...all, agents: new Map([...all.agents, ["one", { ...one, ...change(one) }]]) };
}

const without = (one: AgentSight, id: string): TickRecord[] =>
  one.committed.filter(({ envelope_id }) => envelope_id !== id);
const alarmOf = ({ committed }: AgentSight): TickRecord =>
  committed.find(({ trigger }) => trigger.type === "alarm")!;
const fewer = ([state, kv]: AgentSight["tallies"], n = 1) => [state - n, kv - n] as const;

/** By law: what is changed. */
const SPOILT: Readonly<Record<string, (all: Recovered) => Recovered>> = {
  K1: (all) =>
    seeing(all, (one) => ({ committed: without(one, "b"), tallies: fewer(one.tallies) })),
  K2: (all) => seeing(all, () => ({ waiting: ["a"] })),
  K3: (all) => seeing(all, ({ tallies: [state, kv] }) => ({ tallies: [state, kv + 1] })),
  K4: (all) => seeing(all, ({ committed }) => ({ committed: committed.toReversed() })),
  K5: (all) =>
    seeing(all, (one) => ({
      committed: [...one.committed, { ...alarmOf(one), envelope_id: "again" }],
      tallies: fewer(one.tallies, -1),
    })),
  K6: (all) => {
    const two = all.agents.get("two")!;
    return {
      ...all,
      agents: new Map([...all.agents, ["two", { ...two, committed: [], tallies: [0, 0] }]]),
    };
  },
  K7: (all) => seeing(all, ({ outbox }) => ({ outbox: outbox.toSpliced(1, 1) })),
  K8: (all) =>
    seeing(
      all,
      ({ lines }) => ({ lines: lines.map((l) => ({ ...l, state: "reserved" as const })) }),
    ),
  K9: (all) =>
    seeing(all, ({ rows }) => ({
      rows: rows.map((row) =>
        row.key.startsWith("job/") ? { ...row, value: encodeJson({ status: "running" }) } : row
      ),
    })),
  K10: (all) =>
    seeing(all, ({ rows }) => ({ rows: [...rows, { key: "open/x", value: new Uint8Array() }] })),
  K11: (all) =>
    seeing(all, ({ rows }) => ({
      rows: rows.toSpliced(rows.findIndex(({ key }) => key.startsWith("blob/")), 1),
    })),
  K12: (all) => ({ ...all, owners: [...all.owners, "ghost"] }),
  K13: (all) => ({ ...all, changed: ["one turn"] }),
};

Deno.test("a world that keeps all laws of what has recovered breaks each once the one thing is changed", async () => {
  const all = await recovered();
  for (const { test } of crashLaws) await test(all);
  assert.deepEqual(Object.keys(SPOILT), crashLaws.map(({ id }) => id));
  for (const { id, test } of crashLaws) {
    await assert.rejects(test(SPOILT[id]!(all)), Error, `${id} bites`);
  }
});
