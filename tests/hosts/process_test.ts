/** The process host as honest agents see it: the same as inline, over a pipe. */
import { encode } from "@jridgewell/sourcemap-codec";
import assert from "../assert.ts";
import { FileError } from "../../src/fs/error.ts";
import { processHost } from "../../src/hosts/process.ts";
import { inlineHost } from "../../src/hosts/inline.ts";
import { MAP_COMMENT } from "../../src/hosts/source_map.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import { makePort, makeRun, NOW } from "./port.ts";
import { handlerOf, limitsOf, moduleOf, runOnce } from "./sandbox.ts";

/** Runs tests against one host, which is ended afterwards. */
function withHost(
  name: string,
  run: (host: ReturnType<typeof processHost>) => Promise<void>,
  options: Parameters<typeof processHost>[0] = { spares: 0 },
) {
  Deno.test(name, async () => {
    const host = processHost(options);
    try {
      await run(host);
    } finally {
      await host.stop();
    }
  });
}

withHost("a module tells what it is, and ticks", async (host) => {
  const source = `
    let inMemory = 0;
    export default {
      name: "Ticker", version: 4,
      onWake(ctx) { ctx.state.woken = true },
      async onTrigger(ctx, trigger) {
        ctx.state.n = (ctx.state.n ?? 0) + ++inMemory;
        await ctx.reply(trigger.text + " " + ctx.now());
        return { should_hibernate: true, pending: true };
      },
    };`;
  const instance = await host.start(moduleOf(source), limitsOf());
  assert.deepEqual(
    [instance.name, instance.version, instance.hooks, instance.alive],
    ["Ticker", 4, ["onWake", "onTrigger"], true],
  );
  const port = makePort();
  const woken = await instance.run(makeRun({ hook: "onWake" }), port);
  assert.equal(woken.state, '{"woken":true}');
  const first = await instance.run(makeRun({ state: woken.state }), port);
  assert.deepEqual(first, {
    state: '{"woken":true,"n":1}',
    should_hibernate: true,
    pending: true,
  });
  const second = await instance.run(makeRun({ state: first.state }), port);
  assert.equal(second.state, '{"woken":true,"n":3}');
  assert.deepEqual(port.calls[0], ["reply", `hello ${NOW}`, undefined]);
  await instance.stop();
  await instance.stop();
  assert.equal(instance.alive, false);
  await assert.rejects(instance.run(makeRun(), port), { code: "not_ready" });
});

/** One handler that uses every door of the context, written once and run by both hosts. */
const EVERYTHING = `
  const { state, env, kv } = ctx;
  state.agent = ctx.agent; state.tick = ctx.tick; state.now = ctx.now();
  state.money = ctx.budget.remaining_micro_usd;
  state.chance = [ctx.random(), ctx.random(), ctx.uuid()];
  state.sent = await ctx.send("other", { n: [1] });
  await ctx.reply("yes");
  await ctx.reply({ kind: "text", text: "later" }, { to: "env_0" });
  await ctx.broadcast("done", { a: 1 });
  state.alarms = [await ctx.alarm(1500, { x: 1 }), await ctx.cron("0 9 * * *")];
  state.cancelled = [await ctx.cancelAlarm("alarm-1"), await ctx.cancelAlarm("nope")];
  await kv.set("b", { n: 1, __proto__: null }); await kv.set("a", "x"); await kv.set("c", 1);
  await kv.delete("c");
  state.kv = [await kv.get("b"), (await kv.get("none")) === undefined, await kv.list()];
  await ctx.markSeen("m");
  state.seen = [await ctx.seen("m"), await ctx.seen("n")];
  await env.write("/files/t", "grüße"); await env.append("/files/t", "!");
  await env.write("/files/j", { a: [1] });
  await env.write("/files/b", new Uint8Array([0, 255]));
  await env.write("/files/empty", "");
  await env.write("/files/gone", "x"); await env.remove("/files/gone");
  state.files = {
    text: await env.read("/files/t"), json: await env.readJson("/files/j"),
    bytes: [...await env.readBytes("/files/b")], empty: await env.read("/files/empty"),
    names: (await env.list("/files", { after: "b", limit: 2 })).map((e) => e.name),
    size: (await env.stat("/files/t")).size, upper: await env.call("/upper", "hi"),
    part: await env.read("/files/t", { offset: 1, length: 1 }),
  };
  const handle = await env.files.open("/files/h", "write");
  await handle.write(new TextEncoder().encode("by ")); await handle.write(new TextEncoder().encode("hand"));
  await handle.close(); await handle.close();
  state.handle = await env.read("/files/h");
  state.refused = [];
  for (const use of [
    () => env.read("/files/none"), () => env.write("/events", "x"), () => env.read("nowhere"),
    () => env.read("/files/t", { match: "v" }), () => env.remove("/upper"),
    () => env.files.open("/files/t", "fly"), () => kv.set("x", NaN), () => env.list("/files", { limit: 0 }),
  ]) {
    await use().then(() => state.refused.push("nothing"), ({ code, message }) => state.refused.push(code + " " + message));
  }
  console.log("printed", { a: 1 }); ctx.log.warn("warned");
  state.given = JSON.parse('{"__proto__":{"x":1},"constructor":2}');
`;

