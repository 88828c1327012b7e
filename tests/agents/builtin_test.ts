/** The built-in agents answer as their first lines say. */
import assert from "../assert.ts";
import { BUILTINS, builtins as makeBuiltins } from "../../src/agents/mod.ts";
import { DEFAULT_LIMITS } from "../../src/core/agent.ts";
import type { Payload } from "../../src/core/envelope.ts";
import type { AgentId, EnvelopeId } from "../../src/core/id.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import { inlineHost } from "../../src/hosts/inline.ts";
import { alarm, makePort, makeRun, message, NOW } from "../hosts/port.ts";

const builtins = makeBuiltins({ timer: () => () => {} });

/** Ticks a built-in with each trigger in turn. */
async function tick(name: string, ...triggers: Trigger[]) {
  const port = makePort();
  const instance = await inlineHost(builtins).start({ kind: "builtin", name }, DEFAULT_LIMITS);
  let result: Awaited<ReturnType<typeof instance.run>> | undefined;
  for (const trigger of triggers) {
    const run = makeRun({ state: result?.state, trigger });
    result = await instance.run(run, port);
  }
  return { calls: port.calls, state: JSON.parse(result!.state), pending: result!.pending };
}

const { meta } = message("");
const of = (payload: Payload): Trigger => ({ ...message(""), payload });
const fromAgent = { ...meta, source: { kind: "agent" as const, agent_id: "other" as AgentId } };

Deno.test("every built-in says in one line what it is", () => {
  assert.deepEqual(Object.keys(builtins).sort(), BUILTINS);
  for (const [name, { about, name: own }] of Object.entries(builtins)) {
    assert.equal(own, name);
    assert.match(about, /^[^\n]{10,100}\.$/);
  }
});

Deno.test("echo replies with what it got", async () => {
  const text: Payload = { kind: "text", text: "hi" };
  const binary: Payload = { kind: "binary", data: "AAE=", type: "image/png" };
  const wrapped: Payload = { kind: "agent_message", from: "other" as AgentId, data: [1] };
  const { calls, state } = await tick("echo", of(text), of(binary), of(wrapped));
  assert.deepEqual(calls, [
    ["reply", text, undefined],
    ["reply", binary, undefined],
    ["reply", [1], undefined],
  ]);
  assert.deepEqual(state, {});
});

Deno.test("echo does nothing at a manual trigger, and does not answer another agent's answer", async () => {
  const parent_id = "env_0" as EnvelopeId;
  const { calls } = await tick(
    "echo",
    { type: "manual", meta, invoker: "local" },
    { ...message("hi"), meta: fromAgent, parent_id },
  );
  assert.deepEqual(calls, []);
  assert.equal((await tick("echo", { ...message("hi"), meta: fromAgent })).calls.length, 1);
  assert.equal((await tick("echo", { ...message("hi"), parent_id })).calls.length, 1);
});

Deno.test("counter counts messages and nothing else in count", async () => {
  const manual: Trigger = { type: "manual", meta, invoker: "local" };
  const { calls, state } = await tick("counter", message("a"), manual, message("b"), alarm(null));
  assert.deepEqual(state, { count: 2, alarms: 1 });
  assert.deepEqual(calls, [
    ["reply", "1", undefined],
    ["reply", "2", undefined],
    ["broadcast", "alarm", { count: 2, alarms: 1 }],
  ]);
});

Deno.test("counter sets alarms, by text and by JSON", async () => {
  const json: Payload = { kind: "json", data: { alarm: 20 } };
  const { calls, state } = await tick("counter", message("alarm 500"), of(json));
  assert.deepEqual(calls, [
    ["alarm", NOW + 500, null],
    ["reply", "1", undefined],
    ["alarm", NOW + 20, null],
    ["reply", "2", undefined],
  ]);
  assert.deepEqual(state, { count: 2, alarms: 0 });
});

Deno.test("counter replies later when asked to, to the envelope that asked", async () => {
  const asked = await tick("counter", message("later 9"));
  assert.equal(asked.pending, true);
  assert.deepEqual(asked.calls, [["alarm", NOW + 9, "env_1"]]);
  const fired = await tick("counter", message("x"), alarm("env_1"));
  assert.deepEqual(fired.calls.slice(1), [
    ["broadcast", "alarm", { count: 1, alarms: 1 }],
    ["reply", "1", "env_1"],
  ]);
});

Deno.test("counter takes what is almost a command for a message", async () => {
  for (const text of ["alarm", "alarm -1", "alarm 1e9", "alarm 5 x", "alarms 5"]) {
    assert.deepEqual((await tick("counter", message(text))).calls, [["reply", "1", undefined]]);
  }
  for (const data of [{ alarm: -1 }, { alarm: "5" }, { constructor: 5 }, [5], null]) {
    const { calls } = await tick("counter", of({ kind: "json", data }));
    assert.deepEqual(calls, [["reply", "1", undefined]]);
  }
});
