/** Names in keys: any name, one key a name, in the byte order of the names. */
import fc from "fast-check";
import { key, keyName, nameOfKey } from "../../src/core/keys.ts";
import { KEY } from "../../src/core/storage.ts";
import { byteOrder } from "../../src/fs/path.ts";
import { deepEqual, equal, match, ok } from "../assert.ts";

const names = fc.string({ unit: "binary", minLength: 1, maxLength: 40 });

Deno.test("every name is printable ASCII in a key, and comes back", () => {
  fc.assert(fc.property(names, (name) => {
    match(`x${keyName(name)}`, KEY);
    ok(!keyName(name).includes("/"));
    equal(nameOfKey(keyName(name)), name);
  }));
});

Deno.test("keys sort as the bytes of their names do", () => {
  const segments = names.filter((name) => !name.includes("/"));
  fc.assert(fc.property(segments, segments, (a, b) => {
    const order = keyName(a) < keyName(b) ? -1 : keyName(a) > keyName(b) ? 1 : 0;
    equal(order, Math.sign(byteOrder(a, b)));
  }));
});

Deno.test("a directory's entries stand together, in the order of their names, whatever is below them", () => {
  const paths = [["a"], ["a-b"], ["a b"], ["a", "x"], ["a", "b", "y"], ["b"], ["ä"]];
  const keys = paths.map(key.file).concat(key.folder(["c"])).sort();
  const inRoot = keys.filter((at) => at.startsWith(key.entries([])));
  deepEqual(inRoot, [
    ...[["a"], ["a b"], ["a-b"], ["b"]].map(key.file),
    key.folder(["c"]),
    key.file(["ä"]),
  ]);
  deepEqual(
    keys.filter((at) => at.startsWith(key.below(["a"]))),
    [["a", "x"], ["a", "b", "y"]].map(key.file).sort(),
  );
});