withHost("every door of the context is the same as inline", async (host) => {
  const over = await runOnce(host, handlerOf(EVERYTHING));
  const port = makePort();
  const inline = inlineHost({}, () => {
    const body = new Function("ctx", `return (async () => { ${EVERYTHING} })()`);
    return Promise.resolve({
      default: { name: "a", onTrigger: async (ctx: unknown) => void await body(ctx) },
    });
  });
  const instance = await inline.start(moduleOf(""), limitsOf());
  const { log } = console;
  console.log = () => {};
  const result = await instance.run(makeRun(), port).finally(() => console.log = log);
  assert.deepEqual(over.state, JSON.parse(result.state));
  assert.equal(over.result.state, result.state);
  assert.deepEqual(over.port.calls, port.calls);
  assert.deepEqual([...over.port.disk], [...port.disk]);
  assert.deepEqual(over.port.logged, ['info printed {"a":1}', "warn warned"]);
});

withHost("bodies of many frames, in both directions", async (host) => {
  const size = 5_000_000;
  const { port, state } = await runOnce(
    host,
    handlerOf(`
      const bytes = new Uint8Array(${size}).map((_, i) => i * 7);
      await ctx.env.write("/files/big", bytes);
      const back = await ctx.env.readBytes("/files/big");
      ctx.state.same = back.every((b, i) => b === (i * 7) % 256) && back.length;
      await ctx.kv.set("text", "ü".repeat(1_000_000));
      ctx.state.text = await ctx.kv.get("text");
      ctx.state.got = trigger.text.length;
      await ctx.reply("y".repeat(3_000_000));
    `),
    {},
    makePort(),
  );
  assert.equal(state.same, size);
  assert.equal(port.disk.get("big")!.length, size);
  assert.equal(state.text, "ü".repeat(1_000_000));
  assert.equal((port.calls.at(-1)![1] as string).length, 3_000_000);
});

withHost("a large trigger and a large state go there and back", async (host) => {
  const instance = await host.start(
    moduleOf(handlerOf("ctx.state.text = ctx.state.text + trigger.payload.text")),
    limitsOf(),
  );
  const text = "x".repeat(3_000_000);
  const run = makeRun({ state: JSON.stringify({ text: "ü".repeat(2_000_000) }) });
  const trigger = { ...run.trigger!, payload: { kind: "text" as const, text } };
  const result = await instance.run({ ...run, trigger } as typeof run, makePort());
  assert.equal(JSON.parse(result.state).text, "ü".repeat(2_000_000) + text);
});

withHost(
  "thousands of calls at once, and effects in the order in which they were called",
  async (host) => {
    const { port, state } = await runOnce(
      host,
      handlerOf(`
      const all = [];
      for (let i = 0; i < 3000; i++) all.push(ctx.kv.set("k", i));
      all.push(ctx.kv.set("large", "x".repeat(2_000_000)));
      all.push(ctx.kv.set("large", "small"));
      await Promise.all(all);
      ctx.state.last = [await ctx.kv.get("k"), await ctx.kv.get("large")];
      void ctx.reply("not awaited");
    `),
    );
    assert.deepEqual(state.last, [2999, "small"]);
    assert.deepEqual(
      port.calls.slice(0, 3000).map(([, , n]) => n),
      Array.from({ length: 3000 }, (_, i) => i),
    );
    assert.deepEqual(port.calls.at(-1), ["reply", "not awaited", undefined]);
  },
);

withHost("a watch over the pipe: events as they come, until the loop is left", async (host) => {
  const port = makePort();
  const running = runOnce(
    host,
    handlerOf(`
      const got = [];
      for await (const { n } of ctx.env.watch("/events")) { got.push(n); if (n === 3) break; }
      ctx.state.got = got;
    `),
    {},
    port,
  );
  await port.watched;
  for (const n of [1, 2, 3]) port.emit({ type: "x", n });
  assert.deepEqual((await running).state.got, [1, 2, 3]);
});

