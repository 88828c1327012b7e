/** Crash points: a runtime that dies at any touch of its storage, and once more while it recovers, comes to the end that a run without a crash has. */
import assert from "../assert.ts";
import {
  anonymous,
  type Deaths,
  messaging,
  type Mortal,
  sending,
  spending,
  through,
  ticking,
  type When,
  type Workload,
} from "../../conformance/crash.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import { createAgentd } from "../../src/agentd.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { Batch } from "../../src/core/storage.ts";
import { sqliteTicks } from "../conformance/tick_subjects.ts";

const WHEN: readonly When[] = ["before", "after"];
const WORKLOADS: readonly (() => Workload)[] = [
  () => sending,
  anonymous,
  () => ticking,
  () => messaging,
  () => spending,
];
/** On a disk each run takes some ten times as long: every so manyth touch is tried. */
const SQLITE_STRIDE = Deno.env.get("CRASH_ALL") ? 1 : 11;
/** Where two lives die, every so manyth touch of the first and of the second. */
const FIRST_STRIDE = 41;
const SECOND_STRIDE = 19;

const memory: Mortal = (spoil) =>
  memoryTicks("memory", {
    begin: (parts) => createAgentd({ ...parts, backend: spoil(parts.backend) }),
  });
const sqlite: Mortal = (spoil) =>
  sqliteTicks("sqlite", {
    begin: (parts) => createAgentd({ ...parts, backend: spoil(parts.backend) }),
  });

/** Rejects naming the deaths after which the end was wrong. */
async function survive(make: () => Workload, deaths: Deaths, mortal: Mortal): Promise<boolean> {
  try {
    return (await through(make(), deaths, mortal)).died;
  } catch (error) {
    const where = deaths.map(({ at, when }) => `${when} touch ${at}`).join(", then ");
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

/** Dies at each touch until the workload gets by without dying. Answers how many were tried. */
async function everyPoint(
  make: () => Workload,
  mortal: Mortal,
  { from = 1, stride = 1, before = [] as Deaths } = {},
): Promise<number> {
  let tried = 0;
  for (const when of WHEN) {
    for (let at = from;; at += stride) {
      if (!await survive(make, [...before, { at, when }], mortal)) break;
      tried++;
    }
  }
  assert.ok(tried > 0, "there was something to die at");
  return tried;
}

for (const make of WORKLOADS) {
  Deno.test(`memory survives a crash at every touch of "${make().name}"`, async () => {
    console.log(`${await everyPoint(make, memory)} crash points of "${make().name}" in memory`);
  });

  Deno.test(`sqlite survives crashes at touches of "${make().name}"`, async () => {
    const tried = await everyPoint(make, sqlite, { from: 3, stride: SQLITE_STRIDE });
    console.log(`${tried} crash points of "${make().name}" on SQLite, every ${SQLITE_STRIDE}th`);
  });

  Deno.test(`memory survives crashes while it recovers from one in "${make().name}"`, async () => {
    let tried = 0;
    for (const [n, when] of WHEN.entries()) {
      for (let at = 11 + n * 13;; at += FIRST_STRIDE) {
        if (!await survive(make, [{ at, when }], memory)) break;
        const before = [{ at, when }];
        tried += await everyPoint(make, memory, {
          from: 1 + at % 5,
          stride: SECOND_STRIDE,
          before,
        });
      }
    }
    console.log(`${tried} second crash points of "${make().name}" in memory`);
  });
}

/** Storages that do not keep what they promise: some crash point must show it. */
const BROKEN: Readonly<
  Record<string, (commit: (batch: Batch) => Promise<void>) => (batch: Batch) => Promise<void>>
> = {
  "commits in two parts": (commit) => async (batch) => {
    const half = Math.ceil(batch.put.length / 2);
    await commit({ check: batch.check, remove: [], put: batch.put.slice(0, half) });
    await commit({ check: [], remove: batch.remove, put: batch.put.slice(half) });
  },
  "keeps ids before what they stand for": (commit) => async (batch) => {
    const early = batch.put.filter(({ key }) => key.startsWith("seen/"));
    if (early.length === 0) return await commit(batch);
    await commit({ check: batch.check, remove: [], put: early });
    await commit({ ...batch, check: [], put: batch.put.filter((row) => !early.includes(row)) });
  },
  "forgets how far each sender has come": (commit) => (batch) =>
    commit({ ...batch, put: batch.put.filter(({ key }) => !key.startsWith("peer/")) }),
  "removes before it puts": (commit) => async (batch) => {
    if (batch.remove.length > 0) {
      await commit({ check: batch.check, remove: batch.remove, put: [] });
    }
    if (batch.put.length > 0) {
      const check = batch.remove.length > 0 ? [] : batch.check;
      await commit({ check, remove: [], put: batch.put });
    }
  },
};

for (const [name, spoil] of Object.entries(BROKEN)) {
  Deno.test(`a crash shows a storage that ${name}`, async () => {
    const broken = (backend: Backend): Backend => ({
      ...backend,
      storage(owner) {
        const storage = backend.storage(owner);
        return { ...storage, commit: spoil((batch) => storage.commit(batch)) };
      },
    });
    const mortal: Mortal = (kill) =>
      memoryTicks(name, {
        begin: (parts) => createAgentd({ ...parts, backend: broken(kill(parts.backend)) }),
      });
    for (const make of WORKLOADS) await survive(make, [], mortal);
    await assert.rejects(async () => {
      for (const make of [WORKLOADS[2]!, WORKLOADS[0]!]) await everyPoint(make, mortal);
    });
  });
}
