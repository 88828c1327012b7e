/** What is no agent is refused in words. */
import { z } from "zod";
import assert from "../assert.ts";
import { agentOf, factsOf } from "../../src/hosts/module.ts";

Deno.test("an agent's name, version and hooks", () => {
  const agent = { name: "a", onTrigger() {}, onWake() {}, version: 3, state: z.object({}) };
  assert.equal(agentOf({ default: agent }, "x"), agent);
  assert.deepEqual(factsOf(agent, "x"), { name: "a", version: 3, hooks: ["onWake", "onTrigger"] });
  class Made {
    name = "made";
    onTrigger() {}
  }
  assert.deepEqual(factsOf(new Made(), "x"), { name: "made", version: 1, hooks: ["onTrigger"] });
});

const onTrigger = () => {};
const REFUSED: [string, unknown, RegExp][] = [
  ["no default export", {}, /no default export/],
  ["no module", undefined, /no default export/],
  ["a function", { default: () => {} }, /default export is a function/],
  ["null", { default: null }, /default export is null/],
  ["no onTrigger", { default: { name: "a" } }, /default export has no onTrigger/],
  ["onTrigger is no function", { default: { name: "a", onTrigger: 1 } }, /onTrigger is a number/],
  [
    "onWake is no function",
    { default: { name: "a", onTrigger, onWake: {} } },
    /onWake is an object/,
  ],
  ["no name", { default: { onTrigger } }, /name is a string/],
  ["an endless name", { default: { onTrigger, name: "x".repeat(201) } }, /name is a string/],
  ["version 0", { default: { onTrigger, name: "a", version: 0 } }, /version is a whole number/],
  ["version 1.5", { default: { onTrigger, name: "a", version: 1.5 } }, /version is a whole number/],
  [
    "a state that is no schema",
    { default: { onTrigger, name: "a", state: {} } },
    /Standard Schema/,
  ],
];
for (const [what, exports, message] of REFUSED) {
  Deno.test(`no agent: ${what}`, () => {
    assert.throws(() => agentOf(exports, "mod"), {
      name: "FileError",
      code: "agent_error",
      message,
    });
  });
}
