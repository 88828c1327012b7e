/** Lists: in key order, of a prefix, in pages. */
import { refuses, same } from "../expect.ts";
import type { Row } from "../../src/core/storage.ts";
import { key } from "../../src/core/keys.ts";
import { all, bytes, inPages, puts, shown, type StorageLaw } from "./subject.ts";

/** Given out of order; they share beginnings, and families that are found stand between those that are not. */
const KEYS = [
  "z",
  "a",
  "A",
  "a/",
  "a/b",
  "a/b/c",
  "a/b0",
  "a/c",
  "a0",
  "a!",
  "a~",
  "a/~",
  "a/!",
  "ab",
  "b",
  "~",
  "!",
  "i",
  "in",
  "inb",
  "inbox",
  "inbox/000000000001",
  "inbox/000000000002",
  "inbox/000000000010",
  "inbox0",
  "inboxes/1",
  "alarm",
  "alarm/0000000000000001/x",
  "alarm/0000000000000001/x/y",
  "alarm0",
  "alarmid/x",
  "open/x",
  "opera/x",
  "send/000000000001",
  "seen/x",
  "retry/0000000000000001/000000000001",
  "draft/x",
];
const SORTED = [...KEYS].sort();
/** Whole keys, beginnings of some, and what no key begins with. */
const PREFIXES = ["", ...KEYS, "a/b/", "inbox/0000000000", "al", "inbox/x", "nothing", "s", "!!"];

const BATCH = puts(Object.fromEntries(KEYS.map((k) => [k, k])));

export const rangeLaws: readonly StorageLaw[] = [
  {
    id: "S18",
    name: "a_list_is_in_key_order",
    says:
      "`list` answers rows in the byte order of their keys, whatever the order in which they came.",
    async test({ backend, reopen }) {
      const storage = backend.storage("abc");
      for (const row of BATCH.put) await storage.commit({ check: [], remove: [], put: [row] });
      const want = SORTED.map((k) => `${k}=${k}`);
      same(await all(storage), want, "all rows");
      same(await all((await reopen()).storage("abc")), want, "all rows after a restart");
    },
  },
  {
    id: "S19",
    name: "a_list_is_of_its_prefix",
    says: "`list` answers every row whose key begins with the prefix, and no other.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit(BATCH);
      for (const prefix of PREFIXES) {
        const got = (await storage.list({ prefix })).map((row) => row.key);
        same(got, SORTED.filter((k) => k.startsWith(prefix)), `keys under "${prefix}"`);
      }
    },
  },
  {
    id: "S20",
    name: "a_list_goes_on_behind_a_key",
    says:
      "With `after`, a list holds the keys of the prefix behind that key, whether or not it is there or under the prefix.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit(BATCH);
      const places = [...KEYS, "a/b1", "inbox/", "inbox/000000000003", "alarm/", "zz", "0", "~~"];
      for (const prefix of ["", "a/", "a", "inbox/", "in", "alarm/", "z"]) {
        for (const after of places) {
          const got = (await storage.list({ prefix, after })).map((row) => row.key);
          const want = SORTED.filter((k) => k.startsWith(prefix) && k > after);
          same(got, want, `keys under "${prefix}" behind "${after}"`);
        }
      }
    },
  },
  {
    id: "S21",
    name: "a_list_has_a_limit",
    says:
      "A list has at most `limit` rows, the first ones; pages of any size, put together, are the whole.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit(BATCH);
      for (const prefix of ["", "a", "in", "inbox/"]) {
        const whole = await all(storage, prefix);
        same(await storage.list({ prefix, limit: 0 }), [], "a list of at most 0 rows");
        for (const limit of [1, 2, 3, 7, 1000]) {
          const first = await storage.list({ prefix, limit });
          same(shown(first), whole.slice(0, limit), `the first ${limit} under "${prefix}"`);
          const pages = await inPages<Row>(limit, (last) => {
            const range = { prefix, limit };
            return storage.list(last ? { ...range, after: last.key } : range);
          });
          same(shown(pages), whole, `"${prefix}" in pages of ${limit}`);
        }
      }
    },
  },
  {
    id: "S22",
    name: "a_range_makes_sense",
    says:
      "A limit that is no whole number from 0, or a prefix that no key could have, is `invalid_request`.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await storage.commit({
        check: [],
        remove: [],
        put: [{ key: key.inbox(1), value: bytes("1") }],
      });
      for (const limit of [-1, 0.5, NaN, Infinity]) {
        const what = `a limit of ${limit}`;
        await refuses("invalid_request", () => storage.list({ prefix: "", limit }), what);
        await refuses("invalid_request", () => backend.owners({ limit }), what);
        await refuses("invalid_request", () => backend.find({ prefix: "inbox/", limit }), what);
      }
      for (const prefix of ["a b", "é", "\x00"]) {
        const what = `the text ${JSON.stringify(prefix)}`;
        await refuses("invalid_request", () => storage.list({ prefix }), `${what} as a prefix`);
        const after = () => storage.list({ prefix: "", after: prefix });
        await refuses("invalid_request", after, `${what} as a place`);
      }
    },
  },
];
