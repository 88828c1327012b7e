/** What hostile or broken agents do to themselves stays with them: the tick fails in time, the host goes on, others feel nothing. */
import assert from "../assert.ts";
import type { Limits } from "../../src/core/agent.ts";
import type { FileError } from "../../src/fs/error.ts";
import type { AgentInstance } from "../../src/core/host.ts";
import { type ProcessHost, processHost } from "../../src/hosts/process.ts";
import { makePort, makeRun, type PortRecord } from "./port.ts";
import { handlerOf, limitsOf, moduleOf, runOnce } from "./sandbox.ts";

interface Attack {
  readonly name: string;
  readonly source: string;
  readonly code: string | RegExp;
  readonly message?: RegExp;
  readonly limits?: Partial<Limits>;
  readonly during?: (port: PortRecord) => unknown;
}

const attacks: Attack[] = [];

function hostile(
  name: string,
  source: string,
  expected: Pick<Attack, "code" | "message">,
  limits: Partial<Limits> = {},
  during?: Attack["during"],
): void {
  attacks.push({ name, source, ...expected, limits, ...(during ? { during } : {}) });
}

async function withstand(host: ProcessHost, bystander: AgentInstance, attack: Attack) {
  const { source, limits = {}, during, code, message = /./ } = attack;
  const port = makePort();
  const ran = runOnce(host, source, limits, port).then(
    ({ state }) => assert.fail(`it ended well: ${JSON.stringify(state)}`),
    (error: FileError) => error,
  );
  await Promise.race([ran, during?.(port)]);
  const error = await ran;
  assert.match(error.code, typeof code === "string" ? RegExp(`^${code}$`) : code, String(error));
  assert.match(error.message, message);
  const after = makePort();
  await bystander.run(makeRun(), after);
  assert.deepEqual(after.calls, [["reply", "hello", undefined]]);
}

const ECHO = moduleOf(handlerOf("await ctx.reply(trigger.text)"));

/** The handler tells that it is about to begin, and the wall limit comes then. */
const atWall = async (port: PortRecord) => {
  await port.begun;
  port.abort();
};
const beginning = `await ctx.broadcast("begun");`;

hostile(
  "an endless loop meets the wall limit",
  handlerOf(`${beginning} for (;;);`),
  {
    code: "timeout",
  },
  {},
  atWall,
);
hostile(
  "a handler that waits for ever meets the wall limit",
  handlerOf(`${beginning} await new Promise(() => {})`),
  {
    code: "timeout",
  },
  {},
  atWall,
);

