/** The assistant in a real runtime, with a model that follows a script: steps, files, bounds, refusals, and restarts in the middle of a step. */
import assert from "../assert.ts";
import type { Memory } from "../../src/agents/assistant/memory.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import type { Receipt, ServiceTable } from "../../src/core/view.ts";
import { FileError } from "../../src/fs/error.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { callJson, entries, readJson, readText, watch, writeText } from "../../src/fs/use.ts";
import type { Script } from "../services/compute/scripted.ts";
import {
  begun,
  DOLLAR,
  held,
  ID,
  messagesOf,
  mustBeWhole,
  OPERATOR,
  PAID,
  plays,
  type Say,
  says,
  test,
  untilWaits,
  world,
} from "./assistant/world.ts";

test(
  "a message is answered by the model, and the talk goes on",
  () => plays("Hello.", "Again."),
  async (w) => {
    assert.equal(await w.ask("hi"), "Hello.");
    assert.equal(await w.ask({ and: "JSON" }), "Again.");
    const [system, ...rest] = messagesOf(w.model.calls[1]);
    assert.deepEqual(
      rest,
      [
        { role: "user", content: "[from http:operator]\nhi" },
        { role: "assistant", content: "Hello." },
        { role: "user", content: '{"and":"JSON"}' },
      ].map((m) => ({ ...m, content: m.content.replace("[from http:operator]\n", "") })),
    );
    assert.match(
      system!.content as string,
      /^You are kind\.\n\nYou are the agent helper\. It is 2026-/,
    );
    assert.match(system!.content as string, /^\/files \(read write\): your own files/m);
    assert.equal(w.model.calls[0]!.stream, true);
    const { next_alarm } = await readJson<{ next_alarm: string | null }>(w.files, "/status");
    assert.equal(next_alarm, null, "nothing is left that would end the answer");
    const { question, waiting, turns } = await w.memory();
    assert.deepEqual([question, waiting, turns.length], [null, [], 2]);
  },
);

test("what it does is done on its files, and the model sees what came of it", () =>
  plays(
    [["write", { path: "/files/a.txt", content: "milk" }], ["read", { path: "/files/a.txt" }]],
    [["read", { path: "/files/none" }]],
    "Done.",
  ), async (w) => {
  assert.equal(await w.ask("note milk"), "Done.");
  assert.equal(await readText(w.files, "/files/a.txt"), "milk");
  const messages = messagesOf(w.model.calls[2]);
  mustBeWhole(messages);
  const results = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
  assert.deepEqual(results.slice(0, 2), ["written", "milk"]);
  assert.match(results[2] as string, /^Error: Cannot .*\/files\/none.*not_found/);
  const trajectory = await readText(w.files, "/logs/trajectory");
  for (const op of ["write", "read"]) {
    assert.ok(trajectory.includes(`"op":"${op}","path":"/files/a.txt"`), op);
  }
});

test("JSON that it writes as text is taken as JSON by the services", () => {
  const goal = JSON.stringify({ description: "learn to count" });
  const asked = JSON.stringify({ model: "m", kind: "chat", input: { messages: [] } });
  return plays(
    [
      ["write", { path: "/goals/g1.json", content: goal }],
      ["call", { path: "/identity/sign", request: "hello" }],
      ["call", { path: "/compute/new", request: asked }],
    ],
    "Done.",
  );
}, async (w) => {
  assert.equal(await w.ask("go"), "Done.");
  const [written, signed, refused] = messagesOf(w.model.calls[1]).slice(-3);
  assert.equal(written!.content, "written");
  const goal = await readJson<{ status: string }>(w.files, "/goals/g1.json");
  assert.equal(goal.status, "active");
  assert.match(signed!.content as string, /[0-9a-f]{128}/);
  assert.match(refused!.content as string, /^Error: .*invalid_request.*messages/);
});

