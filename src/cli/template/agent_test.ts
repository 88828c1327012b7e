/** Runs the agent for real, in a process of its own, by `agentd run`. Start it with `deno test -A` or `node --test`. */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import process from "node:process";
import test from "node:test";

const agent = join(dirname(fileURLToPath(import.meta.url)), "agent.ts");

/** What the agent answers to its first message. `AGENTD` says which program to use. */
function ask(message: string): string {
  const [program = "agentd", ...first] = (process.env.AGENTD ?? "agentd").split(" ");
  const args = [...first, "run", agent, message, "--json"];
  const { replies } = JSON.parse(execFileSync(program, args, { encoding: "utf8" }));
  return replies[0].text;
}

test("it remembers what it is told", () => {
  assert.equal(ask("remember milk"), "1 item: milk");
});

test("it begins with nothing", () => {
  assert.equal(ask("list"), "0 items: ");
});