withHost("an agent's own signal cancels its call, its watch and its write", async (host) => {
  const port = makePort();
  const running = runOnce(
    host,
    handlerOf(`
      const stop = new AbortController();
      const call = ctx.env.call("/slow", "x", { signal: stop.signal }).catch((e) => e.code);
      const handle = await ctx.env.files.open("/files/half", "write", { signal: stop.signal });
      await handle.write(new Uint8Array(10));
      const seen = [];
      const watching = (async () => {
        for await (const e of ctx.env.watch("/events", { signal: stop.signal })) { seen.push(e.n); stop.abort(); }
      })();
      await watching;
      await handle.close().catch(() => {});
      ctx.state.came = [await call, seen];
    `),
    {},
    port,
  );
  await Promise.all([port.watched, port.slow]);
  port.emit({ type: "x", n: 1 });
  const { state } = await running;
  assert.deepEqual(state.came, ["interrupted", [1]]);
  assert.equal(port.cancelled(), 1);
  assert.equal(port.disk.has("half"), false);
});

withHost("what the hook leaves open ends with it", async (host) => {
  const port = makePort();
  await runOnce(
    host,
    handlerOf(`
      void ctx.env.call("/slow", "x");
      const handle = await ctx.env.files.open("/files/half", "write");
      await handle.write(new Uint8Array(10));
      const waiting = ctx.env.watch("/events")[Symbol.asyncIterator]().next();
      await ctx.kv.set("a", 1);
    `),
    {},
    port,
  );
  assert.equal(port.disk.has("half"), false);
  await port.slow;
  assert.equal(port.cancelled(), 1);
});

withHost("the money that remains is told as it changes", async (host) => {
  let remaining = 100;
  const base = makePort();
  const port = Object.defineProperty({ ...base }, "remainingMicroUsd", {
    get: () => remaining,
  });
  port.kvSet = (name, value) => (remaining -= 30, base.kvSet(name, value));
  const { state } = await runOnce(
    host,
    handlerOf(`
      const { budget } = ctx;
      ctx.state.money = [budget.remaining_micro_usd];
      await ctx.kv.set("a", 1); ctx.state.money.push(budget.remaining_micro_usd);
      await ctx.kv.get("a"); ctx.state.money.push(budget.remaining_micro_usd);
    `),
    {},
    port,
  );
  assert.deepEqual(state.money, [100, 70, 70]);
});

