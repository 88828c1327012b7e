/** A batch: checks, then removals, then puts, all or nothing. */
import { refuses, same } from "../expect.ts";
import { key } from "../../src/core/keys.ts";
import {
  all,
  bytes,
  expecting,
  puts,
  removes,
  rowsOf,
  type StorageLaw,
  textOf,
} from "./subject.ts";

/** More rows than any group of commits is likely to hold. */
const MANY = 5000;

export const batchLaws: readonly StorageLaw[] = [
  {
    id: "S10",
    name: "a_refused_batch_leaves_nothing",
    says:
      "A batch whose check fails rejects with `conflict` and has changed nothing, whichever of its checks it was.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const before = { a: "1", state: "s", [key.inbox(1)]: "e" };
      await storage.commit(puts(before));
      const want = await all(storage);
      for (const wrong of [0, 1, 2]) {
        const check = rowsOf(before);
        check[wrong] = { key: check[wrong]!.key, value: bytes("other") };
        const batch = {
          check,
          remove: ["a", key.inbox(1)],
          put: rowsOf({ b: "new", state: "t", [key.inbox(2)]: "f" }),
        };
        await refuses("conflict", () => storage.commit(batch), `check ${wrong} of 3 fails`);
        same(await all(storage), want, "rows after the refusal");
      }
      same(await backend.find({ prefix: "inbox/", limit: 9 }), [
        { owner: "abc", key: key.inbox(1) },
      ], "what is found after the refusals");
    },
  },
  {
    id: "S11",
    name: "a_check_knows_absent_from_present",
    says: "A check without a value holds only where there is no row; an empty row is one.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      for (const k of ["state", key.kv("a"), key.inbox(1), key.retry(1, 1)]) {
        await storage.commit(expecting(k, undefined, { [k]: "" }));
        await refuses("conflict", () => storage.commit(expecting(k, undefined)), `"${k}" is empty`);
        await storage.commit(expecting(k, "", { [k]: "full" }));
        await refuses("conflict", () => storage.commit(expecting(k, undefined)), `"${k}" is there`);
        await storage.commit(removes(k));
        await refuses("conflict", () => storage.commit(expecting(k, "")), `"${k}" is not empty`);
        await refuses("conflict", () => storage.commit(expecting(k, "full")), `"${k}" is gone`);
        await storage.commit(expecting(k, undefined));
      }
    },
  },
  {
    id: "S12",
    name: "a_check_compares_every_byte",
    says: "A check with a value holds only where the row has exactly these bytes.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      for (const k of ["state", key.kv("a"), key.inbox(1)]) {
        await storage.commit(puts({ [k]: "12345678" }));
        await storage.commit(expecting(k, "12345678"));
        const others = ["", "1234567", "123456789", "02345678", "12345670", "1234\x005678", "8"];
        for (const other of others) {
          const what = `"${k}" holds "12345678", not "${other}"`;
          await refuses("conflict", () => storage.commit(expecting(k, other)), what);
        }
      }
    },
  },
  {
    id: "S13",
    name: "checks_come_before_changes",
    says: "Checks look at the rows as they were before the batch's own removals and puts.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit({
        check: [{ key: "a", value: undefined }, { key: key.inbox(1), value: undefined }],
        remove: [],
        put: rowsOf({ a: "1", [key.inbox(1)]: "1" }),
      });
      await storage.commit({
        check: [{ key: "a", value: bytes("1") }, { key: key.inbox(1), value: bytes("1") }],
        remove: ["a", key.inbox(1)],
        put: [],
      });
      same(await all(storage), [], "rows that were checked, then removed");
      const own = expecting("a", "1", { a: "1" });
      await refuses("conflict", () => storage.commit(own), "a check of what the batch itself puts");
    },
  },
  {
    id: "S14",
    name: "what_is_removed_and_put_stands",
    says:
      "A key that a batch both removes and puts stands afterwards with what was put; of two puts the later counts.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      for (const k of ["state", key.kv("a"), key.inbox(1), key.alarm(1, "a")]) {
        await storage.commit({ check: [], remove: [k], put: rowsOf({ [k]: "new" }) });
        same(await textOf(storage, k), "new", `"${k}" removed before it was there, and put`);
        await storage.commit({ check: [], remove: [k], put: rowsOf({ [k]: "newer" }) });
        same(await textOf(storage, k), "newer", `"${k}" removed and put`);
        const put = [{ key: k, value: bytes("first") }, { key: k, value: bytes("last") }];
        await storage.commit({ check: [], remove: [], put });
        same(await textOf(storage, k), "last", `"${k}" put twice`);
        same((await storage.list({ prefix: k })).length, 1, `rows of "${k}"`);
      }
    },
  },
  {
    id: "S15",
    name: "removing_takes_exactly_the_key",
    says:
      "A removal takes the row of that key and no other, and removing what is absent is no error.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const rows = { "kv/a": "1", "kv/a/b": "2", "kv/ab": "3", kv: "4", [key.inbox(1)]: "5" };
      await storage.commit(puts(rows));
      await storage.commit(removes("kv/a", "kv/a", "kv/", "nowhere", key.inbox(2)));
      const want = ["inbox/000000000001=5", "kv=4", "kv/a/b=2", "kv/ab=3"];
      same(await all(storage), want, "rows that stay");
      same(await storage.get("kv/a"), undefined, "the row that was removed");
      await backend.storage("new").commit(removes("nowhere"));
    },
  },
  {
    id: "S16",
    name: "an_empty_batch_commits",
    says: "A batch of nothing, or of checks alone, commits and changes nothing.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit({ check: [], remove: [], put: [] });
      await storage.commit(expecting("a", undefined));
      same(await all(storage), [], "rows");
      same(await backend.owners({ limit: 9 }), [], "owners");
    },
  },
  {
    id: "S17",
    name: "a_large_batch_is_one_batch",
    says: `A batch of ${MANY} rows is all or nothing like any other.`,
    async test({ backend, reopen }) {
      const storage = backend.storage("abc");
      const keys = Array.from({ length: MANY }, (_, n) => key.trajectory(n));
      const put = keys.map((k) => ({ key: k, value: bytes(k) }));
      const refused = { check: [{ key: "a", value: bytes("1") }], remove: [], put };
      await refuses("conflict", () => storage.commit(refused), "a large batch that is refused");
      same(await all(storage), [], "rows after the refusal");
      await storage.commit({ check: [{ key: "a", value: undefined }], remove: [], put });
      const again = (await reopen()).storage("abc");
      const listed = (await again.list({ prefix: "" })).map((row) => row.key);
      same(listed.length, MANY, "the number of rows");
      same(listed, keys, "the rows");
      await again.commit({ check: [], remove: keys, put: [] });
      same(await all(again), [], "rows after they were removed");
    },
  },
];
