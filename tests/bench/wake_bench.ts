/**
 * How long a message to a sleeping agent in a process of its own takes, with a blank process ready and without: `deno run -A tests/bench/wake_bench.ts`, with
 * AGENTD_BIN for the processes of a compiled program.
 */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId } from "../../src/core/id.ts";
import { call, callJson } from "../../src/fs/use.ts";
import type { Receipt } from "../../src/core/view.ts";
import { processHost, type ProcessHostOptions } from "../../src/hosts/process.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";

const ROUNDS = 60;
/** A blank process is ready again after so long. */
const READY_MS = 600;
const CODE = `export default { name: "wake", onTrigger(ctx) { return ctx.reply("awake"); } };`;

const binary = Deno.env.get("AGENTD_BIN");
const command: ProcessHostOptions = binary
  ? { command: { program: binary, args: ["__agent"] } }
  : {};

/** Milliseconds from the send to the reply, each time after the agent's process has ended. */
async function measure(spares: number): Promise<number[]> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
  const backend = await openLocal(dir);
  const host = processHost({ ...command, spares });
  const runtime = await createAgentd({ backend, signer: memorySigner(), moduleHost: host });
  const id = agentId("bench");
  await runtime.create({ id, agent: { code: CODE } });
  const files = await runtime.files(id, { viewer: "operator", name: "operator" });
  const times: number[] = [];
  for (let round = -3; round < ROUNDS; round++) {
    await call(files, "/ctl", "hibernate");
    await new Promise((resolve) => setTimeout(resolve, READY_MS));
    const began = performance.now();
    const { envelope_id } = await callJson<Receipt>(files, "/inbox", "hi");
    await runtime.wait(id, envelope_id, AbortSignal.timeout(30_000));
    if (round >= 0) times.push(performance.now() - began);
  }
  await runtime.stop(1000);
  await host.stop();
  await backend.close();
  await Deno.remove(dir, { recursive: true });
  return times.sort((a, b) => a - b);
}

const at = (times: readonly number[], part: number) =>
  `${times[Math.floor((times.length - 1) * part)]!.toFixed(1)} ms`.padStart(10);
console.log(
  `${ROUNDS} wakes, ${binary ? "compiled" : "from source"}`.padEnd(36) + "       p50       p99",
);
for (const [name, spares] of [["a blank process is ready", 1], ["none is ready", 0]] as const) {
  const times = await measure(spares);
  console.log(name.padEnd(36) + at(times, 0.5) + at(times, 0.99));
}
