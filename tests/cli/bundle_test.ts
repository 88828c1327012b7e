/** One module out of an agent's source: what goes in, what is refused and by which words, and where its errors are told to be. */
import { join } from "node:path";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { bundle, type Inputs, stampOf } from "../../src/cli/bundle.ts";
import { lineOf } from "../../src/cli/exit.ts";
import { processHost } from "../../src/hosts/process.ts";
import type { FileError } from "../../src/fs/error.ts";
import { makePort, makeRun } from "../hosts/port.ts";
import { limitsOf, moduleOf } from "../hosts/sandbox.ts";

/** Runs a test in a directory with these files. */
async function inFiles(
  files: Readonly<Record<string, string>>,
  run: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "agentd-bundle-" }));
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(join(dir, name, ".."), { recursive: true });
      await Deno.writeTextFile(join(dir, name), text);
    }
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function refusal(entry: string, inputs?: Inputs): Promise<string> {
  let line = "";
  await rejects(bundle(entry, inputs), (error: unknown) => {
    line = lineOf(error);
    return true;
  });
  return line;
}

/** The bundler's machine has timers of its own, which outlast what it is asked for. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

const load = async (code: string) =>
  (await import("data:text/javascript;base64," + new TextEncoder().encode(code).toBase64()))
    .default;

test("relative imports, JSON, text, the author's short names, packages of both kinds", async () => {
  const files = {
    "agent.ts": `
      import { helper } from "./lib/helper.js";
      import data from "./data.json";
      import note from "./note.md";
      import { short } from "~/short.ts";
      import { esm } from "esm-pkg";
      import { deep } from "esm-pkg/deep";
      import cjs from "@scope/cjs-pkg";
      import type { Agent } from "agentd";
      export default { name: [helper, data.a, note.trim(), short, esm, deep, cjs.name].join(" ") } satisfies { name: string } as unknown as Agent;
    `,
    "lib/helper.ts": `import { n } from "./n"; export const helper: string = "helper" + n;`,
    "lib/n/index.ts": "export const n = 1;",
    "data.json": '{"a":2}',
    "note.md": "three\n",
    "mine/short.ts": `export const short = "short";`,
    "deno.json": `{ // a comment\n "imports": { "~/short.ts": "./mine/short.ts" } }`,
    "node_modules/esm-pkg/package.json":
      `{"name":"esm-pkg","version":"1.0.0","exports":{".":{"import":"./i.mjs"},"./deep":"./d.js"},"type":"module"}`,
    "node_modules/esm-pkg/i.mjs": `export const esm = "esm";`,
    "node_modules/esm-pkg/d.js": `export const deep = "deep";`,
    "node_modules/@scope/cjs-pkg/package.json": `{"name":"@scope/cjs-pkg","main":"./main"}`,
    "node_modules/@scope/cjs-pkg/main.js": `exports.name = require("./other").name;`,
    "node_modules/@scope/cjs-pkg/other.js": `exports.name = "cjs";`,
  };
  await inFiles(files, async (dir) => {
    const inputs: Inputs = new Map();
    const made = await bundle(join(dir, "agent.ts"), inputs);
    equal((await load(made.code)).name, "helper1 2 three short esm deep cjs");
    match(made.digest, /^[0-9a-f]{64}$/);
    equal(made.bytes, new TextEncoder().encode(made.code).length);
    deepEqual(made.warnings, []);
    ok(!made.code.includes(dir), "a path of this machine is in the bundle");
    // What an author edits, and nothing of packages.
    deepEqual([...inputs.keys()].map((path) => path.slice(dir.length + 1)).sort(), [
      "agent.ts",
      "data.json",
      "lib/helper.ts",
      "lib/n/index.ts",
      "mine/short.ts",
      "note.md",
    ]);
    for (const [path, stamp] of inputs) equal(stamp, stampOf(path));
    equal((await bundle(join(dir, "agent.ts"))).digest, made.digest, "the same twice");
  });
});

test("zod is always there; one that is installed goes before it", async () => {
  const source =
    `import { z } from "zod"; export default { name: String(z.own ?? typeof z.object) };`;
  await inFiles({ "agent.ts": source }, async (dir) => {
    const made = await bundle(join(dir, "agent.ts"));
    equal((await load(made.code)).name, "function");
    ok(made.bytes < 400_000, `${made.bytes} bytes`);
  });
  const own = {
    "agent.ts": source,
    "node_modules/zod/package.json": `{"name":"zod","main":"i.js"}`,
    "node_modules/zod/i.js": `exports.z = { own: "mine" };`,
  };
  await inFiles(own, async (dir) => {
    equal((await load((await bundle(join(dir, "agent.ts"))).code)).name, "mine");
  });
});

test("what cannot be bundled is refused with its file, its line and what to do", async () => {
  const files = {
    "syntax.ts": "export default {\n  name: 1 2,\n};",
    "missing.ts": `export {};\nimport "./lib/none.ts";`,
    "package.ts": `import { nope } from "left-pad";\nnope();`,
    "remote.ts": `import "https://example.com/x.js";`,
    "bot/agent.ts": "export default 1;",
  };
  await inFiles(files, async (dir) => {
    const at = (name: string) => join(dir, name);
    match(await refusal(at("syntax.ts")), /syntax\.ts:2:11: Expected "}" but found "2"$/);
    const inputs: Inputs = new Map();
    match(
      await refusal(at("missing.ts"), inputs),
      /missing\.ts:2:8: there is no file \.\/lib\/none\.ts$/,
    );
    // So that it can be waited for.
    equal(inputs.get(at("lib/none.ts")), "none");
    match(
      await refusal(at("package.ts")),
      /package\.ts:1:22: the package "left-pad" is not installed: run `npm install left-pad` beside/,
    );
    match(await refusal(at("remote.ts")), /"https:\/\/example\.com\/x\.js" would be fetched/);
    match(await refusal(at("none.ts")), /^There is no file .*none\.ts$/);
    match(await refusal(at("bot")), /It is a directory; did you mean .*\/bot\/agent\.ts\?$/);
  });
});

test("errors of an agent in its process point at its author's lines", async () => {
  const files = {
    "agent.ts": `import { z } from "zod";
import { deep } from "./lib/deep.ts";

interface Nothing { readonly a: string }

export default {
  name: "boom",
  async onTrigger(ctx: any, trigger: { readonly text: string }) {
    if (trigger.text === "deep") await deep(3);
    if (trigger.text === "call") await helper(ctx);
    if (trigger.text === "zod") z.string().parse(5);
    if (trigger.text === "late") setTimeout(() => { throw new Error("later") }, 1);
    if (trigger.text === "late") await new Promise(() => {});
    if (trigger.text === "log") return console.error("caught", new Error("told"));
    throw new Error("boom");
  },
};

async function helper(ctx: any): Promise<Nothing> {
  return await ctx.env.read("/files/none");
}
`,
    "lib/deep.ts": `export async function deep(n: number): Promise<void> {
  await Promise.resolve();
  if (n === 0) throw new TypeError("too deep");
  await deep(n - 1);
}
`,
    "load.ts": `export default { name: "a", onTrigger() {} };\n\nnull!.x;\n`,
  };
  await inFiles(files, async (dir) => {
    const host = processHost({ spares: 0 });
    const { code } = await bundle(join(dir, "agent.ts"));
    const run = async (text: string) => {
      const instance = await host.start(moduleOf(code), limitsOf());
      const port = makePort();
      const trigger = { ...makeRun().trigger!, payload: { kind: "text" as const, text }, text };
      const failed = await instance.run(makeRun({ trigger }), port)
        .then(() => undefined, (error: FileError) => error);
      await instance.stop();
      return { detail: failed?.detail, stack: failed?.extra?.stack, logged: port.logged };
    };
    try {
      deepEqual(await run("boom"), {
        detail: "Error: boom (agent.ts:15:11)",
        stack: ["onTrigger (agent.ts:15:11)"],
        logged: [],
      });
      deepEqual(await run("deep"), {
        detail: "TypeError: too deep (lib/deep.ts:3:22)",
        stack: [
          "deep (lib/deep.ts:3:22)",
          "deep (lib/deep.ts:4:3)",
          "deep (lib/deep.ts:4:3)",
          "deep (lib/deep.ts:4:3)",
          "onTrigger (agent.ts:9:34)",
        ],
        logged: [],
      });
      // The refusal came from the runtime: what is told is who asked for it.
      const call = await run("call");
      match(call.detail!, /not_found.* \(agent\.ts:20:\d+\)$/);
      match(
        (call.stack as string[]).join(),
        /^helper \(agent\.ts:20:\d+\),onTrigger \(agent\.ts:10:\d+\)$/,
      );
      const zod = await run("zod");
      match(zod.detail!, /^ZodError: [^]* \(agent\.ts:11:\d+\)$/);
      match((await run("late")).detail!, /^Error: later \(agent\.ts:12:59\)$/);
      deepEqual((await run("log")).logged, [
        "error caught\nError: told (agent.ts:14:64)",
      ]);
      const { code: broken } = await bundle(join(dir, "load.ts"));
      const loading = host.start(moduleOf(broken), limitsOf());
      const error = await loading.catch((error) => error) as FileError;
      match(error.detail!, /^it does not load: TypeError: .* \(load\.ts:3:\d+\)$/);
    } finally {
      await host.stop();
    }
  });
});
