import assert from "../assert.ts";
import { deno } from "../house/tree.ts";

function run(...words: string[]) {
  return deno(["run", "-A", "tests/conformance/run.ts", ...words]);
}

Deno.test("the table of one law and one list is printed, and ends well when they are kept", async () => {
  const { code, stdout } = await run("S1", "M");
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^law +memory +sqlite/);
  assert.match(stdout, /\nS1 +what_was_put_is_got +✓ +✓ +–/);
  assert.match(stdout, /\nM1 /);
  assert.doesNotMatch(stdout, /\nS2 |\nF1 /);
  assert.match(stdout, /\d+ kept, 0 broken\n$/);
});

Deno.test("a word that names no law is an error of use", async () => {
  const { code, stderr } = await run("S1", "Z9");
  assert.equal(code, 2);
  assert.match(stderr, /called "Z9"/);
});