test(
  "what is not mounted for it, it cannot reach",
  () => plays([["write", { path: "/files/a", content: "x" }], ["list", { path: "/kv" }]], "No."),
  async (w) => {
    assert.equal(await w.ask("write"), "No.");
    const [, , , first, second] = messagesOf(w.model.calls[1]);
    assert.match(first!.content as string, /permission_denied/);
    assert.match(second!.content as string, /permission_denied/);
    assert.doesNotMatch(messagesOf(w.model.calls[0])[0]!.content as string, /\/kv/);
  },
  { request: { mounts: { "/files": "read_only", "/kv": "disabled" } } },
);

const forever: Script = says([["list", { path: "/" }]]);

test(
  "it stops at max_steps and says so, and answers the next message",
  () => plays(forever, forever, forever, "Yes."),
  async (w) => {
    assert.match(
      await w.ask("loop"),
      /^I stopped after 3 model calls without an answer \(max_steps\)/,
    );
    assert.equal(w.model.calls.length, 3);
    assert.equal(await w.ask("are you there?"), "Yes.");
    mustBeWhole(messagesOf(w.model.calls[3]));
  },
  { config: { model: "m", max_steps: 3 } },
);

Deno.test("assistant: messages that come while it thinks wait, and each gets its own answer", async () => {
  const first = held();
  const w = await world(plays(first.script, "Two.", "Three."));
  const one = await w.send("1");
  await first.begun;
  const [two, three] = [await w.send("2"), await w.send("3")];
  const answers = Promise.all([one, two, three].map(w.replies));
  first.say("One.");
  assert.deepEqual(await answers, [["One."], ["Two."], ["Three."]]);
  await w.runtime.stop(0);
});

for (const end of ["a stop", "a power cut"]) {
  Deno.test(`assistant: ${end} in the middle of a step loses nothing`, async () => {
    const second = held();
    const before = await world(
      plays([["write", { path: "/files/a", content: "1" }]], second.script),
    );
    const one = await before.send("1");
    await second.begun;
    const two = await before.send("2");
    if (end === "a stop") await before.runtime.stop(0);
    const rows = end === "a stop" ? before.backend : before.backend.reopen();
    const after = await world(plays("One.", "Two."), { rows });
    assert.deepEqual(await Promise.all([one, two].map(after.replies)), [["One."], ["Two."]]);
    assert.equal(await readText(after.files, "/files/a"), "1");
    const messages = messagesOf(after.model.calls[0]);
    mustBeWhole(messages);
    assert.deepEqual(messages.map(({ role }) => role), ["system", "user", "assistant", "tool"]);
    await after.runtime.stop(0);
    if (end !== "a stop") await before.runtime.stop(0);
  });
}

Deno.test("assistant: a model server that comes back after a restart is waited for", async () => {
  const second = held();
  const before = await world(plays([["list", { path: "/" }]], second.script));
  const one = await before.send("1");
  await second.begun;
  await before.runtime.stop(0);
  const after = await world(plays("One."), { rows: before.backend, status: "down" });
  await after.backend.clock.advance(1);
  assert.equal((await after.memory()).question!.waits!.kind, "tick");
  after.model.status = "up";
  await after.backend.clock.advance(500);
  assert.deepEqual(await after.replies(one), ["One."]);
  await after.runtime.stop(0);
});

Deno.test("assistant: who stays away after a restart is not waited for without end", async () => {
  const second = held();
  const before = await world(plays([["list", { path: "/" }]], second.script));
  const one = await before.send("1");
  await second.begun;
  await before.runtime.stop(0);
  const after = await world(plays(), { rows: before.backend, status: "down" });
  await after.backend.clock.advance(11_000);
  const [reply] = await after.replies(one);
  assert.match(reply!, /^No model can be reached: /);
  await after.runtime.stop(0);
});

