import fc from "fast-check";
import assert from "../assert.ts";
import { type Laid, rowLayer } from "../../src/backends/row_layer.ts";

const KEYS = ["a", "state", "kv", "kv/", "kv/1", "kv/2", "kv/10", "kva/1", "turn", "trace/3"];
const PREFIXES = ["", "k", "kv", "kv/", "kv/1", "t", "trace/", "none/", "x"];
const VALUES: readonly Laid[] = [null, new Uint8Array(0), new Uint8Array(3)];
const set = fc.record({
  owner: fc.constantFrom("a", "b"),
  key: fc.constantFrom(...KEYS),
  value: fc.constantFrom(...VALUES),
  undone: fc.boolean(),
});

Deno.test("a layer tells every range as a sorted map would, whatever was set and taken back", () => {
  fc.assert(fc.property(fc.array(set, { maxLength: 40 }), (sets) => {
    const layer = rowLayer();
    const model = { a: new Map<string, Laid>(), b: new Map<string, Laid>() };
    for (const { owner, key, value, undone } of sets) {
      const before = layer.set(owner, key, value);
      assert.equal(before, model[owner as "a"].get(key));
      // In between it is read, which sorts.
      assert.deepEqual([...layer.range(owner, key, "")][0], [key, value]);
      if (undone) layer.undo(owner, key, before);
      else model[owner as "a"].set(key, value);
    }
    for (const owner of ["a", "b"] as const) {
      const rows = [...model[owner]].sort(([x], [y]) => x < y ? -1 : 1);
      for (const prefix of PREFIXES) {
        for (const from of ["", "kv/1", "kv/11", "z"]) {
          const want = rows.filter(([key]) => key.startsWith(prefix) && key >= from);
          assert.deepEqual([...layer.range(owner, prefix, from)], want);
        }
      }
      const all = [...layer.all()].filter(([of]) => of === owner);
      assert.deepEqual(new Map(all.map(([, key, value]) => [key, value])), model[owner]);
    }
    const size = model.a.size + model.b.size;
    assert.ok(size === 0 ? layer.bytes === 0 : layer.bytes >= size);
  }));
});
