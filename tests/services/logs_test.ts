/** `/logs`, `/outbox`, `/state`, `/status` and `/ctl`: what is told of an agent, as it happens and afterwards. */
import type { AgentContext, TickResult } from "../../src/core/agent.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { AgentStatus } from "../../src/core/view.ts";
import type { FileService, StreamEvent } from "../../src/fs/file.ts";
import { callText, readJson, readText, watch, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { inWorld } from "./world.ts";

async function agent(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type !== "message") return;
  ctx.log.info(`got ${trigger.text}\nnot a line`);
  ctx.state.last = trigger.text;
  await ctx.broadcast("said", trigger.text);
  if (trigger.text === "fail") throw new Error("no");
}

const limits = { limits: { retry_ms: [] } };

async function lines(files: FileService, path: string, options = {}): Promise<StreamEvent[]> {
  const text = await readText(files, path, options);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

inWorld("streams are lines of JSON, resumed behind a seq", async ({ files, tick }) => {
  for (const text of ["a", "b", "c"]) await tick(text);
  const outbox = await lines(files, "/outbox");
  deepEqual(outbox.map((event) => event["data"]), ["a", "b", "c"]);
  deepEqual(await lines(files, "/outbox", { after: outbox[0]!.seq }), outbox.slice(1));
  deepEqual(await lines(files, "/outbox", { tail: 1 }), outbox.slice(2));
  const [first, second, third] = outbox.map((event) => event.seq);
  deepEqual(await lines(files, "/outbox", { after: first!, to: second! }), outbox.slice(1, 2));
  deepEqual(await lines(files, "/outbox", { to: second! }), outbox.slice(0, 2));
  deepEqual(await lines(files, "/outbox", { tail: 2, to: third! }), outbox.slice(1));
  deepEqual(await lines(files, "/outbox", { after: outbox[2]!.seq }), []);
  const trace = await lines(files, "/logs/trace");
  deepEqual(trace.map((event) => event.seq), trace.map((_, i) => trace[0]!.seq + i));
  ok(["tick_start", "log", "tick_end"].every((type) => trace.some((event) => event.type === type)));
  const trajectory = await lines(files, "/logs/trajectory");
  equal(trajectory.filter((record) => record["outcome"] === "committed").length, trajectory.length);
}, agent);

inWorld(
  "a watcher of the outbox misses nothing, from where it left off on",
  async ({ files, tick }) => {
    await tick("a");
    await tick("b");
    const [first] = await lines(files, "/outbox");
    const abort = new AbortController();
    const events = await watch(files, "/outbox", { after: first!.seq, signal: abort.signal });
    await tick("c");
    equal((await events.next()).value!["data"], "b");
    equal((await events.next()).value!["data"], "c");
    abort.abort();
  },
  agent,
);

inWorld("recent has the last lines that were logged, one line each", async ({ files, tick }) => {
  equal(await readText(files, "/logs/recent"), "");
  for (let i = 0; i < 250; i++) await tick(`${i}`);
  const recent = (await readText(files, "/logs/recent")).trimEnd().split("\n");
  equal(recent.length, 200);
  match(recent[0]!, /^2026-01-01T00:00:00\.000Z INFO got 50\\nnot a line$/);
  match(recent[199]!, /got 249/);
}, agent);

interface Tick {
  readonly seq: number;
  readonly outcome: string;
  readonly trigger: string;
  readonly error?: { readonly code: string };
}

inWorld(
  "ticks are told newest first, in pages",
  async ({ files, tick }) => {
    await tick("fail");
    for (let i = 0; i < 150; i++) await tick(`${i}`);
    const all: Tick[] = [];
    let after: number | undefined;
    while (true) {
      const page = await readJson<Tick[]>(
        files,
        "/logs/ticks",
        after === undefined ? {} : { after },
      );
      if (page.length === 0) break;
      ok(page.length <= 100);
      all.push(...page);
      after = page.at(-1)!.seq;
    }
    const seqs = all.map(({ seq }) => seq);
    deepEqual(seqs, seqs.toSorted((a, b) => b - a));
    equal(new Set(seqs).size, seqs.length);
    const messages = all.filter(({ trigger }) => trigger === "message");
    equal(messages.length, 151);
    deepEqual([messages[150]!.outcome, messages[150]!.error?.code], ["rolled_back", "agent_error"]);
    equal(messages[0]!.outcome, "committed");
  },
  agent,
  limits,
);

inWorld(
  "the state is what the last tick committed; nobody writes it",
  async ({ files, tick }) => {
    const abort = new AbortController();
    await tick("a");
    deepEqual(await readJson(files, "/state"), { last: "a" });
    const { version } = await files.stat("/state");
    const events = await watch(files, "/state", { signal: abort.signal });
    await tick("fail");
    deepEqual(await readJson(files, "/state"), { last: "a" });
    equal((await files.stat("/state")).version, version);
    await tick("b");
    deepEqual((await events.next()).value, { type: "modified" });
    ok((await files.stat("/state")).version !== version);
    equal((await files.stat("/state")).size, '{"last":"b"}'.length);
    await rejects(writeText(files, "/state", "{}"), { code: "not_supported" });
    abort.abort();
  },
  agent,
  limits,
);

inWorld("a state of many rows is read whole", async ({ files, tick }) => {
  await tick();
  const state = await readJson<{ text: string }>(files, "/state");
  equal(state.text, "y".repeat(1_000_000));
  ok((await files.stat("/state")).size! > 1_000_000);
}, (ctx: AgentContext) => {
  ctx.state.text = "y".repeat(1_000_000);
});

inWorld(
  "status tells how the agent is, and its watchers when that changes",
  async ({ files, tick }) => {
    const abort = new AbortController();
    const events = await watch(files, "/status", { signal: abort.signal });
    const before = await readJson<AgentStatus>(files, "/status");
    equal(before.state, "active");
    await tick("x");
    deepEqual((await events.next()).value, { type: "modified" });
    const after = await readJson<AgentStatus>(files, "/status");
    equal(after.tick_count, before.tick_count + 1);
    equal(after.last_tick_cause, "message http:operator");
    await writeText(files, "/ctl", "pause");
    equal((await readJson<AgentStatus>(files, "/status")).state, "paused");
    abort.abort();
    while (!(await events.next()).done) { /* what was told before the end */ }
  },
  agent,
);

inWorld("status watchers hear of a life that is no row", async ({ files, tick }) => {
  await tick("x");
  const abort = new AbortController();
  const events = await watch(files, "/status", { signal: abort.signal });
  await writeText(files, "/ctl", "hibernate");
  deepEqual((await events.next()).value, { type: "modified" });
  equal((await readJson<AgentStatus>(files, "/status")).state, "dormant");
  abort.abort();
}, agent);

inWorld(
  "ctl takes its words and no others; a call of tick answers its result",
  async ({ files }) => {
    deepEqual((await readText(files, "/ctl")).trim().split("\n"), [
      "tick",
      "hibernate",
      "wake",
      "pause",
      "resume",
    ]);
    const result = JSON.parse(await callText(files, "/ctl", "tick\n")) as TickResult;
    equal(result.success, true);
    deepEqual(JSON.parse(await callText(files, "/ctl", "pause")), { state: "paused" });
    await rejects(callText(files, "/ctl", "tick"), { code: "not_ready" });
    deepEqual(JSON.parse(await callText(files, "/ctl", "resume")), { state: "active" });
    for (const word of ["", "stop", "tick tick", "TICK", "constructor"]) {
      await rejects(callText(files, "/ctl", word), { code: "invalid_request" }, word);
    }
    await rejects(callText(files, "/ctl", "x".repeat(1000)), { code: "too_large" });
  },
  agent,
);
