/** What people read of the laws is what the laws say. */
import { type LawList, LISTS } from "../../conformance/mod.ts";
import assert from "../assert.ts";
import { misnumbered, README, readme } from "./readme.ts";
import { files, text } from "./tree.ts";

function list(...laws: [id: string, name: string, says: string][]): LawList {
  const title = "X: things", about = "What things keep.";
  return { title, about, laws: laws.map(([id, name, says]) => ({ id, name, says })) };
}

Deno.test("house: the readme of the laws tells every sentence", () => {
  const said = readme([list(["X1", "stays", "What was put stays."])]);
  assert.match(said, /\n## X: things\n\nWhat things keep\.\n\n- \*\*X1\*\* `stays`: What was put/);
});

Deno.test("house: the readme of the laws shows names as they are", () => {
  const said = readme([list(["X1", "a", "`__a__` and __b__ are not_marks, *none* neither."])]);
  assert.ok(said.includes("`__a__` and \\_\\_b\\_\\_ are not_marks, \\*none\\* neither."), said);
});

Deno.test("house: conformance/README.md is what the laws say", async () => {
  assert.ok(
    await text(README) === readme(LISTS),
    `${README} is not what the laws say: run deno run -A tests/house/readme.ts`,
  );
});

Deno.test("house: the rule of numbered laws bites", () => {
  const broken = misnumbered([
    list(["X1", "stays", "It stays."], ["X1", "goes", "It goes."]),
    list(["X2", "goes", "It leaves."], ["Y3", "Bad name", ""], ["Y4", "comes", "It stays."]),
  ]);
  assert.deepEqual(broken, [
    "Y3 Bad name: a law has an id like S1, a name_like_this, a sentence",
    "X1 goes has the same id as X1 stays",
    "X2 goes has the same name as X1 goes",
    "Y4 comes has the same says as X1 stays",
  ]);
});

Deno.test("house: every law has an id, a name and a sentence of its own", () => {
  assert.deepEqual(misnumbered(LISTS), []);
});

Deno.test("house: every list of laws is in the register", async () => {
  const register = await text("conformance/mod.ts");
  const lists = (await files()).filter((file) => /^conformance\/[a-z_]+\.ts$/.test(file));
  for (const file of lists) {
    if (!/export const \w+Laws\b/.test(await text(file))) continue;
    const name = file.slice("conformance/".length);
    assert.ok(register.includes(`"./${name}"`), `${file} has laws: name it in conformance/mod.ts`);
  }
});
