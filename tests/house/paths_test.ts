/** Every path that a document names is there. */
import assert from "../assert.ts";
import { missing } from "./paths.ts";
import { files, text } from "./tree.ts";

const all = await files();

Deno.test("house: the rule of named paths bites", () => {
  const tree = ["main.ts", "src/fs/path.ts", "src/README.md", "docs/a b.md"];
  const named = (doc: string, source: string) =>
    missing(doc, source, tree).map((fault) => fault.split(" ")[2]);
  assert.deepEqual(named("README.md", "See src/fs/path.ts, src/fs/ and `main.ts`."), []);
  assert.deepEqual(named("README.md", "See src/fs/gone.ts."), ["src/fs/gone.ts:"]);
  assert.deepEqual(named("README.md", "All of `src/old/*.ts`, ./bot/agent.ts"), ["src/old/:"]);
  assert.deepEqual(named("README.md", "`deno.json` and src/fs/path.ts/"), [
    "src/fs/path.ts/:",
    "deno.json:",
  ]);
  assert.deepEqual(named("docs/x.md", "[a](a%20b.md) [b](../main.ts) [c](gone.md#x)"), [
    "docs/gone.md:",
  ]);
  assert.deepEqual(named("src/README.md", "`fs/path.ts` `fs/` `core/tick.ts`"), [
    "src/core/tick.ts:",
  ]);
});

Deno.test("house: every path named in a document is there", async () => {
  const docs = all.filter((file) =>
    /^(README\.md|src\/README\.md|conformance\/README\.md|docs\/.*\.md)$/.test(file)
  );
  assert.ok(docs.includes("src/README.md"), "src/README.md is the map: it must be there");
  const faults: string[] = [];
  for (const doc of docs) faults.push(...missing(doc, await text(doc), all));
  assert.deepEqual(faults, []);
});
