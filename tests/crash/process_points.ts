/** An agent's process that dies by SIGKILL at each frame between it and the runtime: what it was doing is done once, by the process that comes after it. */
import assert from "../assert.ts";
import { openShop, SHOP } from "../../conformance/ticks/shop.ts";
import { createAgentd } from "../../src/agentd.ts";
import { localWorld } from "../../src/backends/local/local_world.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { codeOf } from "../../src/fs/error.ts";
import { callText, readJson, readText, writeText } from "../../src/fs/use.ts";
import { processHost } from "../../src/hosts/process.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import type { When } from "../../conformance/crash.ts";

const ID = agentId("one");
const OPERATOR = { viewer: "operator", name: "operator" } as const;
const NEVER = new AbortController().signal;
const MESSAGES = ["a", "b", "c"];
/** A body of more than one frame. */
const LARGE_BYTES = 200_000;

/** Every kind of call that crosses the pipe. */
const SOURCE = `export default {
  name: "one",
  async onCreate(ctx) { await ctx.kv.set("made", true); },
  async onWake(ctx) { ctx.state.woke = (ctx.state.woke ?? 0) + 1; },
  async onSleep(ctx) { await ctx.kv.set("slept", true); },
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    const n = ctx.state.count = (ctx.state.count ?? 0) + 1;
    if (await ctx.seen(trigger.text)) throw new Error("seen before");
    await ctx.markSeen(trigger.text);
    await ctx.kv.set("count", ((await ctx.kv.get("count")) ?? 0) + 1);
    await ctx.env.append("/files/log", trigger.text);
    await ctx.env.write("/files/large", "x".repeat(${LARGE_BYTES}) + n);
    if ((await ctx.env.read("/files/large")).length !== ${LARGE_BYTES} + String(n).length) throw new Error("cut");
    await ctx.env.call("${SHOP}/buy", { item: trigger.text, price: 5 });
    await ctx.broadcast("counted", n);
    await ctx.reply(String(n));
  },
};`;

/** Answers whether it died; rejects when what came of it is wrong. `at` 0: nobody dies. */
export async function diesAt(at: number, when: When): Promise<boolean> {
  const mark = `${await Deno.makeTempDir({ prefix: "agentd-pipe-" })}/died`;
  const pipe = new URL("./dying_pipe.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", "--no-config", pipe, mark, String(at), when];
  const host = processHost({ spares: 0, command: { program: Deno.execPath(), args } });
  const shop = openShop();
  shop.open();
  const runtime = await createAgentd({
    backend: memoryBackend(localWorld),
    signer: memorySigner(),
    services: { [SHOP]: shop.mount },
    moduleHost: host,
  });
  // A runtime's timers do not keep a program alive; a server's door does.
  const alive = setInterval(() => {}, 1_000);
  try {
    await work(runtime);
    await check(runtime, shop.asked);
    return await exists(mark);
  } finally {
    clearInterval(alive);
    await runtime.stop(0);
    await host.stop();
    await Deno.remove(mark.slice(0, -"/died".length), { recursive: true });
  }
}

async function work(runtime: Runtime): Promise<void> {
  const create = () =>
    runtime.create({
      id: ID,
      agent: { code: SOURCE },
      limits: { retry_ms: [0, 0] },
      budgets: { [SHOP]: { per_day_micro_usd: 1_000, approvers: [] } },
    });
  try {
    await create();
  } catch (error) {
    // Whoever makes an agent is told that its process died, and makes it again.
    if (!["agent_error", "io"].includes(String(codeOf(error)))) throw error;
    await create();
  }
  const files = await runtime.files(ID, OPERATOR);
  for (const text of MESSAGES) {
    await callText(files, "/inbox", JSON.stringify({ id: text, payload: text }));
    const { replies } = (await runtime.wait(ID, text as EnvelopeId, NEVER))!;
    assert.equal(replies.length, 1, `replies to ${text}`);
    if (text === "b") await writeText(files, "/ctl", "hibernate");
  }
}

async function check(runtime: Runtime, asked: readonly string[]): Promise<void> {
  const files = await runtime.files(ID, OPERATOR);
  const { count } = await readJson<{ count: number }>(files, "/state");
  assert.deepEqual(
    [count, await readJson(files, "/kv/count"), await readText(files, "/files/log")],
    [MESSAGES.length, MESSAGES.length, MESSAGES.join("")],
    "the state, KV and a file",
  );
  assert.deepEqual(asked, MESSAGES, "what was bought");
  assert.equal(await readJson(files, "/deadletter/count"), 0, "dead letters");
  const outbox = (await readText(files, "/outbox")).trim().split("\n");
  assert.equal(outbox.length, 2 * MESSAGES.length, "events");
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Dies at every so manyth frame until a run gets by. Answers how many were tried. */
export async function processPoints({ from = 1, stride = 1 } = {}): Promise<number> {
  let tried = 0;
  for (const when of ["before", "after"] as const) {
    for (let at = from;; at += stride) {
      try {
        if (!await diesAt(at, when)) break;
      } catch (error) {
        throw new Error(`${when} frame ${at}: ${(error as Error).message}`, { cause: error });
      }
      tried++;
    }
  }
  return tried;
}
