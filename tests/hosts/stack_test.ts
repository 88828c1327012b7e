/** An agent's own frames, out of what its engine says. */
import { deepEqual, equal, match } from "../assert.ts";
import {
  agentStack,
  ownFrames,
  placeOf,
  placeText,
  relocated,
  withWaiters,
} from "../../src/hosts/stack.ts";
import type { Locate } from "../../src/hosts/source_map.ts";

/** Line 1 is a package's, all else the author's. */
const locate: Locate = (line, column) =>
  line === 1 ? undefined : { file: "bot/agent.ts", line: line * 10, column };

const DATA =
  "data:text/javascript;charset=utf-8;base64,Y29uc3QgYmlnID0gInh4......Y29uc3QgYjY0ID0gMTsK";

Deno.test("frames between what the agent called and what called it, its address made short", () => {
  const stack = [
    "FileError: Cannot read: it says",
    "    at no place",
    "    at Object.read (file:///x/src/hosts/env.ts:1:2)",
    `    at helper (${DATA}:2:3)`,
    `    at async Object.onTrigger (${DATA}:4:5)`,
    "    at perform (file:///x/src/hosts/handler.ts:1:2)",
    `    at late (${DATA}:6:7)`,
  ].join("\n").replace("    at no place\n", "");
  equal(
    agentStack({ stack }),
    "    at helper (agent.js:2:3)\n    at async Object.onTrigger (agent.js:4:5)",
  );
  equal(agentStack({ stack: "Error: x\n    at f (file:///x/src/hosts/life.ts:1:1)" }), undefined);
  for (const thrown of [undefined, null, 1, "text", {}, { stack: 7 }]) {
    equal(agentStack(thrown), undefined);
  }
  const hostile = Object.defineProperty({}, "stack", {
    get() {
      throw new Error("looked at");
    },
  });
  equal(agentStack(hostile), undefined);
});

Deno.test("at most five frames of the author's own files", () => {
  const stack = [
    "    at parse (agent.js:1:5)",
    "    at helper (agent.js:2:3)",
    "    at agent.js:3:4",
    "    at new Thing (agent.js:4:5)",
    "    at async Object.onTrigger (agent.js:5:6)",
    "    at Array.map (<anonymous>)",
    "    at async Module.run (agent.js:6:7)",
    "    at more (agent.js:7:8)",
  ].join("\n");
  deepEqual(ownFrames(stack, locate), [
    "helper (bot/agent.ts:20:3)",
    "bot/agent.ts:30:4",
    "new Thing (bot/agent.ts:40:5)",
    "onTrigger (bot/agent.ts:50:6)",
    "run (bot/agent.ts:60:7)",
  ]);
  equal(placeOf("new Thing (bot/agent.ts:40:5)"), "bot/agent.ts:40:5");
  equal(placeOf("bot/agent.ts:30:4"), "bot/agent.ts:30:4");
  deepEqual(ownFrames("", locate), []);
  // None of the author's: better the bundle's than nothing.
  deepEqual(ownFrames("    at parse (agent.js:1:5)\n    at agent.js:1:9", locate), [
    "parse (agent.js:1:5)",
    "agent.js:1:9",
  ]);
});

Deno.test("a hostile process's words are no frames, or short ones", () => {
  const name = "x".repeat(190);
  const [frame] = ownFrames(`    at ${name} (agent.js:2:3)`, locate);
  equal(frame, `${"x".repeat(80)} (bot/agent.ts:20:3)`);
  deepEqual(ownFrames(`    at ${"x".repeat(5000)} (agent.js:2:3)`, locate), []);
  deepEqual(ownFrames("    at f (agent.js:99999999999:1)", locate), []);
});

Deno.test("places in what is logged are told as the author's", () => {
  equal(
    relocated("Error: no (agent.js:2:3), by agent.js:1:9", locate),
    "Error: no (bot/agent.ts:20:3), by agent.js:1:9",
  );
  equal(placeText({ stack: `Error\n    at f (${DATA}:12:3)` }), " (agent.js:12:3)");
  equal(placeText(new Error("not of an agent's module")), "");
});

Deno.test("an error from elsewhere has the stack of who waits for it", async () => {
  const elsewhere = Promise.withResolvers<never>();
  async function inAgent() {
    await (async () => {
      try {
        await elsewhere.promise;
      } catch (error) {
        throw withWaiters(error);
      }
    })();
  }
  const waiting = inAgent();
  elsewhere.reject(Object.assign(new Error("came late"), { stack: "nothing of use" }));
  const error = await waiting.catch((error) => error) as Error;
  match(error.stack!, /^Error: came late\n[^]*at async inAgent \(/);
  equal(withWaiters("no error"), "no error");
});
