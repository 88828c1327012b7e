import fc from "fast-check";
import assert from "../assert.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { beginTxn, joinBatches } from "../../src/core/txn.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => value && new TextDecoder().decode(value);

const KEYS = ["a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "c"];
const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom("x", "y", "z");
const range = fc.record({
  prefix: fc.constantFrom("", "a/", "b/", "c", "d"),
  after: fc.option(key, { nil: undefined }),
  limit: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
});

const act = fc.oneof(
  fc.record({ act: fc.constant("put" as const), key, value }),
  fc.record({ act: fc.constant("remove" as const), key }),
  fc.record({ act: fc.constant("get" as const), key }),
  fc.record({ act: fc.constant("list" as const), range }),
);

Deno.test("a transaction reads as if its writes stood, and its batch makes them stand", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(key, value, { maxKeys: 6 }),
      fc.array(act, { maxLength: 25 }),
      async (rows, acts) => {
        const storage = memoryBackend().storage("one");
        const put = Object.entries(rows).map(([key, v]) => ({ key, value: bytes(v) }));
        await storage.commit({ check: [], remove: [], put });
        const model = new Map(Object.entries(rows));
        const txn = beginTxn(storage);
        for (const each of acts) {
          if (each.act === "put") {
            txn.put(each.key, bytes(each.value));
            model.set(each.key, each.value);
          } else if (each.act === "remove") {
            txn.remove(each.key);
            model.delete(each.key);
          } else if (each.act === "get") {
            assert.equal(text(await txn.get(each.key)), model.get(each.key));
          } else {
            const { prefix, after, limit } = each.range;
            const got = await txn.list({
              prefix,
              ...(after === undefined ? {} : { after }),
              ...(limit === undefined ? {} : { limit }),
            });
            const want = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
              .filter(([k]) => k.startsWith(prefix) && (after === undefined || k > after))
              .slice(0, limit ?? Infinity);
            assert.deepEqual(got.map((row) => [row.key, text(row.value)]), want);
          }
        }
        await storage.commit(txn.batch());
        const stands = await storage.list({ prefix: "" });
        const want = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(stands.map((row) => [row.key, text(row.value)]), want);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a batch holds what was read and written against what stands, and nothing else", async () => {
  const storage = memoryBackend().storage("one");
  await storage.commit({
    check: [],
    remove: [],
    put: ["read", "both", "written"].map((key) => ({ key, value: bytes("old") })),
  });
  const txn = beginTxn(storage);
  await txn.get("read");
  await txn.get("both");
  await txn.get("absent");
  txn.put("both", bytes("new"));
  txn.put("written", bytes("new"));
  txn.put("absent", bytes("new"));
  txn.put("both", bytes("newer"));
  const { check } = txn.batch();
  assert.deepEqual(check.map(({ key, value }) => [key, text(value)]), [
    ["both", "old"],
    ["absent", undefined],
  ]);
  await storage.commit({ check: [], remove: [], put: [{ key: "read", value: bytes("edited") }] });
  await storage.commit(txn.batch());
  assert.equal(text(await storage.get("both")), "newer");
  await assert.rejects(storage.commit(txn.batch()), { code: "conflict" });
});

Deno.test("joined batches are one after the other", () => {
  const a = {
    check: [{ key: "1", value: undefined }],
    remove: ["2"],
    put: [{ key: "3", value: bytes("a") }],
  };
  const b = {
    check: [{ key: "4", value: undefined }],
    remove: ["5"],
    put: [{ key: "3", value: bytes("b") }],
  };
  const joined = joinBatches(a, b);
  assert.deepEqual(joined.check.map(({ key }) => key), ["1", "4"]);
  assert.deepEqual(joined.remove, ["2", "5"]);
  assert.deepEqual(joined.put.map(({ value }) => text(value)), ["a", "b"]);
});
