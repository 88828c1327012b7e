/** How many processes live, who goes first, what stands still, and that none outlives the runtime. */
import assert from "../assert.ts";
import type { AgentInstance } from "../../src/core/host.ts";
import { processHost } from "../../src/hosts/process.ts";
import { makePort, makeRun } from "./port.ts";
import { handlerOf, limitsOf, moduleOf } from "./sandbox.ts";

const SLOW = moduleOf(handlerOf(`await ctx.env.call("/slow", "")`));
const QUICK = moduleOf(handlerOf("ctx.state.n = 1"));
const tick = (instance: AgentInstance) => instance.run(makeRun(), makePort());

/** Processes of agents, by a memory limit that no other test has: `pid`, and its state as the kernel names it. */
function processesOf(memoryMb: number): { pid: number; state: string }[] {
  const found: { pid: number; state: string }[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const args = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (!args.some((arg) => arg.endsWith("/process_child.ts"))) continue;
      if (args.at(-3) !== String(memoryMb)) continue;
      const state = /^State:\s+(\S)/m.exec(Deno.readTextFileSync(`/proc/${name}/status`))![1]!;
      if (state !== "Z") found.push({ pid: Number(name), state });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Looks again and again, as nobody tells when a process of somebody else changes. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`${what} did not come about`);
    await new Promise((look) => setTimeout(look, 5));
  }
}

Deno.test("beyond the cap the one that was idle longest goes", async () => {
  const host = processHost({ maxProcesses: 2, spares: 0 });
  try {
    const [a, b] = [await host.start(QUICK, limitsOf()), await host.start(QUICK, limitsOf())];
    await tick(b);
    await tick(a);
    await tick(b);
    await tick(a);
    const c = await host.start(QUICK, limitsOf());
    assert.deepEqual([a.alive, b.alive, c.alive], [true, false, true]);
    await assert.rejects(tick(b), { code: "not_ready" });
    await tick(a);
    await tick(c);
  } finally {
    await host.stop();
  }
});

Deno.test("none that is inside a tick goes; a start waits for a place, in the order of the calls", async () => {
  const host = processHost({ maxProcesses: 1, spares: 0 });
  try {
    const busy = await host.start(SLOW, limitsOf());
    const port = makePort();
    const running = busy.run(makeRun(), port);
    await port.slow;
    const order: string[] = [];
    const first = host.start(QUICK, limitsOf()).then((i) => (order.push("first"), i));
    const second = host.start(QUICK, limitsOf()).then((i) => (order.push("second"), i));
    // Whatever is to happen at once has happened.
    for (let i = 0; i < 3; i++) await new Promise((turn) => setTimeout(turn, 0));
    assert.deepEqual([busy.alive, order], [true, []]);
    port.abort();
    await assert.rejects(running, { code: "timeout" });
    await tick(await first);
    await tick(await second);
    assert.deepEqual(order, ["first", "second"]);
  } finally {
    await host.stop();
  }
});

Deno.test("between onWake and onTrigger of a tick the place is kept", async () => {
  const host = processHost({ maxProcesses: 1, spares: 0 });
  try {
    const source = handlerOf("").replace("name:", "onWake() {}, name:");
    const agent = await host.start(moduleOf(source), limitsOf());
    const waiting = host.start(QUICK, limitsOf());
    await agent.run(makeRun({ hook: "onWake" }), makePort());
    assert.equal(agent.alive, true);
    await tick(agent);
    const next = await waiting;
    assert.deepEqual([agent.alive, next.alive], [false, true]);
  } finally {
    await host.stop();
  }
});

Deno.test("a spare of another size makes room, and a stopped instance frees its place", async () => {
  const host = processHost({ maxProcesses: 2, spares: 1 });
  try {
    const a = await host.start(QUICK, limitsOf());
    const b = await host.start(QUICK, limitsOf({ max_memory_mb: 64 }));
    assert.deepEqual([a.alive, b.alive], [true, true]);
    await a.stop();
    const c = await host.start(QUICK, limitsOf());
    assert.deepEqual([b.alive, c.alive], [true, true]);
  } finally {
    await host.stop();
  }
});

