/** A real runtime with agents in processes: what one of them does to itself, its tick, its retries and the others. */
import assert from "../assert.ts";
import { createAgentd } from "../../src/agentd.ts";
import { localWorld } from "../../src/backends/local/local_world.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Limits } from "../../src/core/agent.ts";
import { agentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { DeadLetter, Receipt } from "../../src/core/view.ts";
import { callJson, callText, readJson, readText } from "../../src/fs/use.ts";
import { processHost, type ProcessHostOptions } from "../../src/hosts/process.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { handlerOf } from "./sandbox.ts";

const operator = { viewer: "operator", name: "operator" } as const;
const NEVER = new AbortController().signal;

async function withRuntime(
  run: (runtime: Runtime) => Promise<void>,
  options: ProcessHostOptions = { spares: 1 },
) {
  const host = processHost(options);
  const runtime = await createAgentd({
    backend: memoryBackend(localWorld),
    signer: memorySigner(),
    moduleHost: host,
  });
  try {
    await run(runtime);
  } finally {
    await runtime.stop(0);
    await host.stop();
  }
}

const make = (runtime: Runtime, id: string, code: string, limits: Partial<Limits> = {}) =>
  runtime.create({ id: agentId(id), agent: { code }, limits });

const filesOf = (runtime: Runtime, id: string) => runtime.files(agentId(id), operator);

async function send(runtime: Runtime, id: string, text: string): Promise<Receipt> {
  const payload = { kind: "text", text };
  return await callJson<Receipt>(await filesOf(runtime, id), "/inbox", { payload });
}

async function ask(runtime: Runtime, id: string, text: string) {
  const { envelope_id } = await send(runtime, id, text);
  return (await runtime.wait(agentId(id), envelope_id, NEVER))!;
}

const COUNTER = `
  let awake = 0;
  export default {
    name: "counter",
    onCreate(ctx) { ctx.state.count = 0; },
    onWake(ctx) { ctx.state.woken = (ctx.state.woken ?? 0) + 1; },
    async onTrigger(ctx, trigger) {
      ctx.state.count++;
      await ctx.env.write("/files/last", trigger.text);
      await ctx.reply([ctx.state.count, ctx.state.woken, ++awake].join(" "));
    },
  };`;

Deno.test("a module of code ticks, sleeps and wakes with its state", async () => {
  await withRuntime(async (runtime) => {
    await make(runtime, "c", COUNTER);
    const said = async () => (await ask(runtime, "c", "hi")).replies[0];
    assert.deepEqual(await said(), { kind: "text", text: "1 1 1" });
    assert.deepEqual(await said(), { kind: "text", text: "2 1 2" });
    const files = await filesOf(runtime, "c");
    await callText(files, "/ctl", "hibernate");
    assert.deepEqual(await said(), { kind: "text", text: "3 2 1" });
    assert.equal(await readText(files, "/files/last"), "hi");
  });
});

Deno.test("a loop that never ends is killed, tried again and put away, and the agent goes on", async () => {
  await withRuntime(async (runtime) => {
    const source = handlerOf(`
      ctx.log.info("try", ctx.tick.attempt);
      ctx.state.touched = true;
      await ctx.kv.set("touched", 1);
      if (trigger.text === "loop") for (;;);
      await ctx.reply(JSON.stringify([ctx.state.touched, (await ctx.kv.list()).length]));`);
    await make(runtime, "looper", source, { max_stall_ms: 200, retry_ms: [1] });
    await make(runtime, "other", COUNTER);
    const { envelope_id } = await send(runtime, "looper", "loop");
    const looping = runtime.wait(agentId("looper"), envelope_id, NEVER);
    assert.equal((await ask(runtime, "other", "hi")).tick.success, true);
    const { tick } = (await looping)!;
    assert.deepEqual([tick.success, tick.error?.code], [false, "timeout"]);
    const files = await filesOf(runtime, "looper");
    const letter = await readJson<DeadLetter>(files, `/deadletter/${envelope_id}`);
    assert.deepEqual(letter.errors.map(({ code }) => code), ["timeout", "timeout"]);
    const { replies } = await ask(runtime, "looper", "fine");
    assert.deepEqual(replies[0], { kind: "text", text: "[true,1]" });
  });
});

Deno.test("the wall limit ends a handler that waits for ever", async () => {
  await withRuntime(async (runtime) => {
    await make(runtime, "waiter", handlerOf("await new Promise(() => {})"), {
      max_tick_ms: 300,
      retry_ms: [],
    });
    const { tick } = await ask(runtime, "waiter", "x");
    assert.equal(tick.error?.code, "timeout");
  });
});

Deno.test("memory that runs out ends one tick of one agent, with nothing of it kept", async () => {
  await withRuntime(async (runtime) => {
    const source = handlerOf(`
      ctx.state.n = 1; await ctx.env.write("/files/x", "y");
      const a = []; for (;;) a.push(new Array(1000).fill(Math.random()));`);
    await make(runtime, "greedy", source, { max_memory_mb: 64, retry_ms: [] });
    await make(runtime, "other", COUNTER);
    const { tick } = await ask(runtime, "greedy", "x");
    assert.equal(tick.error?.code, "out_of_memory");
    const files = await filesOf(runtime, "greedy");
    assert.deepEqual(await readJson(files, "/deadletter/count"), 1);
    await assert.rejects(readText(files, "/files/x"), { code: "not_found" });
    assert.equal((await ask(runtime, "other", "hi")).tick.success, true);
  });
});

Deno.test("a handler's error comes with its place, and onError may log", async () => {
  await withRuntime(async (runtime) => {
    const source = `export default {
      name: "f",
      onTrigger() { throw new RangeError("far") },
      onError(ctx, error) { ctx.log.error("told", error.code); },
    };`;
    await make(runtime, "f", source, { retry_ms: [] });
    const { tick } = await ask(runtime, "f", "x");
    assert.deepEqual(tick.error, {
      code: "agent_error",
      message: "RangeError: far (agent.js:3:27)",
      stack: ["onTrigger (agent.js:3:27)"],
    });
    const trace = await readText(await filesOf(runtime, "f"), "/logs/trace");
    assert.match(trace, /told agent_error/);
  });
});

Deno.test("more agents than processes: each gets its turn, and none loses anything", async () => {
  await withRuntime(async (runtime) => {
    const ids = Array.from({ length: 6 }, (_, i) => `agent-${i}`);
    await Promise.all(ids.map((id) => make(runtime, id, COUNTER)));
    for (let round = 1; round <= 3; round++) {
      const answers = await Promise.all(ids.map((id) => ask(runtime, id, "hi")));
      for (const { replies } of answers) {
        assert.match((replies[0] as { text: string }).text, RegExp(`^${round} `));
      }
    }
  }, { maxProcesses: 2, spares: 0 });
});
