/** No file names the machine it was written on, or where packages come from. */
import assert from "../assert.ts";
import { files, text } from "./tree.ts";
import { forbidden } from "./words.ts";

Deno.test("house: the rule of forbidden words bites", () => {
  // Put together here, so that this file does not break the rule itself.
  for (const word of [["registry", "example", "org"].join("."), ["", "work", "x"].join("/")]) {
    assert.equal(forbidden("a.ts", `first\nsee ${word} there`).length, 1, word);
    assert.match(forbidden("a.ts", `first\nsee ${word} there`)[0]!, /^a\.ts:2 says/);
  }
  assert.deepEqual(forbidden("a.ts", "registry.get(id); /agents/abc/work/x ./root/y"), []);
});

Deno.test("house: no file names a registry's host or a path of one machine", async () => {
  const faults: string[] = [];
  for (const file of await files()) faults.push(...forbidden(file, await text(file)));
  assert.deepEqual(faults, []);
});
