/** What a hostile process reports of itself is looked at before it is believed. */
import assert from "../../assert.ts";
import { agentFacts, agentFailure, hookResult } from "../../../src/hosts/process/reports.ts";
import { strangeJson } from "../../../src/hosts/process/values.ts";
import { type Head, isBreach } from "../../../src/hosts/process/wire.ts";
import { makeRun } from "../port.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const done = { t: "done", should_hibernate: false, pending: false };

Deno.test("a result is a JSON object and two booleans, or a breach", () => {
  const good = hookResult({ head: done, body: bytes('{"a":[{"__proto__":1}]}') });
  assert.deepEqual(good, {
    state: '{"a":[{"__proto__":1}]}',
    should_hibernate: false,
    pending: false,
  });
  const bad: [Head, Uint8Array | undefined][] = [
    [done, undefined],
    [done, bytes("")],
    [done, bytes("{")],
    [done, bytes("[]")],
    [done, bytes("null")],
    [done, bytes("7")],
    [done, new Uint8Array([0x22, 0xff, 0x22])],
    [done, bytes('{"a":' + "[".repeat(300) + "]".repeat(300) + "}")],
    [{ ...done, pending: 1 }, bytes("{}")],
    [{ ...done, should_hibernate: null }, bytes("{}")],
  ];
  for (const [head, body] of bad) assert.throws(() => hookResult({ head, body }), isBreach);
});

Deno.test("JSON is measured before it is taken apart, and text in it is not counted", () => {
  const deep = new Uint8Array(16 * 1024 * 1024).fill("[".charCodeAt(0));
  assert.throws(() => strangeJson(deep), isBreach);
  assert.throws(() => strangeJson(bytes('{"a":'.repeat(1000))), isBreach);
  const text = JSON.stringify({
    a: "[".repeat(1000),
    b: '\\"[[[' + "{".repeat(1000),
    "[[[": ["\\"],
  });
  assert.equal(JSON.stringify(strangeJson(bytes(text))), text);
  const wide = JSON.stringify(Array.from({ length: 1000 }, () => [{ a: [] }]));
  assert.equal(JSON.stringify(strangeJson(bytes(wide))), wide);
});

Deno.test("facts of an agent, or a breach", () => {
  const facts = {
    t: "loaded",
    name: "a",
    version: 1,
    hooks: ["onWake", "constructor", "onTrigger"],
  };
  assert.deepEqual(agentFacts(facts), { name: "a", version: 1, hooks: ["onWake", "onTrigger"] });
  for (
    const wrong of [{ name: "" }, { name: 7 }, { name: "x".repeat(201) }, { version: 0 }, {
      version: "1",
    }, { hooks: {} }]
  ) {
    assert.throws(() => agentFacts({ ...facts, ...wrong } as Head), isBreach);
  }
});

Deno.test("a failure is told in the agent's words, with no code but its own and no more than a few frames", () => {
  const failure = (error: unknown, stack?: unknown) =>
    agentFailure({ t: "threw", error, stack } as Head, makeRun(), () => undefined);
  const told = failure({ code: "out_of_memory", detail: "x", op: "../../etc", path: "/secret" });
  assert.equal(told.message, 'Cannot run "abc onTrigger": out_of_memory (x)');
  for (const code of ["timeout", "budget_exceeded", "internal", "__proto__", 7, undefined]) {
    assert.equal(failure({ code, detail: "x" }).code, "agent_error");
  }
  for (const nonsense of [undefined, null, 7, "text", []]) {
    assert.equal(failure(nonsense).code, "agent_error");
  }
  const long = failure({ detail: "x".repeat(1e6) }, "    at f (agent.js:1:2)\n".repeat(1e4));
  assert.ok(long.message.length < 20_000);
  assert.ok((long.extra!.stack as string[]).length <= 20);
  const odd = failure(
    { detail: "x" },
    "    at " + " ".repeat(1e5) + "(agent.js:1:2)\n    at g (/etc/passwd:1:2)\n    at agent.js:3:4",
  );
  assert.deepEqual(failure({ detail: "x" }, { at: 1 }).extra, undefined);
  assert.ok(!JSON.stringify(odd.extra ?? {}).includes("passwd"));
});
