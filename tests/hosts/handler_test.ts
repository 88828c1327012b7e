/** A hook from stored state to next state, and what becomes of everything that can go wrong in it. */
import { z } from "zod";
import assert from "../assert.ts";
import type { Agent } from "../../src/core/agent.ts";
import { FileError } from "../../src/fs/error.ts";
import { runHook } from "../../src/hosts/handler.ts";
import { seedOf } from "../../src/hosts/seed.ts";
import { makePort, makeRun } from "./port.ts";

const agent = (onTrigger: Agent["onTrigger"], more: Partial<Agent> = {}): Agent => ({
  name: "test",
  onTrigger,
  ...more,
});
const run = (a: Agent, change: Parameters<typeof makeRun>[0] = {}, port = makePort()) =>
  runHook(a, makeRun(change), port, () => seedOf(makeRun(change)));

Deno.test("the state that the handler leaves is the next one, replaced or changed in place", async () => {
  const counts = agent((ctx) => void ctx.state.n++);
  assert.equal((await run(counts, { state: '{"n":1}' })).state, '{"n":2}');
  const replaces = agent((ctx) => void (ctx.state = { fresh: true }));
  assert.equal((await run(replaces, { state: '{"n":1}' })).state, '{"fresh":true}');
});

Deno.test("each hook is called with what it is for", async () => {
  const seen: string[] = [];
  const all: Agent = {
    name: "all",
    onTrigger: (_, trigger) => void seen.push(`onTrigger ${trigger.type}`),
    onCreate: () => void seen.push("onCreate"),
    onWake: () => void seen.push("onWake"),
    onSleep: () => void seen.push("onSleep"),
    onError: (_, error) => void seen.push(`onError ${error.code}`),
    onTerminate: () => void seen.push("onTerminate"),
  };
  for (const hook of ["onCreate", "onWake", "onTrigger", "onSleep", "onTerminate"] as const) {
    await run(all, { hook });
  }
  await run(all, { hook: "onError", error: { code: "timeout", message: "" } });
  assert.deepEqual(seen, [
    "onCreate",
    "onWake",
    "onTrigger message",
    "onSleep",
    "onTerminate",
    "onError timeout",
  ]);
  const bare = agent(() => {});
  assert.equal((await run(bare, { hook: "onWake", state: '{"a":1}' })).state, '{"a":1}');
});

Deno.test("migrate makes the old state fit; without one, it must fit as it is", async () => {
  const state = z.object({ total: z.number() });
  const next = agent(() => {}, {
    version: 3,
    state,
    migrate: (from, old) => ({ total: old.count * from }),
  });
  const old = '{"count":2}';
  assert.equal((await run(next, { hook: "migrate", from: 2, state: old })).state, '{"total":4}');
  // The same version: nothing to migrate, but the schema may have changed.
  await assert.rejects(run(next, { hook: "migrate", from: 3, state: old }), {
    code: "agent_error",
    message: /state\.total/,
  });
  const none = agent(() => {}, { version: 2, state });
  await assert.rejects(run(none, { hook: "migrate", from: 1, state: old }), {
    message: /state\.total/,
  });
  const fails = agent(() => {}, {
    version: 2,
    migrate: () => {
      throw new TypeError("no way");
    },
  });
  await assert.rejects(run(fails, { hook: "migrate", from: 1, state: old }), {
    code: "agent_error",
    message: /TypeError: no way/,
  });
  const bad = agent(() => {}, { version: 2, migrate: () => undefined });
  await assert.rejects(run(bad, { hook: "migrate", from: 1, state: old }), {
    message: /state is undefined/,
  });
});

Deno.test("what onTrigger returns is taken, or refused by name", async () => {
  const result = await run(agent(() => ({ should_hibernate: true, pending: true })));
  assert.deepEqual([result.should_hibernate, result.pending], [true, true]);
  const none = await run(agent(() => {}));
  assert.deepEqual([none.should_hibernate, none.pending], [false, false]);
  const bad: [unknown, RegExp][] = [
    [7, /it returned a number/],
    [null, /it returned null/],
    [[], /it returned an array/],
    [{ shouldHibernate: true }, /"shouldHibernate"/],
    [{ pending: "yes" }, /pending: a string/],
  ];
  for (const [value, message] of bad) {
    await assert.rejects(run(agent(() => value as never)), { code: "agent_error", message });
  }
  assert.equal(
    (await run(agent(() => {}, { onWake: () => 7 as never }), { hook: "onWake" })).pending,
    false,
  );
});

