/** What a handler can do with its context, and that it can do nothing with it afterwards. */
import assert from "../assert.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import { runHook } from "../../src/hosts/handler.ts";
import { seedOf } from "../../src/hosts/seed.ts";
import { makePort, makeRun, NOW } from "./port.ts";

type Body = (ctx: AgentContext) => unknown;

/** Runs `body` as an agent's handler. */
async function within(body: Body, port = makePort(), run = makeRun()) {
  const agent = {
    name: "test",
    async onTrigger(ctx: AgentContext) {
      await body(ctx);
    },
  };
  const result = await runHook(agent, run, port, () => seedOf(run));
  return { port, result, state: JSON.parse(result.state) };
}

Deno.test("who, which tick, when, how much money", async () => {
  const { state } = await within((ctx) => {
    Object.assign(ctx.state, {
      agent: ctx.agent,
      tick: ctx.tick,
      now: ctx.now(),
      money: ctx.budget.remaining_micro_usd,
    });
  });
  assert.deepEqual(state, {
    agent: { id: "abc", name: "abc", config: { colour: "red" } },
    tick: { id: "tick_1", envelope_id: "env_1", attempt: 1 },
    now: NOW,
    money: 5_000_000,
  });
});

Deno.test("messages, replies, events and alarms reach the port as they were given", async () => {
  const { port, state } = await within(async (ctx) => {
    ctx.state.sent = await ctx.send("other", { n: [1] });
    await ctx.reply("yes");
    await ctx.reply({ kind: "text", text: "later" }, { to: "env_0" });
    await ctx.broadcast("done");
    await ctx.broadcast("done", { a: 1 });
    ctx.state.alarm = await ctx.alarm(1500.2, { x: 1 });
    await ctx.alarm(new Date(NOW + 7));
    await ctx.alarm(-5);
    await ctx.cron("0 9 * * *", "morning");
    ctx.state.cancelled = [await ctx.cancelAlarm("alarm-1"), await ctx.cancelAlarm("nope")];
  });
  assert.deepEqual(port.calls, [
    ["send", "other", { n: [1] }],
    ["reply", "yes", undefined],
    ["reply", { kind: "text", text: "later" }, "env_0"],
    ["broadcast", "done", null],
    ["broadcast", "done", { a: 1 }],
    ["alarm", NOW + 1501, { x: 1 }],
    ["alarm", NOW + 7, null],
    ["alarm", NOW - 5, null],
    ["cron", "0 9 * * *", "morning"],
    ["cancelAlarm", "alarm-1"],
    ["cancelAlarm", "nope"],
  ]);
  assert.deepEqual(state, { sent: "env_1", alarm: "alarm-2", cancelled: [true, false] });
});

Deno.test("kv and seen", async () => {
  const { state } = await within(async (ctx) => {
    const value = { n: 1 };
    const setting = ctx.kv.set("b", value);
    value.n = 2;
    await setting;
    await ctx.kv.set("a", "x");
    await ctx.kv.set("c", null);
    await ctx.kv.delete("c");
    await ctx.markSeen("m");
    ctx.state.all = [
      await ctx.kv.get("b"),
      (await ctx.kv.get("none")) === undefined,
      await ctx.kv.list(),
      await ctx.kv.list("b"),
      await ctx.seen("m"),
      await ctx.seen("n"),
    ];
  });
  const b = { name: "b", value: { n: 1 } };
  assert.deepEqual(state.all, [{ n: 1 }, true, [{ name: "a", value: "x" }, b], [b], true, false]);
});

Deno.test("files: text, JSON and bytes, calls, listings", async () => {
  const { state } = await within(async ({ env, state }) => {
    await env.write("/files/t", "grüße");
    await env.append("/files/t", "!");
    await env.write("/files/j", { a: [1] });
    await env.write("/files/b", new Uint8Array([0, 255]));
    await env.write("/files/gone", "x");
    await env.remove("/files/gone");
    Object.assign(state, {
      text: await env.read("/files/t"),
      json: await env.readJson("/files/j"),
      raw: await env.read("/files/j"),
      bytes: [...await env.readBytes("/files/b")],
      names: (await env.list("/files")).map((entry) => entry.name),
      page: (await env.list("/files", { after: "b", limit: 1 })).map((entry) => entry.name),
      size: (await env.stat("/files/t")).size,
      upper: await env.call("/upper", "hi"),
      upperJson: await env.call("/upper", { a: "b" }),
      plain: await env.call("/plain", "hi"),
      part: await env.read("/files/t", { length: 2 }),
    });
    const handle = await env.files.open("/files/h", "write");
    await handle.write(new TextEncoder().encode("by hand"));
    await handle.close();
    state.handle = await env.read("/files/h");
  });
  assert.deepEqual(state, {
    text: "grüße!",
    json: { a: [1] },
    raw: '{"a":[1]}',
    bytes: [0, 255],
    names: ["b", "j", "t"],
    page: ["j"],
    size: 8,
    upper: "HI",
    upperJson: '{"A":"B"}',
    plain: "you said hi",
    part: "gr",
    handle: "by hand",
  });
});