Deno.test("assistant: a model server that goes away twice is waited for twice", async () => {
  const leaves: Script = async (call, ...rest) => {
    w.model.status = "down";
    return await says([["list", { path: "/" }]])(call, ...rest);
  };
  const w = await world(plays(leaves, leaves, "Done."));
  let one: EnvelopeId;
  await untilWaits(w, "tick", async () => (one = await w.send("1")));
  await w.backend.clock.advance(10_400);
  assert.equal((await w.memory()).question!.waits!.kind, "tick");
  w.model.status = "up";
  await untilWaits(w, "tick", () => w.backend.clock.advance(100));
  await w.backend.clock.advance(10_400);
  w.model.status = "up";
  await w.backend.clock.advance(100);
  assert.deepEqual(await w.replies(one!), ["Done."]);
  await w.runtime.stop(0);
});

const cutOff: Script = () =>
  Promise.reject(new FileError("interrupted", "ask", "m", { detail: "the server was restarted" }));

test(
  "what was cut off is asked for again, at each step anew",
  () =>
    plays(
      ...[cutOff, cutOff, cutOff, [["list", { path: "/" }]] as const],
      ...[cutOff, cutOff, cutOff, "Done."],
    ),
  async (w) => assert.equal(await w.ask("1"), "Done."),
);

test("what is always cut off is not asked for without end", () => cutOff, async (w) => {
  assert.equal(
    await w.ask("1"),
    "My model calls were cut off again and again: local/m: the server was restarted",
  );
  assert.equal(w.model.calls.length, 4);
});

test("what a model wants that was not offered any tools is not done", () => {
  const wants: Script = async (call, ...rest) => {
    const { output, ...more } = await says([["write", { path: "/files/a", content: "x" }]])(
      call,
      ...rest,
    );
    return { ...more, output: { ...output as object, text: "Hi.", finish_reason: "stop" } };
  };
  return plays(wants);
}, async (w) => {
  assert.match(await w.ask("1"), /^Hi\.\n/);
  await assert.rejects(readText(w.files, "/files/a"), { code: "not_found" });
}, { models: [{ id: "m", tools: false }] });

test("calls without names of their own are told apart", () => {
  const nameless: Script = (call) =>
    Promise.resolve({
      output: {
        text: "",
        finish_reason: "tool_calls",
        tool_calls: ["/files", "/goals"].map((path) => ({
          id: "",
          type: "function" as const,
          function: { name: "list", arguments: JSON.stringify({ path }) },
        })),
      },
      usage: undefined,
      model: call.model,
    });
  return plays(nameless, "Done.");
}, async (w) => {
  assert.equal(await w.ask("1"), "Done.");
  const messages = messagesOf(w.model.calls[1]);
  mustBeWhole(messages);
  const ids = messages.flatMap(({ tool_call_id }) => tool_call_id ?? []);
  assert.equal(new Set(ids).size, 2);
  assert.ok(ids.every((id) => id !== ""));
});

test(
  "arguments of a call that are no message to a file any more are refused",
  () => plays([["write", { path: "/files/a", content: "x".repeat(300_000) }]], "Too much."),
  async (w) => {
    assert.equal(await w.ask("1"), "Too much.");
    await assert.rejects(readText(w.files, "/files/a"), { code: "not_found" });
    assert.ok(JSON.stringify(messagesOf(w.model.calls[1])).length < 10_000);
  },
);

const deep = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);

test(
  "arguments that are nested without end are refused, and the step goes on",
  () =>
    plays(
      [
        ["list", deep("[", "]")],
        ["call", `{"path":"/files","request":${deep("[", "]")}}`],
        ["list", { path: "/goals" }],
      ],
      "Too deep.",
    ),
  async (w) => {
    assert.equal(await w.ask("1"), "Too deep.");
    const [first, second, third] = messagesOf(w.model.calls[1]).slice(-3);
    for (const { content } of [first!, second!]) {
      assert.match(content as string, /^Error: the arguments cannot be read as JSON: .*nested/);
    }
    assert.equal(third!.content, "(empty)");
    const { last_error } = await readJson<{ last_error: unknown }>(w.files, "/status");
    assert.equal(last_error, null);
  },
);

