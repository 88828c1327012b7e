import assert from "./assert.ts";
import { needs } from "./needs.ts";

function declared(missing: string | undefined, complete: boolean): Deno.TestDefinition {
  const all: Deno.TestDefinition[] = [];
  needs(missing, complete, (definition) => all.push(definition))("it works", () => {});
  assert.equal(all.length, 1);
  return all[0]!;
}

Deno.test("a test whose part is there is an ordinary test", () => {
  const { name, ignore } = declared(undefined, true);
  assert.deepEqual({ name, ignore }, { name: "it works", ignore: undefined });
});

Deno.test("a test whose part is missing is skipped and its name says why", () => {
  const { name, ignore } = declared("no engine", false);
  assert.deepEqual({ name, ignore }, { name: "it works (skipped: no engine)", ignore: true });
});

Deno.test("a test whose part is missing fails where everything must be there", async () => {
  const { name, ignore, fn } = declared("no engine", true);
  assert.deepEqual({ name, ignore }, { name: "it works", ignore: undefined });
  await assert.rejects(async () => await fn({} as Deno.TestContext), /no engine/);
});