Deno.test("a file's refusal can be caught and read by its code", async () => {
  const { state } = await within(async (ctx) => {
    await ctx.env.read("/files/none").catch((error) => ctx.state.code = error.code);
  });
  assert.equal(state.code, "not_found");
});

Deno.test("a watch stands from the call on, and ends with the signal, not with an error", async () => {
  const port = makePort();
  const ran = within(async (ctx) => {
    const events = ctx.env.watch<{ n: number }>("/events");
    await port.watched;
    port.emit({ type: "x", n: 1 });
    port.emit({ type: "x", n: 2 });
    const got: number[] = [];
    for await (const { n } of events) {
      got.push(n);
      if (n === 2) break;
    }
    ctx.state.got = got;
  }, port);
  assert.deepEqual((await ran).state.got, [1, 2]);

  const other = makePort();
  const ended = Promise.withResolvers<string>();
  const timedOut = within(async (ctx) => {
    const loop = (async () => {
      for await (const _ of ctx.env.watch("/events"));
    })();
    loop.then(() => ended.resolve("ended"), (error) => ended.resolve(String(error)));
    await loop;
    await new Promise(() => {});
  }, other);
  await other.watched;
  other.abort();
  await assert.rejects(timedOut, { code: "timeout" });
  assert.equal(await ended.promise, "ended");
});

Deno.test("a watch that the handler leaves open ends with the hook", async () => {
  const ended = Promise.withResolvers<void>();
  const port = makePort();
  await within(async (ctx) => {
    void (async () => {
      for await (const _ of ctx.env.watch("/events"));
      ended.resolve();
    })();
    await port.watched;
  }, port);
  await ended.promise;
});

Deno.test("a call that is still running when the hook ends is cancelled", async () => {
  const port = makePort();
  await within(async (ctx) => {
    ctx.env.call("/slow", "x");
    await port.slow;
  }, port);
  assert.equal(port.cancelled(), 1);
});

Deno.test("effects that were not awaited are waited for, and their failure fails the hook", async () => {
  const { port } = await within((ctx) => {
    void ctx.env.write("/files/late", "x");
    void ctx.kv.set("k", 1);
  });
  assert.equal(new TextDecoder().decode(port.disk.get("late")), "x");
  assert.equal(port.kv.get("k"), 1);
  await assert.rejects(within((ctx) => void ctx.env.write("/events", "x")), {
    code: "agent_error",
    message: /not_supported/,
  });
});

Deno.test("chance is seeded by the envelope, and hooks of one envelope do not share it", async () => {
  const draw: Body = (ctx) => ctx.state.drawn = [ctx.random(), ctx.random(), ctx.uuid()];
  const [a, b] = [await within(draw), await within(draw)];
  assert.deepEqual(a.state, b.state);
  const tick = { ...makeRun().tick, envelope_id: "env_2" as EnvelopeId };
  const c = await within(draw, makePort(), makeRun({ tick }));
  assert.notDeepEqual(a.state, c.state);
  const woken = await runHook(
    { name: "w", onTrigger() {}, onWake: draw as (ctx: AgentContext) => void },
    makeRun({ hook: "onWake" }),
    makePort(),
    () => seedOf(makeRun({ hook: "onWake" })),
  );
  assert.notEqual(woken.state, a.result.state);
});

Deno.test("the log gets one text an entry", async () => {
  const { port } = await within(({ log }) => {
    log.debug("a", 1);
    log.info({ b: 2 });
    log.warn("w");
    log.error("failed", new RangeError("far"));
  });
  assert.deepEqual(port.logged, [
    "debug a 1",
    'info {"b":2}',
    "warn w",
    "error failed\nRangeError: far",
  ]);
});