Deno.test("assistant: more messages than can wait are refused one by one, and none of those that wait is lost", async () => {
  const first = held();
  const w = await world((call, ...rest) =>
    messagesOf(call).length === 2 ? first.script(call, ...rest) : says("Next.")(call, ...rest)
  );
  const one = await begun(w, "0");
  const others: EnvelopeId[] = [];
  for (let i = 1; i <= 52; i++) others.push(await w.send(`${i}`));
  const refused = await Promise.all(others.slice(50).map(w.replies));
  for (const [text] of refused) assert.match(text!, /^Too many messages wait/);
  first.say("First.");
  assert.deepEqual(await w.replies(one), ["First."]);
  for (const other of others.slice(0, 50)) assert.deepEqual(await w.replies(other), ["Next."]);
  await w.runtime.stop(0);
});

test(
  "many calls at once leave room for the talk",
  () =>
    plays(
      Array.from({ length: 20 }, () => ["read", { path: "/logs/trajectory" }] as const),
      "Enough.",
    ),
  async (w) => {
    assert.equal(await w.ask("read"), "Enough.");
    const messages = messagesOf(w.model.calls[1]);
    mustBeWhole(messages);
    assert.equal(messages.filter(({ role }) => role === "tool").length, 16);
    assert.ok(JSON.stringify(messages.slice(1)).length < 8_192);
    assert.match(messages[0]!.content as string, /Only the first 16 of your 20 calls/);
  },
  { config: { model: "m", max_conversation_bytes: 8_192 } },
);

Deno.test("assistant: a pause in the middle of a step keeps the answer until it is resumed", async () => {
  const first = held();
  const w = await world(plays(first.script));
  const one = await begun(w, "1");
  await writeText(w.files, "/ctl", "pause");
  const inbox = await watch(w.files, "/inbox");
  first.say("Here.");
  for await (const _ of inbox) break;
  assert.notEqual((await w.memory()).question, null);
  await writeText(w.files, "/ctl", "resume");
  assert.deepEqual(await w.replies(one), ["Here."]);
  await w.runtime.stop(0);
});

Deno.test("assistant: a model call that is cancelled ends the answer, not the talk", async () => {
  const first = held();
  const w = await world(plays(first.script, "Yes."));
  const one = await begun(w, "1");
  const { waits } = (await w.memory()).question!;
  assert.equal(waits!.kind, "job");
  await writeText(w.files, `/compute/jobs/${(waits as { id: string }).id}/ctl`, "cancel");
  assert.deepEqual(await w.replies(one), ["Stopped: the model call was cancelled."]);
  assert.equal(await w.ask("2"), "Yes.");
  await w.runtime.stop(0);
});

Deno.test("assistant: an answer that takes too long is given up, and so is its model call", async () => {
  const first = held();
  const w = await world(plays(first.script), { config: { model: "m", max_answer_ms: 5_000 } });
  const one = await begun(w, "1");
  await w.backend.clock.advance(4_999);
  assert.notEqual((await w.memory()).question, null);
  await w.backend.clock.advance(1);
  assert.deepEqual(await w.replies(one), [
    "I stopped: there was no answer within 5 s (max_answer_ms).",
  ]);
  for await (const { name } of entries(w.files, "/compute/jobs")) {
    assert.equal(
      (await readJson<{ status: string }>(w.files, `/compute/jobs/${name}/status`)).status,
      "cancelled",
    );
  }
  await w.runtime.stop(0);
});

test("what the budget refuses is told, and nobody is asked", () => plays("Rich."), async (w) => {
  assert.match(
    await w.ask("1"),
    /^My budget does not allow this model call: .*\(budget_exceeded\)$/,
  );
  assert.equal(w.model.calls.length, 0);
  await writeText(w.files, "/budget/policy", JSON.stringify(DOLLAR));
  assert.equal(await w.ask("2"), "Rich.");
}, PAID);

