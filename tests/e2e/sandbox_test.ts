/** The compiled program as an agent's process: its module loader is not Deno's, and has doors of its own. */
import assert from "../assert.ts";
import { ATTEMPTS } from "../hosts/escapes.ts";
import { attempt, handlerOf, runOnce } from "../hosts/sandbox.ts";
import { needs } from "../needs.ts";
import { type ProcessHost, processHost } from "../../src/hosts/process.ts";
import { BINARY } from "./program.ts";

const test = needs(BINARY === undefined ? "AGENTD_BIN names no binary" : undefined, false);

function withBinary(name: string, run: (host: ProcessHost) => Promise<void>): void {
  test(name, async () => {
    const host = processHost({ spares: 0, command: { program: BINARY!, args: ["__agent"] } });
    try {
      await run(host);
    } finally {
      await host.stop();
    }
  });
}

withBinary("the binary runs an agent", async (host) => {
  const { port, state } = await runOnce(
    host,
    handlerOf("ctx.state.n = 1; await ctx.reply(trigger.text)"),
  );
  assert.deepEqual([state, port.calls], [{ n: 1 }, [["reply", "hello", undefined]]]);
});

for (const group of Object.keys(ATTEMPTS)) {
  withBinary(`no way out of the binary: ${group}`, (host) => attempt(host, group));
}

const BOMBS: Record<string, string> = {
  "a heap": "const a = []; for (;;) a.push(new Array(1000).fill(Math.random()))",
  "buffers": "const a = []; for (;;) a.push(new Uint8Array(1e7).fill(1))",
};
for (const [what, body] of Object.entries(BOMBS)) {
  withBinary(`the binary's limit of memory holds: ${what}`, async (host) => {
    await assert.rejects(runOnce(host, handlerOf(body)), { code: "out_of_memory" });
  });
}

withBinary("an endless loop in the binary is ended", async (host) => {
  await assert.rejects(runOnce(host, handlerOf("for (;;);"), { max_stall_ms: 300 }), {
    code: "timeout",
  });
});