Deno.test("a host that has stopped starts nothing, and lets nobody wait", async () => {
  const host = processHost({ maxProcesses: 1, spares: 1 });
  const busy = await host.start(SLOW, limitsOf());
  const port = makePort();
  const running = busy.run(makeRun(), port);
  await port.slow;
  const waiting = host.start(QUICK, limitsOf());
  const refused = assert.rejects(waiting, { code: "not_ready" });
  const ended = assert.rejects(running, { code: "not_ready" });
  await host.stop();
  await Promise.all([refused, ended]);
  await assert.rejects(host.start(QUICK, limitsOf()), { code: "not_ready" });
  await host.stop();
});

Deno.test("between its ticks a process stands still, and goes on where it was", async () => {
  const host = processHost({ spares: 0 });
  try {
    const source = `let n = 0; setInterval(() => n++, 1);
      export default { name: "a", async onTrigger(ctx) {
        const before = n;
        while (n === before) await new Promise((go) => setTimeout(go, 1));
        ctx.state.n = n;
      } };`;
    const agent = await host.start(moduleOf(source), limitsOf({ max_memory_mb: 131 }));
    const standsStill = () => processesOf(131).every(({ state }) => state === "T" || state === "t");
    await until("standing still", standsStill);
    await tick(agent);
    await until("standing still again", standsStill);
    assert.equal(processesOf(131).length, 1);
    await tick(agent);
  } finally {
    await host.stop();
  }
  await until("being gone", () => processesOf(131).length === 0);
});

Deno.test("what a hook left behind says nothing in the next one", async () => {
  const host = processHost({ spares: 0 });
  try {
    const source = handlerOf(
      `
      if (!later) {
        later = () => {
          const json = new TextEncoder().encode(JSON.stringify({ t: "call", run: 1, id: 99, op: "kvDelete", args: { name: "kept" } }));
          const bytes = new Uint8Array(8 + json.length);
          new DataView(bytes.buffer).setUint32(0, 4 + json.length);
          new DataView(bytes.buffer).setUint32(4, json.length);
          bytes.set(json, 8);
          Deno.stdout.writeSync(bytes);
          kept.kv.set("late", 1).catch((e) => ctx2.log.info(e.code));
        };
        kept = ctx;
        return;
      }
      ctx2 = ctx;
      later();
      await ctx.kv.set("now", 1);`,
      "let later, kept, ctx2;",
    );
    const agent = await host.start(moduleOf(source), limitsOf());
    const port = makePort();
    port.kv.set("kept", 1);
    await agent.run(makeRun(), port);
    await agent.run(makeRun(), port);
    assert.deepEqual([...port.kv.keys()], ["kept", "now"]);
    assert.deepEqual(port.logged, ["info not_ready"]);
  } finally {
    await host.stop();
  }
});

Deno.test("a process has nothing of the runtime's: no environment, no folder, no open files", async () => {
  const path = await Deno.makeTempFile();
  const file = await Deno.open(path, { read: true, write: true });
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  Deno.env.set("AGENTD_CANARY", "canary");
  const host = processHost({ spares: 0 });
  try {
    await host.start(QUICK, limitsOf({ max_memory_mb: 132 }));
    const { pid } = processesOf(132)[0]!;
    const environment = Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0").filter(Boolean);
    const names = environment.map((line) => line.split("=")[0]).sort();
    assert.deepEqual(names, ["DENO_DIR", "NO_COLOR", "TMPDIR", "TZ"]);
    assert.equal(Deno.readLinkSync(`/proc/${pid}/cwd`), "/");
    const sockets = (of: number) =>
      [...Deno.readDirSync(`/proc/${of}/fd`)].flatMap(({ name }) => {
        try {
          return [Deno.readLinkSync(`/proc/${of}/fd/${name}`)];
        } catch {
          return [];
        }
      });
    const own = new Set(sockets(Deno.pid).filter((link) => /^socket:|^\/tmp/.test(link)));
    assert.ok(own.has(path));
    for (const link of sockets(pid)) assert.ok(!own.has(link), `${link} was inherited`);
  } finally {
    await host.stop();
    file.close();
    listener.close();
    await Deno.remove(path);
  }
});

Deno.test("when the runtime is killed, its agents' processes end, whatever they do", async () => {
  const runtime = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("./orphans.ts", import.meta.url).href, "133"],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = runtime.stdout.getReader();
  // It says so when one agent stands still and another one is in an endless loop.
  const { value } = await reader.read();
  assert.match(new TextDecoder().decode(value), /^running/);
  assert.ok(processesOf(133).length >= 2);
  runtime.kill("SIGKILL");
  await runtime.status;
  await reader.cancel();
  await until("the end of all", () => processesOf(133).length === 0);
});