test(
  "a model that has no tool calls only talks, and that is said once",
  () => plays("Hi.", "Ho."),
  async (w) => {
    assert.equal(
      await w.ask("1"),
      "Hi.\n\n(The model m has no tool calls, so I cannot use my files: I can only talk.)",
    );
    assert.equal(await w.ask("2"), "Ho.");
    for (const { input } of w.model.calls) assert.equal("tools" in (input as object), false);
    assert.doesNotMatch(messagesOf(w.model.calls[0])[0]!.content as string, /\/files/);
  },
  { models: [{ id: "m", tools: false }] },
);

test("a server that refuses tools is asked without them", () => {
  const script: Script = (call, sink, signal) => {
    if (!("tools" in (call.input as object))) return says("Hi.")(call, sink, signal);
    throw new FileError("invalid_request", "ask", "m", { detail: "m does not support tools" });
  };
  return script;
}, async (w) => {
  assert.match(await w.ask("1"), /^Hi\.\n\n\(The model m has no tool calls/);
  assert.equal(await w.ask("2"), "Hi.");
  assert.equal(w.model.calls.length, 3);
}, { models: [{ id: "m" }] });

test("a model that is not there is told with those that are", () => plays(), async (w) => {
  assert.match(
    await w.askIn("1", 500),
    /^I cannot have this model: .*"gpt-9".*\bm\b.*\(not_found\)$/,
  );
}, { config: { model: "gpt-9" } });

test("without a name, a model is found that has tool calls", () => plays("Hi."), async (w) => {
  assert.equal(await w.ask("1"), "Hi.");
  assert.equal(w.model.calls[0]!.model, "able");
}, {
  config: {},
  models: [{ id: "x", kinds: ["embeddings"] }, { id: "y" }, { id: "able", tools: true }],
});

test("without any model, it says what to do", () => plays(), async (w) => {
  assert.match(await w.askIn("1", 500), /^I have no model\. Start a model server/);
}, { config: {}, models: [] });

Deno.test("assistant: without any model, it says who would have some and what they lack", async () => {
  const w = await world(plays(), { config: {}, models: [] });
  w.model.status = "down";
  assert.match(await w.askIn("1", 500), /^I have no model\. Down: [^.]+\. Start a model server/);
});

Deno.test("assistant: a server that is down is told once, and not asked for ever", async () => {
  const w = await world(plays());
  w.model.status = "down";
  assert.match(await w.askIn("1", 500), /^No model can be reached: .*\(provider_unavailable\)$/);
  assert.equal(w.model.calls.length, 0);
  assert.equal((await w.memory()).question, null);
  await w.runtime.stop(0);
});

test("an answer that was cut off, or is empty, is no secret", () => {
  const long: Script = (call) =>
    Promise.resolve({
      output: { text: "Once upon", finish_reason: "length" },
      usage: undefined,
      model: call.model,
    });
  return plays(long, "");
}, async (w) => {
  assert.match(await w.ask("1"), /^Once upon\n\[The model's answer was cut off/);
  assert.equal(await w.ask("2"), "(The model said nothing.)");
});

test("the conversation stays within its bound, whatever comes", () =>
  plays(
    ...Array.from({ length: 6 }, (): (Say | Script)[] => [
      [["write", { path: "/files/a", content: "y".repeat(5_000) }], ["read", { path: "/files/a" }]],
      "z".repeat(3_000),
    ]).flat(),
  ), async (w) => {
  for (let i = 0; i < 6; i++) await w.ask("x".repeat(1_000));
  for (const call of w.model.calls) {
    const [system, ...rest] = messagesOf(call);
    mustBeWhole(rest);
    assert.ok(JSON.stringify(rest).length <= 4_096 + 200, `${JSON.stringify(rest).length}`);
    assert.equal(rest[0]!.role, "user");
    if (call === w.model.calls.at(-1)) assert.match(system!.content as string, /were dropped/);
  }
  assert.match(
    await w.ask("x".repeat(5_000)),
    /^This message is too long for me: I take 2048 bytes/,
  );
}, { config: { model: "m", max_conversation_bytes: 4_096 } });

Deno.test("assistant: a file that changes under its tick is read again, and the model gets what it holds then", async () => {
  let meddle = async () => {};
  const meddler: ServiceTable = {
    "/meddle": {
      service: () => tree(file({ call: () => meddle().then(() => "") })),
      access: "read_write",
    },
  };
  const looks: Say = [
    ["read", { path: "/files/a" }],
    ["call", { path: "/meddle", request: "" }],
    ["write", { path: "/files/a", content: "!", append: true }],
  ];
  const w = await world((call, ...rest) => {
    const results = messagesOf(call).filter(({ role }) => role === "tool");
    return says(results.length === 0 ? looks : `It says ${results[0]!.content}.`)(call, ...rest);
  }, { services: meddler });
  await writeText(w.files, "/files/a", "old");
  meddle = async () => {
    meddle = async () => {};
    await writeText(w.files, "/files/a", "new");
  };
  const one = await w.send("1");
  await w.backend.clock.advance(1_000);
  assert.deepEqual(await w.replies(one), ["It says new."]);
  assert.equal(await readText(w.files, "/files/a"), "new!");
  await w.runtime.stop(0);
});

Deno.test("assistant: a message that was there before the model's server is answered by it", async () => {
  const w = await world(plays("Hi."), { status: "down" });
  const one = await w.send("1");
  await w.backend.clock.advance(400);
  w.model.status = "up";
  await w.backend.clock.advance(100);
  assert.deepEqual(await w.replies(one), ["Hi."]);
  await w.runtime.stop(0);
});

Deno.test("assistant: a copy that is made in the middle of a step goes on by itself", async () => {
  const first = held();
  const w = await world(plays(first.script, "Of the copy.", "Two."));
  const one = await begun(w, "1");
  const file = await w.runtime.exportAgent(ID);
  const twin = agentId("twin");
  await w.runtime.importAgent(file, { mode: "clone", id: twin });
  const files = await w.runtime.files(twin, OPERATOR);
  const { envelope_id } = await callJson<Receipt>(files, "/inbox", { payload: "2" });
  const { replies } = (await w.runtime.wait(twin, envelope_id, new AbortController().signal))!;
  assert.deepEqual(replies, [{ kind: "text", text: "Two." }]);
  assert.deepEqual(
    (await readJson<Memory>(files, "/state")).turns.map((turn) => turn.at(-1)!.content),
    [
      "Of the copy.",
      "Two.",
    ],
  );
  first.say("Of the original.");
  assert.deepEqual(await w.replies(one), ["Of the original."]);
  await w.runtime.stop(0);
});

Deno.test("assistant: what is no config is refused at the creation, with its fields", async () => {
  await assert.rejects(world(plays(), { config: { modell: "m" } }), /modell.*max_steps/s);
  const w = await world(plays("Hi."));
  await w.runtime.configure(ID, { config: { max_steps: 0 } }, "operator");
  assert.match(await w.ask("1"), /max_steps/);
  await w.runtime.configure(ID, { config: { model: "m" } }, "operator");
  assert.equal(await w.ask("2"), "Hi.");
  await w.runtime.stop(0);
});

Deno.test("assistant: another agent is answered, but its answers are not", async () => {
  const w = await world(plays("Hi, twin.", "Hi."));
  await w.runtime.create({ id: agentId("twin"), agent: "assistant", config: { model: "m" } });
  const source = { kind: "agent", agent_id: agentId("twin") } as const;
  await w.runtime.deliver(
    ID,
    { payload: { kind: "text", text: "hello" } },
    source,
  );
  assert.equal(await w.ask("2"), "Hi.");
  await w.backend.clock.advance(1_000);
  assert.equal(messagesOf(w.model.calls[0])[1]!.content, "[from twin]\nhello");
  assert.equal(w.model.calls.length, 2);
  const twin = await w.runtime.files(agentId("twin"), OPERATOR);
  const trace = await readText(twin, "/logs/trajectory");
  assert.match(trace, /Hi, twin\./);
  await w.runtime.stop(0);
});