const hostile = Object.defineProperty(new Error(), "message", {
  get() {
    throw new Error("nested");
  },
});
const THROWN: [string, unknown, RegExp][] = [
  ["an error", new TypeError("bad"), /abc onTrigger.*agent_error \(TypeError: bad\)/],
  ["a string", "just text", /agent_error \(just text\)/],
  ["undefined", undefined, /agent_error \(undefined\)/],
  ["null", null, /agent_error \(null\)/],
  ["an object", { a: 1 }, /agent_error \(\{"a":1\}\)/],
  ["a symbol", Symbol("s"), /agent_error \(Symbol\(s\)\)/],
  [
    "a file's refusal",
    new FileError("budget_exceeded", "call", "/x"),
    /agent_error \(FileError: .*budget_exceeded/,
  ],
  ["an error that cannot be shown", hostile, /agent_error/],
  ["an error without prototype", Object.create(null), /agent_error/],
];
for (const [what, value, message] of THROWN) {
  Deno.test(`thrown: ${what}`, async () => {
    const throws = agent(() => {
      throw value;
    });
    await assert.rejects(run(throws), { name: "FileError", code: "agent_error", message });
    await assert.rejects(run(agent(() => Promise.reject(value))), { code: "agent_error", message });
  });
}

Deno.test("the agent's own frames are kept in the cause, the runtime's are not, and both are bounded", async () => {
  function recurse(n: number): void {
    if (n === 0) throw new Error("x".repeat(1_000_000));
    recurse(n - 1);
  }
  const error = await run(agent(() => recurse(3))).catch((e: FileError) => e) as FileError;
  assert.match(error.cause as string, /handler_test\.ts/);
  assert.ok(!(error.cause as string).includes("src/hosts"));
  assert.ok((error.cause as string).length < 10_000);
  assert.ok(error.message.length < 10_000);
});

Deno.test("at the abort a handler that never settles rejects with timeout, and its context is dead", async () => {
  const port = makePort();
  const started = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const late = Promise.withResolvers<unknown>();
  const never = agent(async (ctx) => {
    started.resolve();
    await go.promise;
    await ctx.kv.set("late", 1).catch(late.resolve);
    await new Promise(() => {});
  });
  const running = run(never, {}, port);
  await started.promise;
  port.abort();
  await assert.rejects(running, { code: "timeout" });
  go.resolve();
  assert.equal((await late.promise as FileError).code, "not_ready");
  assert.equal(port.kv.size, 0);
});

Deno.test("a handler that is told of the abort and cleans up still times out", async () => {
  const port = makePort();
  const cleaned = Promise.withResolvers<void>();
  const polite = agent(async (ctx) => {
    await new Promise<void>((done) => {
      ctx.signal.addEventListener("abort", () => done());
      port.abort();
    });
    cleaned.resolve();
  });
  await assert.rejects(run(polite, {}, port), { code: "timeout" });
  await cleaned.promise;
});

Deno.test("a port that was aborted before runs nothing", async () => {
  const port = makePort();
  port.abort();
  let ran = false;
  await assert.rejects(run(agent(() => void (ran = true)), {}, port), { code: "timeout" });
  assert.equal(ran, false);
});

Deno.test("a schema that throws is the agent's error", async () => {
  const state = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: () => {
        throw new RangeError("deep");
      },
    },
  };
  await assert.rejects(run(agent(() => {}, { state })), {
    code: "agent_error",
    message: /RangeError: deep/,
  });
});

Deno.test("a buffer that cannot be had is out_of_memory", async () => {
  const greedy = agent(() => void new Uint8Array(Number.MAX_SAFE_INTEGER));
  await assert.rejects(run(greedy), { code: "out_of_memory", message: /allocation failed/ });
});

Deno.test("a state that cannot be kept fails the hook with the place", async () => {
  await assert.rejects(run(agent((ctx) => void (ctx.state.at = [new Date(0)]))), {
    code: "agent_error",
    message: /state\.at\[0\] is a Date/,
  });
  const large = agent((ctx) => void (ctx.state.text = "x".repeat(100)));
  await assert.rejects(run(large, { limits: { max_state_bytes: 50 } }), {
    code: "agent_error",
    message: /max_state_bytes is 50/,
  });
});
