/** The lint plugin, shown to bite and to leave innocent names alone; `deno lint` holds the tree to it. */
import assert from "../assert.ts";
import plugin from "./lint.ts";
import { ROOT } from "./root.ts";

function faults(file: string, source: string): string[] {
  const path = decodeURIComponent(new URL(file, ROOT).pathname);
  return Deno.lint.runPlugin(plugin, path, source).map(({ message }) => message);
}

const BROKEN: Readonly<Record<string, string>> = {
  "a call": "fetch('x');",
  "a member of it": "crypto.randomUUID();",
  "a type": "export type T = Deno.Conn;",
  "a shorthand": "export const world = { setTimeout };",
  "a default": "export function f(wait = setTimeout) { return wait; }",
  "by way of the global object": "globalThis['fet' + 'ch']('x');",
  "the clock": "export const t = Date.now();",
  "the clock, made": "export const t = new Date();",
  "the clock, told": "export const t = Date();",
  "chance": "export const r = Math.random();",
  "the console": "console.log(1);",
};

for (const [what, source] of Object.entries(BROKEN)) {
  Deno.test(`house: nothing ambient in a portable room: ${what}`, () => {
    for (const file of ["src/fs/a.ts", "src/core/a.ts", "src/services/a.ts", "conformance/a.ts"]) {
      assert.equal(faults(file, source).length, 1, `${file}: ${source}`);
    }
    assert.deepEqual(faults("src/cli/a.ts", source), []);
    assert.deepEqual(faults("tests/a_test.ts", source), []);
  });
}

Deno.test("house: Deno and Node are named by local rooms alone", () => {
  for (const source of ["Deno.pid;", "process.exit();", "Buffer.from('');"]) {
    for (const file of ["src/http/app.ts", "src/backends/cloudflare/do.ts", "src/agentd.ts"]) {
      assert.equal(faults(file, source).length, 1, `${file}: ${source}`);
    }
    for (const file of ["src/backends/local/disk.ts", "src/hosts/process.ts", "main.ts"]) {
      assert.deepEqual(faults(file, source), [], `${file}: ${source}`);
    }
  }
  assert.deepEqual(faults("src/http/events.ts", "setTimeout(() => {}, 1);"), []);
});

Deno.test("house: a member, a key, a label or a name of one's own is not ambient", () => {
  const innocent = `
    import { fetch as bring, type location } from "./x.ts";
    interface Host { process: number; caches(): void; run(process: location): void }
    export function f(console: Host, { performance }: { performance: number }) {
      const crypto = console.process + performance;
      return { fetch: bring, caches: crypto, self() {}, then: new Date(0).getTime() };
    }
  `;
  assert.deepEqual(faults("src/core/a.ts", innocent), []);
});