const STALL = { max_stall_ms: 300 };
const stalled = { code: "timeout", message: /did not answer for 300 ms/ };
hostile("an endless loop is a stall", handlerOf("for (;;);"), stalled, STALL);
hostile("endless microtasks are a stall", handlerOf("for (;;) await null;"), stalled, STALL);
hostile("an endless loop at the top level is a stall", "for (;;);", stalled, STALL);
hostile(
  "a thread that sleeps is a stall",
  handlerOf("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
  stalled,
  STALL,
);
hostile(
  "an endless getter in the state is a stall",
  handlerOf("ctx.state = { get x() { for (;;); } }"),
  stalled,
  STALL,
);
hostile(
  "an endless toString in a thrown value is a stall",
  handlerOf("throw { toString() { for (;;); }, toJSON() { for (;;); } }"),
  stalled,
  STALL,
);
hostile(
  "somebody else reads its pipe",
  handlerOf("const b = new Uint8Array(1e6); for (;;) Deno.stdin.readSync(b);"),
  { code: /^(?:agent_error|timeout)$/ },
  STALL,
);
hostile(
  "a flood of standard error is a stall",
  handlerOf("const b = new Uint8Array(1e6); for (;;) Deno.stderr.writeSync(b);"),
  stalled,
  STALL,
);

const full = { code: "out_of_memory" };
hostile(
  "a heap that grows and grows",
  handlerOf("const a = []; for (;;) a.push(new Array(1000).fill(Math.random()))"),
  full,
);
hostile(
  "a string that grows and grows",
  handlerOf("let a = 'x'; for (;;) { a += a; a.charCodeAt(a.length / 2); }"),
  {
    // V8 has a longest string; which comes first is its affair.
    code: /^(?:out_of_memory|agent_error)$/,
  },
);
hostile(
  "buffers that grow and grow",
  handlerOf("const a = []; for (;;) a.push(new Uint8Array(1e7).fill(1))"),
  full,
);
hostile("one huge buffer", handlerOf("new Uint8Array(4e9).fill(1)"), full);
hostile(
  "memories of WebAssembly",
  handlerOf(
    "const a = []; for (;;) { const m = new WebAssembly.Memory({ initial: 500 }); new Uint8Array(m.buffer).fill(1); a.push(m); }",
  ),
  full,
);
hostile(
  "a heap that grows while nothing waits for it",
  handlerOf(
    "const a = []; setInterval(() => a.push(new Array(1e6).fill(Math.random())), 0); await new Promise(() => {})",
  ),
  full,
);
hostile(
  "a heap that grows at the top level",
  "const a = []; for (;;) a.push(new Array(1000).fill(Math.random()))",
  full,
);

const broken = { code: "agent_error", message: /broke the protocol/ };
const raw = (bytes: string) =>
  handlerOf(`Deno.stdout.writeSync(${bytes}); await new Promise(() => {})`);
const text = (words: string) => `new TextEncoder().encode(${JSON.stringify(words)})`;
hostile("text on standard output", raw(text("hello, world\n")), broken);
hostile(
  "text by file descriptor 1",
  handlerOf(
    `process.getBuiltinModule("node:fs").writeSync(1, "hello"); await new Promise(() => {})`,
  ),
  broken,
);
hostile("a frame of four gigabytes", raw("new Uint8Array([255, 255, 255, 255])"), broken);
hostile("zeros for ever", handlerOf("for (;;) Deno.stdout.writeSync(new Uint8Array(1e6))"), broken);
hostile("garbage while it loads", `Deno.stdout.writeSync(${text("hello, world")});`, broken);
hostile(
  "JSON that says that all is done",
  raw(`(() => {
    const json = ${text('{"t":"done","run":1,"should_hibernate":false,"pending":false}')};
    const bytes = new Uint8Array(8 + json.length);
    new DataView(bytes.buffer).setUint32(0, 4 + json.length);
    new DataView(bytes.buffer).setUint32(4, json.length);
    bytes.set(json, 8);
    return bytes;
  })()`),
  broken,
);

hostile(
  "it ends its process by force",
  `import { exit } from "node:process";\n` + handlerOf("exit(0)"),
  {
    code: "agent_error",
    message: /process/,
  },
);
hostile(
  "it ends its process by the inner door",
  handlerOf("process.reallyExit(0); await new Promise(() => {})"),
  { code: "agent_error" },
);
hostile("it aborts its process", handlerOf("process.abort()"), { code: "agent_error" });
hostile("it calls process.exit", handlerOf("process.exit(0)"), {
  code: "agent_error",
  message: /does not end its process/,
});
hostile("it calls Deno.exit", handlerOf("Deno.exit(0)"), {
  code: "agent_error",
  message: /does not end its process/,
});
hostile("it closes its thread", handlerOf("self.close(); await new Promise(() => {})"), {
  code: "agent_error",
});
hostile(
  "it kills itself",
  handlerOf("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})"),
  { code: "agent_error" },
);
hostile(
  "it starts a thread",
  handlerOf(`const { Worker } = await import("node:worker_threads");
  await new Promise((ok, no) => { const w = new Worker("1", { eval: true }); w.on("online", ok); w.on("error", no); w.on("exit", no); })`),
  { code: "agent_error" },
);
hostile(
  "a rejection that nobody awaits",
  handlerOf("Promise.reject(new TypeError('lost')); await new Promise(() => {})"),
  {
    code: "agent_error",
    message: /TypeError: lost/,
  },
);
hostile(
  "an error in a timer",
  handlerOf("setTimeout(() => { throw new TypeError('late') }, 0); await new Promise(() => {})"),
  {
    code: "agent_error",
    message: /TypeError: late/,
  },
);

const OVERRIDDEN: Record<string, string> = {
  "JSON": "JSON.stringify = () => '{}'; JSON.parse = () => ({ t: 'done' }); globalThis.JSON = null",
  "Promise": "Promise.prototype.then = undefined; globalThis.Promise = class {}",
  "Uint8Array": "globalThis.Uint8Array = Array; globalThis.ArrayBuffer = null",
  "TextEncoder": "TextEncoder.prototype.encode = () => new Uint8Array(5)",
  "Map and Set":
    "Map.prototype.get = Map.prototype.set = () => undefined; Set.prototype.add = null",
  "Array": "Array.prototype.push = () => { throw 1 }; Array.prototype.shift = () => ({})",
  "Object.prototype":
    "for (const n of ['t', 'run', 'id', 'size', 'code', 'error', 'then', 'get', 'signal']) Object.prototype[n] = 7",
  "toJSON": "Object.prototype.toJSON = () => ({ t: 'done', run: 1 })",
  "setters": "Object.defineProperty(Object.prototype, 'run', { set() {}, get: () => 1 })",
  "a constructor":
    "Object.prototype.constructor = undefined; Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null",
  "timers":
    "globalThis.setTimeout = globalThis.AbortController = globalThis.AbortSignal = undefined",
};

Deno.test({
  name: "hostile agents",
  // Processes outlive the step in which they were started, by design.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const host = processHost({ spares: 1, loadMs: 2000 });
    try {
      const bystander = await host.start(ECHO, limitsOf());
      for (const attack of attacks) {
        await t.step(attack.name, () => withstand(host, bystander, attack));
      }
      for (const [what, code] of Object.entries(OVERRIDDEN)) {
        await t.step(`globals overridden before a hook: ${what}`, async () => {
          await override(host, code);
          assert.equal(({} as Record<string, unknown>).run, undefined);
          await bystander.run(makeRun(), makePort());
        });
      }
      await t.step("floods are refused or dropped, and the tick ends well", () => flood(host));
    } finally {
      await host.stop();
    }
  },
});