withHost("a handler that throws fails with its words and its own frames", async (host) => {
  const source = `
    function deep() { throw new TypeError("it broke"); }
    export default { name: "a", onTrigger() { deep(); }, onError(ctx, { code }) { ctx.log.error("saw", code); } };`;
  const instance = await host.start(moduleOf(source), limitsOf());
  const port = makePort();
  const error = await instance.run(makeRun(), port).catch((e: FileError) => e) as FileError;
  assert.equal(error.code, "agent_error");
  assert.match(
    error.message,
    /Cannot run "abc onTrigger": agent_error \(TypeError: it broke \(agent\.js:2:29\)\)/,
  );
  // What came without a map is told as it runs.
  const frames = error.extra?.stack as string[];
  assert.deepEqual(frames[0], "deep (agent.js:2:29)");
  assert.match(frames[1]!, /^onTrigger \(agent\.js:3:\d+\)$/);
  assert.match(error.cause as string, /at deep \(agent\.js:2:/);
  assert.doesNotMatch(error.cause as string, /src\/hosts|data:/);
  // Only onError may still run in what failed; then it is thrown away.
  const told = { code: error.code, message: error.message };
  await instance.run(makeRun({ hook: "onError", error: told }), port);
  assert.deepEqual(port.logged, ["error saw agent_error"]);
  assert.equal(instance.alive, false);
});

withHost(
  "a failure says where in its author's files, as far as the code came with a map",
  async (host) => {
    const lines = [
      `function inner() { throw new Error("here"); }`,
      `const library = { run: (f) => f() };`,
      `export default { name: "a", onTrigger() { library.run(inner); } };`,
    ];
    const fails = async (source: string) => {
      const error = await runOnce(host, source).catch((e: FileError) => e) as FileError;
      return error.extra?.stack;
    };
    assert.deepEqual(await fails(lines.join("\n")), [
      "inner (agent.js:1:26)",
      "run (agent.js:2:31)",
      "onTrigger (agent.js:3:51)",
    ]);
    // The second line came from a package, of which the map does not tell.
    const map = {
      sources: ["lib/inner.ts", "agent.ts"],
      mappings: encode([[[0, 0, 9, 4]], [], [[0, 1, 20, 0], [40, 1, 21, 2]]]),
    };
    const mapped = `${lines.join("\n")}\n${MAP_COMMENT}${btoa(JSON.stringify(map))}`;
    assert.deepEqual(await fails(mapped), [
      "inner (lib/inner.ts:10:5)",
      "onTrigger (agent.ts:22:3)",
    ]);
    for (const broken of ["%%%", btoa("{}"), btoa(`{"sources":[7],"mappings":"AAAA"}`)]) {
      assert.equal(
        (await fails(`${lines.join("\n")}\n${MAP_COMMENT}${broken}`) as string[]).length,
        3,
      );
    }
  },
);

withHost("after a failed try the process is thrown away", async (host) => {
  const source = handlerOf(`if (trigger.text === "hello") throw 1;`);
  const instance = await host.start(moduleOf(source), limitsOf());
  await assert.rejects(instance.run(makeRun(), makePort()), { code: "agent_error" });
  await assert.rejects(instance.run(makeRun(), makePort()), { code: "not_ready" });
  assert.equal(instance.alive, false);
});

withHost("a state that cannot be kept names the place", async (host) => {
  await assert.rejects(runOnce(host, handlerOf("ctx.state.a = { when: new Date() };")), {
    code: "agent_error",
    message: /state\.a\.when is a Date/,
  });
});

withHost("migrate, schema and all, over the pipe", async (host) => {
  const source = `
    const state = { "~standard": { version: 1, vendor: "x", validate: (value) =>
      Number.isInteger(value.total) ? { value } : { issues: [{ message: "no number", path: ["total"] }] } } };
    export default { name: "m", version: 2, state, migrate: (from, old) => ({ total: old.n * from }), onTrigger() {} };`;
  const instance = await host.start(moduleOf(source), limitsOf());
  assert.equal(instance.version, 2);
  const run = makeRun({ hook: "migrate", from: 1, state: '{"n":5}' });
  assert.equal((await instance.run(run, makePort())).state, '{"total":5}');
  const bad = makeRun({ hook: "migrate", from: 1, state: '{"n":"x"}' });
  await assert.rejects(instance.run(bad, makePort()), { message: /state\.total: no number/ });
});

withHost("two hooks of one instance do not run at once", async (host) => {
  const port = makePort();
  const instance = await host.start(
    moduleOf(handlerOf("await ctx.env.call('/slow', '')")),
    limitsOf(),
  );
  const first = instance.run(makeRun(), port);
  await port.slow;
  await assert.rejects(instance.run(makeRun(), port), { code: "conflict" });
  port.abort();
  await assert.rejects(first, { code: "timeout" });
});

const NO_AGENTS: [string, string, RegExp][] = [
  ["no default export", "export const x = 1", /no default export/],
  ["no onTrigger", "export default { name: 'a' }", /no onTrigger/],
  ["a syntax error", "export default {", /does not load: .*Unexpected token.*agent\.js:1:17/s],
  ["an error at its top level", "throw new RangeError('top')", /does not load: RangeError: top/],
  ["an import of what is not in it", "import 'zod'", /does not load/],
  ["bytes that are no text", "\u0000\ud800", /does not load/],
];
for (const [what, source, message] of NO_AGENTS) {
  withHost(`does not load: ${what}`, async (host) => {
    await assert.rejects(host.start(moduleOf(source), limitsOf()), {
      code: "agent_error",
      message,
    });
  });
}

withHost("a module that never ends loading is given up", async (host) => {
  await assert.rejects(host.start(moduleOf("await new Promise(() => {})"), limitsOf()), {
    code: "timeout",
    message: /did not load within 50 ms/,
  });
}, { spares: 0, loadMs: 50 });

withHost("built-in agents do not run here, and modules have a largest size", async (host) => {
  const builtin = { kind: "builtin", name: "echo" } as const;
  await assert.rejects(host.start(builtin, limitsOf()), { code: "not_supported" });
  const large = moduleOf("//" + "x".repeat(17 * 1024 * 1024));
  await assert.rejects(host.start(large, limitsOf()), { code: "too_large" });
});

withHost("memory that is too little to start with is told", async (host) => {
  await assert.rejects(host.start(moduleOf(""), limitsOf({ max_memory_mb: 1 })), {
    code: "out_of_memory",
    message: /max_memory_mb is 1, which is too little/,
  });
});

withHost("a program that does not start is told", async (host) => {
  await assert.rejects(host.start(moduleOf(""), limitsOf()), {
    code: "io",
    message: /\/no\/where/,
  });
}, { command: { program: "/no/where", args: [] } });

withHost("a program that is no agent's process is told by its own words", async (host) => {
  await assert.rejects(host.start(moduleOf(""), limitsOf()), {
    code: "io",
    message: /it ended \(exit code 3\): something else/,
  });
}, { spares: 0, command: { program: "/bin/sh", args: ["-c", "echo something else >&2; exit 3"] } });

withHost("chance is seeded by the envelope, as inline", async (host) => {
  const draw = handlerOf("ctx.state.drawn = [ctx.random(), ctx.uuid()]");
  const instance = await host.start(moduleOf(draw), limitsOf());
  const tick = (id: string) => ({ ...makeRun().tick, envelope_id: id as EnvelopeId });
  const a = await instance.run(makeRun(), makePort());
  const b = await instance.run(makeRun(), makePort());
  const c = await instance.run(makeRun({ tick: tick("env_2") }), makePort());
  assert.equal(a.state, b.state);
  assert.notEqual(a.state, c.state);
});
