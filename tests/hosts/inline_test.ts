/** The inline host: what it loads, what it refuses, and that agents which leave things behind do not hurt it. */
import assert from "../assert.ts";
import { type Agent, type AgentContext, DEFAULT_LIMITS } from "../../src/core/agent.ts";
import { inlineHost } from "../../src/hosts/inline.ts";
import { makePort, makeRun } from "./port.ts";

const builtin = (name: string) => ({ kind: "builtin", name }) as const;
const moduleCode = (text: string) => ({
  kind: "module" as const,
  digest: "d1",
  source: () => Promise.resolve(new TextEncoder().encode(text)),
});

Deno.test("a built-in is loaded by its name, and tells what it is", async () => {
  const agent: Agent = { name: "A", version: 2, onTrigger() {}, onSleep() {} };
  const instance = await inlineHost({ a: agent }).start(builtin("a"), DEFAULT_LIMITS);
  assert.deepEqual(
    [instance.name, instance.version, instance.hooks, instance.alive],
    ["A", 2, ["onTrigger", "onSleep"], true],
  );
});

Deno.test("an unknown built-in is not_found, names of Object.prototype too", async () => {
  const host = inlineHost({ a: { name: "a", onTrigger() {} } });
  for (const name of ["b", "constructor", "__proto__", "toString"]) {
    await assert.rejects(host.start(builtin(name), DEFAULT_LIMITS), {
      code: "not_found",
      message: /there are a/,
    });
  }
});

Deno.test("a built-in that is no agent is refused", async () => {
  const host = inlineHost({ a: { name: "a" } as Agent });
  await assert.rejects(host.start(builtin("a"), DEFAULT_LIMITS), {
    code: "agent_error",
    message: /no onTrigger/,
  });
});

Deno.test("modules need a loader, and their failures are the agent's", async () => {
  const good = moduleCode("export default { name: 'm', onTrigger() {} }");
  await assert.rejects(inlineHost({}).start(good, DEFAULT_LIMITS), { code: "not_supported" });
  const host = inlineHost({}, (source) => {
    return import(`data:text/javascript;base64,${btoa(new TextDecoder().decode(source))}`);
  });
  assert.equal((await host.start(good, DEFAULT_LIMITS)).name, "m");
  await assert.rejects(host.start(moduleCode("throw new Error('at load')"), DEFAULT_LIMITS), {
    code: "agent_error",
    message: /does not load: Error: at load/,
  });
  await assert.rejects(host.start(moduleCode("export const x = 1"), DEFAULT_LIMITS), {
    code: "agent_error",
    message: /no default export/,
  });
});

Deno.test("a stopped instance runs nothing more; stopping twice is fine", async () => {
  const host = inlineHost({ a: { name: "a", onTrigger() {} } });
  const instance = await host.start(builtin("a"), DEFAULT_LIMITS);
  await instance.run(makeRun(), makePort());
  await instance.stop();
  await instance.stop();
  assert.equal(instance.alive, false);
  await assert.rejects(instance.run(makeRun(), makePort()), { code: "not_ready" });
});

Deno.test("what a handler changes in its trigger and configuration is not there at the next try", async () => {
  const seen: unknown[] = [];
  const host = inlineHost({
    a: {
      name: "a",
      onTrigger(ctx, trigger) {
        const config = ctx.agent.config as Record<string, unknown>;
        seen.push([config.colour, trigger.type === "message" && trigger.text]);
        config.colour = "blue";
        Object.assign(trigger, { text: "changed" });
      },
    },
  });
  const instance = await host.start(builtin("a"), DEFAULT_LIMITS);
  const run = makeRun();
  await instance.run(run, makePort());
  await instance.run(run, makePort());
  assert.deepEqual(seen, [["red", "hello"], ["red", "hello"]]);
});

Deno.test("promises and timers that an agent leaves behind do not end the process", async () => {
  let kept: AgentContext | undefined;
  const done = Promise.withResolvers<void>();
  const host = inlineHost({
    a: {
      name: "a",
      onTrigger(ctx) {
        kept = ctx;
        // Nobody awaits these: the first fails in the hook, the others after it.
        const float = async () => void await ctx.env.read("/files/none");
        float();
        const later = async () => {
          await done.promise;
          await ctx.reply("late");
        };
        later();
        setTimeout(() => {
          done.resolve();
          ctx.now();
        }, 0);
      },
    },
  });
  const instance = await host.start(builtin("a"), DEFAULT_LIMITS);
  const port = makePort();
  await instance.run(makeRun(), port);
  await done.promise;
  // A turn of the event loop later the platform would have ended the process.
  await new Promise((turn) => setTimeout(turn, 0));
  await assert.rejects(kept!.reply("x"), { code: "not_ready" });
  assert.deepEqual(port.calls, []);
});

Deno.test("a rejection that comes after the timeout does not end the process", async () => {
  const go = Promise.withResolvers<void>();
  const host = inlineHost({
    a: {
      name: "a",
      async onTrigger() {
        await go.promise;
        throw new Error("too late");
      },
    },
  });
  const instance = await host.start(builtin("a"), DEFAULT_LIMITS);
  const port = makePort();
  const running = instance.run(makeRun(), port);
  port.abort();
  await assert.rejects(running, { code: "timeout" });
  go.resolve();
  await new Promise((turn) => setTimeout(turn, 0));
  assert.equal(instance.alive, true);
});