const BAD: Record<string, [Body, RegExp]> = {
  "a value that JSON does not have": [(c) => c.reply({ a: [NaN] }), /value\.a\[0\] is NaN/],
  "a date in a message": [(c) => c.send("b", { d: new Date(0) } as never), /value\.d is a Date/],
  "no value": [(c) => c.reply(undefined as never), /value is undefined/],
  "no alarm time": [(c) => c.alarm(NaN), /delay in milliseconds or a Date/],
  "an alarm beyond all dates": [(c) => c.alarm(1e300), /delay in milliseconds or a Date/],
  "an invalid date": [(c) => c.alarm(new Date(NaN)), /delay in milliseconds or a Date/],
  "an alarm by text": [(c) => c.alarm("1s" as never), /delay in milliseconds or a Date/],
  "a name that is no string": [(c) => c.kv.get(7 as never), /name is a string/],
  "an agent that is no string": [(c) => c.send({} as never, 1), /agent is a string/],
  "no data": [(c) => c.env.write("/files/x", undefined as never), /there is no data/],
};
for (const [what, [body, message]] of Object.entries(BAD)) {
  Deno.test(`refused: ${what}`, async () => {
    await within(async (ctx) => {
      await assert.rejects(async () => await body(ctx), { code: "invalid_request", message });
    });
  });
}

/** Every door of the context. A new one must be added here, which the test below this table checks. */
const DOORS: Record<string, Body> = {
  "state": (c) => c.state,
  "set state": (c) => c.state = {},
  "env.read": (c) => c.env.read("/files/x"),
  "env.readJson": (c) => c.env.readJson("/files/x"),
  "env.readBytes": (c) => c.env.readBytes("/files/x"),
  "env.write": (c) => c.env.write("/files/x", "1"),
  "env.append": (c) => c.env.append("/files/x", "1"),
  "env.call": (c) => c.env.call("/upper", "1"),
  "env.list": (c) => c.env.list("/"),
  "env.stat": (c) => c.env.stat("/"),
  "env.remove": (c) => c.env.remove("/files/x"),
  "env.files.open": (c) => c.env.files.open("/files/x", "write"),
  "env.files.stat": (c) => c.env.files.stat("/"),
  "env.files.list": (c) => c.env.files.list("/"),
  "env.files.remove": (c) => c.env.files.remove("/files/x"),
  "kv.get": (c) => c.kv.get("a"),
  "kv.set": (c) => c.kv.set("a", 1),
  "kv.delete": (c) => c.kv.delete("a"),
  "kv.list": (c) => c.kv.list(),
  "seen": (c) => c.seen("a"),
  "markSeen": (c) => c.markSeen("a"),
  "send": (c) => c.send("a", 1),
  "reply": (c) => c.reply(1),
  "broadcast": (c) => c.broadcast("a"),
  "alarm": (c) => c.alarm(1),
  "cron": (c) => c.cron("* * * * *"),
  "cancelAlarm": (c) => c.cancelAlarm("a"),
  "now": (c) => c.now(),
  "random": (c) => c.random(),
  "uuid": (c) => c.uuid(),
  "budget": (c) => c.budget.remaining_micro_usd,
  "log.debug": (c) => c.log.debug("a"),
  "log.info": (c) => c.log.info("a"),
  "log.warn": (c) => c.log.warn("a"),
  "log.error": (c) => c.log.error("a"),
};

Deno.test("after the hook every use is refused with not_ready, and nothing reaches the port", async () => {
  let kept: AgentContext | undefined;
  const { port } = await within((ctx) => void (kept = ctx));
  for (const [door, use] of Object.entries(DOORS)) {
    await assert.rejects(async () => await use(kept!), { code: "not_ready" }, door);
  }
  await assert.rejects(async () => {
    for await (const _ of kept!.env.watch("/events"));
  }, { code: "not_ready" });
  assert.deepEqual([port.calls, port.logged, port.disk.size], [[], [], 0]);
  assert.deepEqual([kept!.agent.id, kept!.tick.attempt, kept!.signal.aborted], ["abc", 1, false]);
});

Deno.test("a handle that outlives its hook is dead, and what it held is discarded", async () => {
  let handle: Awaited<ReturnType<AgentContext["env"]["files"]["open"]>> | undefined;
  const { port } = await within(async (ctx) => {
    handle = await ctx.env.files.open("/files/x", "write");
    await handle.write(new Uint8Array(3));
  });
  await assert.rejects(handle!.write(new Uint8Array(1)), { code: "not_ready" });
  await assert.rejects(handle!.close(), { code: "not_ready" });
  assert.equal(port.disk.size, 0);
});

Deno.test("no door is missing in the list above", async () => {
  await within((ctx) => {
    const plain = ["agent", "tick", "signal"];
    const doors = new Set(Object.keys(DOORS).map((door) => door.replace("set ", "")));
    for (const [name, value] of Object.entries(ctx)) {
      if (plain.includes(name)) continue;
      const inner = typeof value === "object" && name !== "state" && name !== "budget"
        ? Object.keys(value).filter((key) => key !== "watch").flatMap((key) =>
          key === "files"
            ? Object.keys(value[key]).map((verb) => `${name}.files.${verb}`)
            : `${name}.${key}`
        )
        : [name];
      for (const door of inner) assert.ok(doors.has(door), `${door} is not in the list`);
    }
  });
});