/** It may work, break or wait for ever; what it may not do is to hurt anybody else, or to keep what is no state. */
async function override(host: ProcessHost, code: string): Promise<void> {
  const source = handlerOf(
    "ctx.state.n = 1; await ctx.reply('x'); await ctx.kv.set('a', 1);",
    code,
  );
  const port = makePort();
  const wall = setTimeout(() => port.abort(), 1000);
  try {
    const { state } = await runOnce(host, source, STALL, port);
    assert.equal(typeof state, "object");
  } catch (error) {
    assert.match((error as FileError).code, /^(?:agent_error|timeout)$/, String(error));
  } finally {
    clearTimeout(wall);
  }
}

async function flood(host: ProcessHost): Promise<void> {
  const { port, state } = await runOnce(
    host,
    handlerOf(`
      for (let i = 0; i < 100_000; i++) setTimeout(() => {}, i % 10);
      for (let i = 0; i < 1_500; i++) ctx.log.info("x".repeat(20_000));
      const large = "x".repeat(20_000_000);
      ctx.state.came = [];
      for (const use of [
        () => ctx.reply(large), () => ctx.kv.set("a", { large }),
        () => ctx.kv.set(large, 1), () => ctx.env.read("/" + large),
      ]) await use().then(() => ctx.state.came.push("taken"), (e) => ctx.state.came.push(e.code));
      const handles = [];
      try { for (;;) handles.push(await ctx.env.files.open("/files/x" + handles.length, "write")); }
      catch (e) { ctx.state.handles = [handles.length, e.code]; }
    `),
  );
  assert.deepEqual(state.came, ["too_large", "too_large", "invalid_request", "invalid_request"]);
  assert.deepEqual(state.handles, [256, "quota_exceeded"]);
  assert.equal(port.logged.length, 1001);
  assert.match(port.logged.at(-1)!, /what it logs from here on is dropped/);
  assert.ok(port.logged.every((entry) => entry.length < 10_000));
  assert.equal(port.disk.size, 0);
}
