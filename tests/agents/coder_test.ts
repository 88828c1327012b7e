/** The coder in a real runtime, with a model and an engine that follow scripts: attempts, proof, bounds, several tasks at once, and what is stopped by people. */
import assert from "../assert.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import { readJson, writeJson, writeText } from "../../src/fs/use.ts";
import { IMAGE, type Script } from "../services/containers/scripted.ts";
import { untilKilled } from "../services/containers/world.ts";
import { held, messagesOf, plays } from "./assistant/world.ts";
import { answer, ID, PAID, test, textOf, world } from "./coder/world.ts";

const RIGHT = answer("right");

test(
  "a program that fails its test is mended, and comes with its proof",
  () => plays(answer("wrong"), RIGHT),
  async (w) => {
    const said = await w.ask("do it");
    const [session] = (await w.files.list("/containers/sessions", {})).map(({ name }) => name)
      .slice(-1);
    assert.equal(
      said,
      `The test passed, at attempt 2 of 4.

\`\`\`path=main.sh
right
\`\`\`

\`\`\`path=test.sh
sh main.sh
\`\`\`

Proof, from session ${session} (${IMAGE}, docker):
$ sh test.sh
it is right
exit code 0, 0 ms

It was free: 2 model calls, 2 sessions. The model was m.

It is kept in /files/programs/1/, and the proof in /files/programs/1.json.`,
    );
    const [first, second] = w.model.calls.map(messagesOf);
    assert.deepEqual(first!.map(({ role }) => role), ["system", "user"]);
    assert.match(first![0]!.content as string, /```path=main\.sh\n[^]*\nsh test\.sh$/);
    assert.equal(first![1]!.content, "do it");
    assert.deepEqual(second!.slice(0, 2), first);
    assert.deepEqual(second!.slice(2), [
      {
        role: "assistant",
        content: "```path=main.sh\nwrong\n```\n\n```path=test.sh\nsh main.sh\n```",
      },
      {
        role: "user",
        content: "The test did not pass.\n\n$ sh test.sh\nit is wrong\nexit code 1\n\n" +
          "Give all files again, whole, with the mistake corrected.",
      },
    ]);
  },
);

test("the program and its proof are files", () => plays(RIGHT, RIGHT), async (w) => {
  await w.ask("do it");
  await w.ask("and again");
  assert.equal(await w.text("/files/programs/2/main.sh"), "right\n");
  const { session_id, task, cost_micro_usd, ...proof } = await readJson<Record<string, unknown>>(
    w.files,
    "/files/programs/2.json",
  );
  assert.equal(typeof session_id, "string");
  assert.equal(task, "and again");
  // A second that has begun costs; the model has said 1 token, and was told 1.
  assert.deepEqual(cost_micro_usd, { compute: 2, containers: 3 });
  assert.deepEqual(proof, {
    files: ["main.sh", "test.sh"],
    attempts: 1,
    model: "m",
    image: IMAGE,
    provider_id: "docker",
    command: "sh test.sh",
    exit_code: 0,
    output: "it is right",
    duration_ms: 0,
  });
}, PAID);

test("where files may not be written, the answer says so", () => plays(RIGHT), async (w) => {
  assert.match(
    await w.ask("do it"),
    /\nIt is not kept in \/files\/programs\/1\/: .*permission_denied/,
  );
}, { request: { mounts: { "/files": "read_only" } } });

test(
  "an answer without files is an attempt, and needs no session",
  () => plays("I cannot do that.", RIGHT),
  async (w) => {
    assert.match(await w.ask("do it"), /^The test passed, at attempt 2 of 4\./);
    assert.equal(w.engine.started.length, 1);
    const messages = messagesOf(w.model.calls[1]);
    assert.deepEqual(messages.map(({ role }) => role), ["system", "user"]);
    assert.match(messages[1]!.content as string, /^do it\n\n.*There was no file in the answer/);
  },
);

test(
  "it gives up after max_attempts, and says what was wrong with the last one",
  () => plays(answer("wrong"), answer("worse")),
  async (w) => {
    const said = await w.ask("do it");
    assert.match(said, /^I gave up after 2 attempts \(max_attempts\)/);
    assert.match(said, /\$ sh test\.sh\nit is worse\nexit code 1\n/);
    assert.match(said, /It was free: 2 model calls, 2 sessions\.$/);
    assert.deepEqual(w.engine.begun, ["sh test.sh", "sh test.sh"]);
  },
  { config: { max_attempts: 2 } },
);

test(
  "commands of the config are run in their order, and all have to pass",
  () => plays(RIGHT, RIGHT),
  async (w) => {
    assert.match(await w.ask("do it"), /attempt 2 of 4[^]*\$ make 'all of it'\n[^]*exit code 0/);
    assert.deepEqual(w.engine.begun, ["lint", "lint", "make all of it"]);
    assert.match(messagesOf(w.model.calls[1]).at(-1)!.content as string, /\$ lint\nexit code 3\n/);
  },
  {
    config: { test: ["lint", ["make", "all of it"]] },
    script: ((n) => () => n++ === 0 ? 3 : 0)(0),
  },
);

test(
  "of a long output its end is told, and that there was more",
  () => plays(answer("wrong"), RIGHT),
  async (w) => {
    await w.ask("do it");
    const { content } = messagesOf(w.model.calls[1]).at(-1)!;
    assert.match(
      content as string,
      /\n\[what came before is cut\]\n本?(?:日本){40,45}\nexit code 1\n/,
    );
  },
  {
    config: { max_output_bytes: 256 },
    script: async (program) => {
      await program.print("日本".repeat(1_000));
      return textOf(program, "main.sh").includes("right") ? 0 : 1;
    },
  },
);

for (
  const [what, script, told] of [
    ["that does not end", ({ killed }) => untilKilled(killed), /it did not end in time/],
    [
      "that wants too much memory",
      () => ({ exit_code: 137, out_of_memory: true }),
      /it wanted more memory than there is/,
    ],
  ] as const satisfies readonly (readonly [string, Script, RegExp])[]
) {
  test(
    `a program ${what} is an attempt that failed`,
    () => plays(answer("wrong"), RIGHT),
    async (w) => {
      let one: EnvelopeId;
      await w.until(
        ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
        async () => (one = await w.send("do it")),
      );
      await w.backend.clock.advance(60_000);
      assert.match(await w.reply(one!), /^The test passed, at attempt 2/);
      assert.match(messagesOf(w.model.calls[1]).at(-1)!.content as string, told);
    },
    { script: (program) => textOf(program, "main.sh").includes("right") ? 0 : script(program) },
  );
}

Deno.test("coder: several tasks at once do not mix, and those beyond max_tasks wait", async () => {
  const holds = ["a", "b", "c"].map((name) => ({ name, ...held() }));
  const begun: string[] = [];
  const w = await world(async (call, sink, signal) => {
    const { content } = messagesOf(call)[1]!;
    const { name, script } = holds.find(({ name }) => name === content)!;
    begun.push(name);
    return await script(call, sink, signal);
  }, { config: { max_tasks: 2 } });
  const sent = await Promise.all(holds.map(({ name }) => w.send(name)));
  await Promise.all(holds.slice(0, 2).map(({ begun }) => begun));
  assert.deepEqual(begun.toSorted(), ["a", "b"]);
  await w.until(({ waiting }) => waiting.length === 1);
  holds[1]!.say(answer("right b"));
  assert.match(await w.reply(sent[1]!), /\nright b\n[^]*it is right b\n/);
  await holds[2]!.begun;
  holds[2]!.say(answer("right c"));
  holds[0]!.say(answer("right a"));
  assert.match(await w.reply(sent[0]!), /\nright a\n[^]*it is right a\n/);
  assert.match(await w.reply(sent[2]!), /\nright c\n[^]*it is right c\n/);
  for (const n of [1, 2, 3]) {
    const { task } = await readJson<{ task: string }>(w.files, `/files/programs/${n}.json`);
    assert.equal(await w.text(`/files/programs/${n}/main.sh`), `right ${task}\n`);
  }
  await w.mustRest();
  await w.stop();
});

Deno.test("coder: what takes too long is ended, with what it waits for", async () => {
  for (const phase of ["write", "test"] as const) {
    const w = await world(phase === "write" ? held().script : plays(RIGHT), {
      config: { max_answer_ms: 5_000 },
      script: ({ killed }) => untilKilled(killed),
    });
    let one: EnvelopeId;
    await w.until(
      ({ tasks }) => tasks[0]?.phase === phase && tasks[0].waits !== null,
      async () => (one = await w.send("do it")),
    );
    await w.backend.clock.advance(5_000);
    assert.match(
      await w.reply(one!),
      /^I stopped at attempt 1: there was no answer within 5 s \(max_answer_ms\)\./,
    );
    assert.deepEqual(w.engine.running(), []);
    const at = phase === "write" ? "/compute/jobs" : "/containers/sessions";
    const [job] = await w.files.list(at, {});
    const { ended_at } = await readJson<{ ended_at: string }>(w.files, `${at}/${job!.name}/status`);
    assert.notEqual(ended_at, null);
    await w.mustRest();
    await w.stop();
  }
});

test("a person who stops the model call ends the task", () => held().script, async (w) => {
  let one: EnvelopeId;
  const { tasks } = await w.until(
    ({ tasks }) => tasks[0]?.waits?.kind === "job",
    async () => (one = await w.send("do it")),
  );
  const { id } = tasks[0]!.waits as { id: string };
  await writeText(w.files, `/compute/jobs/${id}/ctl`, "cancel");
  assert.match(await w.reply(one!), /^Stopped: the model call was cancelled\./);
});

test("a person who stops the session ends the task", () => plays(RIGHT), async (w) => {
  let one: EnvelopeId;
  const { tasks } = await w.until(
    ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
    async () => (one = await w.send("do it")),
  );
  const { id } = tasks[0]!.waits as { id: string };
  await writeText(w.files, `/containers/sessions/${id}/ctl`, "stop");
  assert.match(await w.reply(one!), /^Stopped: the session was ended\./);
}, { script: ({ killed }) => untilKilled(killed) });

test(
  "what may be spent on a task is handed on, less what was spent",
  () => plays(answer("wrong"), RIGHT),
  async (w) => {
    assert.match(await w.ask("do it"), /It cost 10 micro-USD: 2 model calls 4, 2 sessions 6\./);
    const most = async (at: string) => {
      const all = await w.files.list(at, {});
      return await Promise.all(
        all.map(({ name }) =>
          readJson<{ reserved_micro_usd: number }>(w.files, `${at}/${name}/status`)
            .then(({ reserved_micro_usd }) => reserved_micro_usd)
        ),
      );
    };
    assert.deepEqual(await most("/containers/sessions"), [998, 993]);
    const asked = await most("/compute/jobs");
    assert.ok(asked.every((amount) => amount <= 1_000), String(asked));
  },
  { ...PAID, config: { max_cost_micro_usd: 1_000, max_tokens: 10 } },
);

test(
  "nothing to do, too much, and what is no text are answered at once",
  () => plays(),
  async (w) => {
    assert.match(await w.ask("  "), /^Say what the program is to do\.$/);
    assert.match(await w.ask("x".repeat(128 * 1024 + 1)), /^This is too long for me/);
    assert.match(await w.ask({ kind: "binary", data: "AAE=", type: "image/png" }), /text and JSON/);
    assert.equal((await w.memory()).count, 0);
  },
);

test(
  "another agent's task is answered, and its answer is no task",
  () => plays(RIGHT),
  async (w) => {
    const source = { kind: "agent", agent_id: agentId("boss") } as const;
    const { envelope_id } = await w.runtime.deliver(
      ID,
      { payload: { kind: "text", text: "do it" } },
      source,
    );
    await w.until(({ count, tasks }) => count === 1 && tasks.length === 0);
    await w.runtime.deliver(ID, {
      payload: { kind: "text", text: "thanks" },
      metadata: { parent_id: envelope_id },
    }, source);
    await w.backend.clock.advance(1_000);
    assert.equal(w.model.calls.length, 1);
  },
);

Deno.test("coder: what is no config is refused at the creation, with its fields, and told later", async () => {
  await assert.rejects(world(plays(), { config: { imgae: "x" } }), /imgae.*max_attempts/s);
  const hold = held();
  const w = await world(hold.script);
  let one: EnvelopeId;
  await w.until(
    ({ tasks }) => tasks[0]?.waits?.kind === "job",
    async () => (one = await w.send("do it")),
  );
  await w.runtime.configure(ID, { config: { max_attempts: 0 } }, "operator");
  assert.match(await w.ask("2"), /max_attempts/);
  assert.match(await w.reply(one!), /max_attempts/);
  await w.mustRest();
  await w.stop();
});

Deno.test("coder: a policy that is changed in between holds from then on", async () => {
  const w = await world(plays(answer("wrong"), RIGHT));
  await writeJson(w.files, "/containers/policy", { blocked_images: ["busybox:*"] });
  assert.match(await w.ask("do it"), /^I may not have this session: .*blocked/);
  await w.mustRest();
  await w.stop();
});
