/** The journal where its entries expire, are swept and are resolved while others use them. */
import assert from "../assert.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId } from "../../src/core/id.ts";
import { JOURNAL_TTL_MS, type Journaled, openJournal } from "../../src/core/journal.ts";
import type { AgentStorage, Batch } from "../../src/core/storage.ts";
import { joinBatches } from "../../src/core/txn.ts";

const ONE = agentId("one");

/** A journal whose clock stands where it is put, and whose storage does `before` once, before its next commit, and `listed` after its next look at many. */
function world() {
  const rows = memoryBackend().storage(ONE);
  const at: { now: number; before?: () => Promise<void>; listed?: () => Promise<void> } = {
    now: 1_000_000,
  };
  const storage: AgentStorage = {
    ...rows,
    async list(range) {
      const found = await rows.list(range);
      const { listed } = at;
      delete at.listed;
      await listed?.();
      return found;
    },
    async commit(batch) {
      const { before } = at;
      delete at.before;
      await before?.();
      await rows.commit(batch);
    },
  };
  let blobs = 0;
  const journal = openJournal({ storage, now: () => at.now, newBlobId: () => `b${++blobs}` });
  const order = (name: string): Journaled => ({
    id: journal.idOf("desk", name),
    digest: "d",
    path: "/desk/do",
    key: name,
  });
  return {
    at,
    rows,
    journal,
    order,
    commit: (batch: Batch) => rows.commit(batch),
    async begin(name: string): Promise<void> {
      const found = await journal.get(order(name).id, "d", "/desk/do");
      assert.ok("fresh" in found);
      await rows.commit(joinBatches(found.fresh, journal.begin(order(name))));
    },
    keys: async () => (await rows.list({ prefix: "" })).map(({ key }) => key),
    /** `cleanup` looks only every so many calls. */
    async sweep() {
      for (let n = 0; n < 16; n++) await journal.cleanup().catch(() => {});
    },
  };
}

Deno.test("entries are kept for their time and no longer, with all that belongs to them", async () => {
  const { at, journal, order, commit, keys, sweep } = world();
  for (let n = 0; n < 40; n++) {
    const answer = "x".repeat(n % 2 === 0 ? 10 : 100_000);
    await commit(journal.complete(order(`${n}`), { answer }));
  }
  at.now += JOURNAL_TTL_MS - 1;
  await sweep();
  assert.deepEqual("answer" in await journal.get(order("1").id, "d", "/desk/do"), true);
  at.now += 1;
  assert.deepEqual("fresh" in await journal.get(order("1").id, "d", "/desk/do"), true);
  await sweep();
  await sweep();
  assert.deepEqual(await keys(), []);
});

Deno.test("an entry that is begun anew while the old one is swept stays", async () => {
  const { at, journal, order, commit, begin, sweep } = world();
  for (const name of ["a", "b"]) await commit(journal.complete(order(name), { answer: name }));
  at.now += JOURNAL_TTL_MS;
  // Between the look for what has expired and its removal.
  at.listed = async () => {
    for (const name of ["a", "b"]) await begin(name);
  };
  for (let n = 0; n < 3; n++) await sweep();
  assert.deepEqual((await journal.open()).map(({ idempotency_key }) => idempotency_key).sort(), [
    "a",
    "b",
  ]);
  for (const name of ["a", "b"]) {
    await assert.rejects(journal.get(order(name).id, "d", "/desk/do"), { code: "interrupted" });
  }
});

Deno.test("an entry that is resolved twice at once is resolved once, and one begun anew is left alone", async () => {
  const { at, journal, order, begin } = world();
  await begin("a");
  const { id } = order("a");
  const both = await Promise.allSettled([
    journal.resolve(id, undefined),
    journal.resolve(id, "done"),
  ]);
  assert.deepEqual(both.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.ok("fresh" in await journal.get(id, "d", "/desk/do"), "the first one's word stands");
  await begin("a");
  at.before = async () => {
    await journal.resolve(id, undefined);
    at.now++;
    await begin("a");
  };
  await assert.rejects(journal.resolve(id, "done"), { code: "conflict" });
  await assert.rejects(journal.get(id, "d", "/desk/do"), { code: "interrupted" });
});
