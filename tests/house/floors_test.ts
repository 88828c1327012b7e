/** Who may import whom, held against the tree; each rule first against a graph that breaks it. */
import assert from "../assert.ts";
import { cycles, foreign, orphans, sideDoors, upward } from "./floors.ts";
import { files, type Graph, graph, urlsIn } from "./tree.ts";

/** Entered from outside: by a command, by deno.json, or by who embeds the runtime. */
const DOORS = [
  ".ci/compile.ts",
  "main.ts",
  "src/agentd.ts",
  "conformance/crash/workloads",
  "conformance/memory.ts",
  "conformance/mod.ts",
  "tests/bench",
  "tests/fuzz",
  "tests/conformance/run.ts",
  "tests/crash/run.ts",
  "tests/house/lint.ts",
  "tests/house/readme.ts",
  "tests/llama/run.ts",
  "tests/powercut/run.ts",
  "tests/sim/run.ts",
  "tests/soak/run.ts",
];

const sources = (await files()).filter((file) => file.endsWith(".ts"));
const house = await graph(sources);

function bad(imports: Readonly<Record<string, readonly string[]>>): Graph {
  return new Map(Object.entries(imports));
}

Deno.test("house: imports run downward only", () => {
  const broken = upward(bad({
    "src/fs/a.ts": ["src/core/b.ts"],
    "src/http/app.ts": ["src/services/mod.ts", "src/core/runtime.ts", "npm:hono"],
    "src/cli/serve.ts": ["src/http/app.ts", "src/agentd.ts", "src/cli/print.ts"],
    "conformance/ticks.ts": ["tests/sim/faults.ts"],
    "tests/fs/a_test.ts": ["src/cli/serve.ts"],
  }));
  assert.deepEqual(broken.map((fault) => fault.split(":")[0]), [
    "src/fs/a.ts imports src/core/b.ts",
    "src/http/app.ts imports src/services/mod.ts",
    "conformance/ticks.ts imports tests/sim/faults.ts",
  ]);
  assert.deepEqual(upward(house), []);
});

Deno.test("house: a room imports only the packages of its row", () => {
  const broken = foreign(bad({
    "src/fs/a.ts": ["npm:zod"],
    "src/core/b.ts": ["npm:zod", "node:crypto"],
    "src/backends/memory.ts": ["node:sqlite"],
    "src/backends/local/sqlite.ts": ["node:sqlite"],
    "src/providers/signer/local.ts": ["npm:nostr-tools"],
    "src/providers/compute/http.ts": ["npm:nostr-tools"],
    "conformance/files.ts": ["npm:fast-check"],
  }));
  assert.deepEqual(broken.map((fault) => fault.split(": ")[0]), [
    "src/fs/a.ts imports npm:zod",
    "src/core/b.ts imports node:crypto",
    "src/backends/memory.ts imports node:sqlite",
    "src/providers/compute/http.ts imports npm:nostr-tools",
    "conformance/files.ts imports npm:fast-check",
  ]);
  assert.deepEqual(foreign(house), []);
});

Deno.test("house: some packages have one door", () => {
  const broken = sideDoors(bad({
    "src/cli/args.ts": ["npm:commander"],
    "src/cli/serve.ts": ["npm:commander"],
    "src/backends/local/open.ts": ["node:sqlite"],
    "tests/backends/view_test.ts": ["node:sqlite", "node:assert/strict", "npm:fast-check"],
  }));
  assert.deepEqual(broken.map((fault) => fault.split(": ")[0]), [
    "src/cli/serve.ts imports npm:commander",
    "src/backends/local/open.ts imports node:sqlite",
    "tests/backends/view_test.ts imports node:assert/strict",
  ]);
  assert.deepEqual(sideDoors(house), []);
});

Deno.test("house: no file reaches itself", () => {
  const broken = cycles(bad({ "a.ts": ["b.ts"], "b.ts": ["c.ts"], "c.ts": ["b.ts"] }));
  assert.equal(broken.length, 1);
  assert.match(broken[0]!, /b\.ts → c\.ts → b\.ts/);
  assert.deepEqual(cycles(house), []);
});

Deno.test("house: no file that nothing imports", () => {
  const broken = orphans(
    bad({
      "main.ts": ["src/a.ts"],
      "src/a.ts": [],
      "src/dead.ts": [],
      "tests/dead_test.ts": ["src/dead.ts", "tests/kit.ts"],
      "tests/kit.ts": [],
      "tests/forgotten.ts": [],
    }),
    ["main.ts"],
  );
  assert.deepEqual(broken.map((fault) => fault.split(" ")[0]), [
    "src/dead.ts",
    "tests/forgotten.ts",
  ]);
  assert.deepEqual(orphans(house, DOORS), []);
});

Deno.test("house: a module named by its URL counts as imported", () => {
  const source = `
    new Worker(new URL("./dir_worker.ts", import.meta.url), { type: "module" });
    const held = new URL("held.ts", import.meta.url).pathname;
    const other = import.meta.resolve("../memory.ts");
    const page = new URL("./page.html", import.meta.url);
  `;
  assert.deepEqual(urlsIn(source, "src/backends/local/dir.ts"), [
    "src/backends/local/dir_worker.ts",
    "src/backends/local/held.ts",
    "src/backends/memory.ts",
  ]);
});

Deno.test("house: the graph sees imports of types, dynamic ones, packages and built-ins", () => {
  assert.ok(house.get("conformance/law.ts"));
  assert.ok(house.get("conformance/expect.ts")?.includes("src/fs/error.ts"));
  assert.ok(house.get("tests/house/floors.ts")?.includes("tests/house/tree.ts"));
  assert.ok(house.get("tests/assert.ts")?.includes("node:assert/strict"));
  assert.deepEqual([...house.keys()].sort(), sources);
});
