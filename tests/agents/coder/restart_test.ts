/** A coder that is stopped, or cut off as by a power cut, in each of its steps goes on where it was; a copy of it goes on by itself. */
import assert from "../../assert.ts";
import { agentId, type EnvelopeId } from "../../../src/core/id.ts";
import { callJson, readJson } from "../../../src/fs/use.ts";
import type { Memory } from "../../../src/agents/coder/memory.ts";
import type { Payload } from "../../../src/core/envelope.ts";
import type { Receipt } from "../../../src/core/view.ts";
import { untilKilled } from "../../services/containers/world.ts";
import { held, plays } from "../assistant/world.ts";
import { answer, type Options, type World, world } from "./world.ts";

const RIGHT = answer("right");
const OPERATOR = { viewer: "operator", name: "operator" } as const;

/** Ends the runtime, and gives another one on what is left of it. */
async function restarted(
  w: World,
  end: "a stop" | "a power cut",
  script: Parameters<typeof world>[0],
  options: Options = {},
): Promise<World> {
  if (end === "a stop") await w.runtime.stop(0);
  const backend = end === "a stop" ? w.backend : w.backend.reopen();
  const after = await world(script, { ...options, before: { backend, engine: w.engine } });
  if (end === "a power cut") await w.runtime.stop(0);
  return after;
}

for (const end of ["a stop", "a power cut"] as const) {
  Deno.test(`coder: ${end} while the model writes: it is asked again`, async () => {
    const first = held();
    const before = await world(first.script);
    let one: EnvelopeId;
    await before.until(
      ({ tasks }) => tasks[0]?.waits?.kind === "job",
      async () => (one = await before.send("do it")),
    );
    await first.begun;
    const two = await before.send("and this");
    const after = await restarted(before, end, plays(RIGHT, RIGHT));
    for (const envelope of [one!, two]) {
      assert.match(await after.reply(envelope), /^The test passed, at attempt 1 of 4\./);
    }
    await after.mustRest();
    await after.stop();
  });

  Deno.test(`coder: ${end} while the test runs: it runs on, once`, async () => {
    const go = Promise.withResolvers<void>();
    const before = await world(plays(RIGHT), {
      script: async (program) => {
        await program.print("first\n");
        await go.promise;
        await program.print("last\n");
        return 0;
      },
    });
    let one: EnvelopeId;
    await before.until(
      ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
      async () => (one = await before.send("do it")),
    );
    const after = await restarted(before, end, plays());
    go.resolve();
    assert.match(await after.reply(one!), /\$ sh test\.sh\nfirst\nlast\nexit code 0,/);
    assert.deepEqual(after.engine.begun, ["sh test.sh"]);
    await after.mustRest();
    await after.stop();
  });

  Deno.test(`coder: ${end} while the test runs, and its container is gone: it is run again`, async () => {
    let runs = 0;
    const before = await world(plays(RIGHT), {
      script: ({ killed }) => runs++ === 0 ? untilKilled(killed) : 0,
    });
    let one: EnvelopeId;
    const { tasks } = await before.until(
      ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
      async () => (one = await before.send("do it")),
    );
    before.engine.lose((tasks[0]!.waits as { id: string }).id);
    const after = await restarted(before, end, plays());
    assert.match(await after.reply(one!), /^The test passed, at attempt 1 of 4\./);
    assert.match(await after.text("/state"), /"count":1/);
    await after.mustRest();
    await after.stop();
  });
}

Deno.test("coder: a power cut between a session's end and the tick that takes it loses nothing", async () => {
  const before = await world(plays(answer("wrong"), RIGHT));
  const one = await before.send("do it");
  await before.until(({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null);
  // Rows as they stand now, with whatever has been committed of the session's end.
  const after = await restarted(before, "a power cut", plays(RIGHT));
  assert.match(await after.reply(one), /^The test passed, at attempt 2 of 4\./);
  await after.mustRest();
  await after.stop();
});

Deno.test("coder: an engine that stays away after a restart is not waited for without end", async () => {
  const before = await world(plays(RIGHT), { script: ({ killed }) => untilKilled(killed) });
  let one: EnvelopeId;
  await before.until(
    ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
    async () => (one = await before.send("do it")),
  );
  await before.runtime.stop(0);
  for (const session of before.engine.running()) before.engine.lose(session);
  before.engine.status = "down";
  const after = await world(plays(), { before });
  for (let left = 21; left > 0; left--) {
    await after.until(({ tasks }) => tasks.length === 0 || tasks[0]!.waits?.kind === "tick");
    await after.backend.clock.advance(500);
  }
  assert.match(await after.reply(one!), /^No containers can be reached: /);
  await after.mustRest();
  await after.stop();
});

Deno.test("coder: a copy that is made while the test runs writes its own program", async () => {
  const go = Promise.withResolvers<void>();
  const w = await world(plays(answer("right one"), answer("right two"), answer("right three")), {
    script: async () => {
      await go.promise;
      return 0;
    },
  });
  let one: EnvelopeId;
  await w.until(
    ({ tasks }) => tasks[0]?.phase === "test" && tasks[0].waits !== null,
    async () => (one = await w.send("do it")),
  );
  const file = await w.runtime.exportAgent(agentId("coder"));
  const twin = agentId("twin");
  await w.runtime.importAgent(file, { mode: "clone", id: twin });
  go.resolve();
  const files = await w.runtime.files(twin, OPERATOR);
  const { envelope_id } = await callJson<Receipt>(files, "/inbox", { payload: "and this" });
  const { replies } = (await w.runtime.wait(twin, envelope_id, new AbortController().signal))!;
  assert.match((replies[0] as unknown as Payload & { kind: "text" }).text, /^The test passed/);
  assert.match(await w.reply(one!), /\nright one\n/);
  for (let left = true; left;) {
    const { tasks } = await readJson<Memory>(files, "/state");
    left = tasks.length > 0;
    await w.backend.clock.advance(0);
  }
  assert.equal(w.model.calls.length, 3);
  await w.stop();
});
