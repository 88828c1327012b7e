/** Storages that do not keep what they promise: some crash point must show each of them. */
import assert from "../assert.ts";
import { type Mortal, through } from "../../conformance/crash.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { Batch } from "../../src/core/storage.ts";
import { mortalOn } from "./mortal.ts";
import { storagePoints } from "./points.ts";
import { WORKLOADS } from "./workloads.ts";

type Commit = (batch: Batch) => Promise<void>;

const BROKEN: Readonly<Record<string, (commit: Commit) => Commit>> = {
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

const SHOWN_BY = ["tick", "send"];

for (const [name, spoil] of Object.entries(BROKEN)) {
  Deno.test(`a crash shows a storage that ${name}`, async () => {
    const broken = (backend: Backend): Backend => ({
      ...backend,
      storage(owner) {
        const storage = backend.storage(owner);
        return { ...storage, commit: spoil((batch) => storage.commit(batch)) };
      },
    });
    const memory = mortalOn("memory");
    const mortal: Mortal = (kill, outside) => memory((backend) => broken(kill(backend)), outside);
    const makers = WORKLOADS.filter((make) => SHOWN_BY.includes(make().name));
    assert.equal(makers.length, SHOWN_BY.length);
    // Nothing is wrong as long as nobody dies.
    for (const make of makers) await through(make(), [], mortal);
    await assert.rejects(async () => {
      for (const make of makers) await storagePoints(make, mortal);
    });
  });
}
