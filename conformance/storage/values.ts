/** What goes in comes out: keys and values, their limits, and whose arrays they are. */
import { holds, refuses, same } from "../expect.ts";
import { type Batch, MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../../src/core/storage.ts";
import { key } from "../../src/core/keys.ts";
import { all, bytes, puts, shown, type StorageLaw, textOf } from "./subject.ts";

const BAD_KEYS = ["", " ", "a b", "a\tb", "a\n", "\x00", "\x7f", "é", "a\u{1F600}"];
const TOO_LONG = "k".repeat(MAX_KEY_BYTES + 1);

/** One row of each kind of place that a storage may keep apart. */
const PLACES = ["state", key.kv("a"), key.inbox(1), key.alarm(1, "a")];

export const valueLaws: readonly StorageLaw[] = [
  {
    id: "S1",
    name: "what_was_put_is_got",
    says: "`get` answers the bytes last put under the key, and undefined where there are none.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      for (const k of PLACES) {
        same(await storage.get(k), undefined, `"${k}" before it was put`);
        await storage.commit(puts({ [k]: "one" }));
        same(await textOf(storage, k), "one", `"${k}"`);
        await storage.commit(puts({ [k]: "two" }));
        same(await textOf(storage, k), "two", `"${k}" put again`);
        const long = "three".repeat(50_000);
        await storage.commit(puts({ [k]: long }));
        same(await textOf(storage, k), long, `"${k}" put again, longer`);
      }
      same((await all(storage)).length, PLACES.length, "the number of rows");
    },
  },
  {
    id: "S2",
    name: "a_value_may_be_empty",
    says: "An empty value is a row like any other.",
    async test({ backend, reopen }) {
      const empty = new Uint8Array(0);
      await backend.storage("abc").commit(puts(Object.fromEntries(PLACES.map((k) => [k, ""]))));
      const storage = (await reopen()).storage("abc");
      for (const k of PLACES) same(await storage.get(k), empty, `the empty row "${k}"`);
      same((await all(storage)).length, PLACES.length, "empty rows listed");
      const check = PLACES.map((k) => ({ key: k, value: empty }));
      await storage.commit({ check, remove: [], put: [] });
    },
  },
  {
    id: "S3",
    name: "every_byte_survives",
    says:
      "A value of any bytes, up to `MAX_VALUE_BYTES` of them, comes back as it was, also after a restart.",
    async test({ backend, reopen }) {
      const every = Uint8Array.from({ length: 256 }, (_, i) => i);
      const largest = new Uint8Array(MAX_VALUE_BYTES).map((_, i) => (i * 31 + (i >> 8)) & 255);
      const keys = [key.kv("a"), key.inbox(1)];
      await backend.storage("abc").commit({
        check: [],
        remove: [],
        put: [
          { key: "state", value: every },
          ...keys.map((k) => ({ key: k, value: largest })),
        ],
      });
      const storage = (await reopen()).storage("abc");
      same(await storage.get("state"), every, "256 bytes");
      for (const k of keys) {
        const got = await storage.get(k);
        holds(got?.byteLength === MAX_VALUE_BYTES, `"${k}" has ${got?.byteLength} bytes`);
        const at = largest.findIndex((byte, i) => byte !== got[i]);
        holds(at === -1, `"${k}" differs at byte ${at}`);
      }
    },
  },
  {
    id: "S4",
    name: "a_value_has_a_limit",
    says: "A value above `MAX_VALUE_BYTES` is `too_large`, and nothing of its batch is stored.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const batch = puts({ a: "1" });
      const put = [...batch.put, { key: "b", value: new Uint8Array(MAX_VALUE_BYTES + 1) }];
      await refuses("too_large", () => storage.commit({ ...batch, put }), "a larger value");
      same(await all(storage), [], "rows after the refusal");
    },
  },
  {
    id: "S5",
    name: "a_key_is_printable_ascii",
    says:
      "A key that is empty, too long, or has a space, a control or a character beyond ASCII is `invalid_request` wherever it is named, and nothing of its batch is stored.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      for (const bad of [...BAD_KEYS, TOO_LONG]) {
        const what = `the key ${JSON.stringify(bad.slice(0, 20))}`;
        const value = bytes("x");
        const good = { key: "a", value };
        const batches: Batch[] = [
          { check: [], remove: [], put: [good, { key: bad, value }] },
          { check: [], remove: [bad], put: [good] },
          { check: [{ key: bad, value: undefined }], remove: [], put: [good] },
        ];
        await refuses("invalid_request", () => storage.get(bad), `get of ${what}`);
        for (const batch of batches) {
          await refuses("invalid_request", () => storage.commit(batch), `a batch with ${what}`);
        }
      }
      same(await all(storage), [], "rows after the refusals");
    },
  },
  {
    id: "S6",
    name: "every_printable_key_is_a_key",
    says:
      "Each printable character can stand in a key and means only itself, and a key may be `MAX_KEY_BYTES` long.",
    async test({ backend, reopen }) {
      const marks = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
      const keys = [
        ...marks,
        ...marks.map((mark) => `kv/${mark}`),
        ...["a%", "a_", "a%25", "a'b", 'a"b', "a\\b", "a//b", "a/../b", "../a", "a*", "a?", "$1"],
        "l".repeat(MAX_KEY_BYTES),
        "l".repeat(MAX_KEY_BYTES - 1) + "m",
        key.inbox(1) + "/" + "~".repeat(50),
      ];
      const put = keys.map((k, i) => ({ key: k, value: bytes(String(i)) }));
      await backend.storage("abc").commit({ check: [], remove: [], put });
      const storage = (await reopen()).storage("abc");
      for (const [i, k] of keys.entries()) {
        same(await textOf(storage, k), String(i), `the row ${k.slice(0, 20)}`);
        const found = await storage.list({ prefix: k });
        const want = keys.filter((other) => other.startsWith(k)).length;
        same(found.length, want, `rows under the prefix ${k.slice(0, 20)}`);
      }
      same((await storage.list({ prefix: "" })).length, keys.length, "the number of rows");
    },
  },
  {
    id: "S7",
    name: "names_of_the_language_are_just_names",
    says:
      "`constructor`, `__proto__` and their like are keys and owners like any other: absent until put.",
    async test({ backend }) {
      const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];
      const owners = ["constructor", "valueof"];
      for (const owner of owners) {
        const storage = backend.storage(owner);
        same(await all(storage), [], `rows of "${owner}" before any were put`);
        for (const k of names) same(await storage.get(k), undefined, `"${k}" before it was put`);
        const put = names.map((k) => ({ key: k, value: bytes(k) }));
        const check = names.map((k) => ({ key: k, value: undefined }));
        await storage.commit({ check, remove: [], put });
        for (const k of names) same(await textOf(storage, k), k, `"${k}"`);
      }
      same(await backend.owners({ limit: 10 }), [...owners].sort(), "owners");
    },
  },
  {
    id: "S8",
    name: "a_batch_is_taken_as_it_was_given",
    says:
      "Changing a batch, its lists or their arrays after the call of `commit` changes nothing that is stored or checked.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const [value, expected] = [bytes("given"), bytes("there")];
      const batch = {
        check: [{ key: "turn", value: expected }],
        remove: ["old"],
        put: [{ key: "state", value }, { key: key.inbox(1), value }],
      };
      await storage.commit(puts({ turn: "there", old: "1", kept: "2" }));
      const done = storage.commit(batch);
      value.fill(0);
      expected.fill(0);
      batch.remove[0] = "kept";
      batch.put.pop();
      batch.put.push({ key: "late", value: bytes("late") });
      batch.check.push({ key: "nowhere", value: bytes("x") });
      await done;
      const want = ["inbox/000000000001=given", "kept=2", "state=given", "turn=there"];
      same(await all(storage), want, "rows after the batch was changed");
      const later = bytes("given");
      await storage.commit({ check: [], remove: [], put: [{ key: "state", value: later }] });
      later.fill(0);
      same(await textOf(storage, "state"), "given", "a value whose array was changed later");
    },
  },
  {
    id: "S9",
    name: "an_answer_belongs_to_who_asked",
    says:
      "Changing an array that `get` or `list` gave changes nothing that is stored, nor what others were given.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const rows = { state: "one", [key.inbox(1)]: "one", [key.kv("a")]: "one" };
      await storage.commit(puts(rows));
      for (const k of Object.keys(rows)) {
        const [first, second] = [await storage.get(k), await storage.get(k)];
        first?.fill(0);
        same(second, bytes("one"), `another answer for "${k}"`);
        same(await textOf(storage, k), "one", `"${k}" after an answer was changed`);
        const [listed] = await storage.list({ prefix: k });
        listed?.value.fill(0);
        same(shown(await storage.list({ prefix: k })), [`${k}=one`], `"${k}" listed again`);
        await storage.commit({ check: [{ key: k, value: bytes("one") }], remove: [], put: [] });
      }
    },
  },
];
