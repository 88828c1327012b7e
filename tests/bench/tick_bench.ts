/** How many durable ticks a second one process does without HTTP, in memory and on SQLite, by one sender and by many: `deno run -A tests/bench/tick_bench.ts`. */
import { createAgentd } from "../../src/agentd.ts";
import { localWorld } from "../../src/backends/local/local_world.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId } from "../../src/core/id.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { FileService } from "../../src/fs/file.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";

const WARM = 500;
const MANY = { senders: 64, agents: 64, messages: 12_000 };
const ONE = { senders: 1, agents: 1, messages: 1_500 };
const MESSAGE = new TextEncoder().encode("hello");

interface Plan {
  readonly senders: number;
  readonly agents: number;
  readonly messages: number;
}

/** Sends through the files, as every door does; answers messages a second, from the first send to the last commit. */
async function measure(backend: Backend, { senders, agents, messages }: Plan): Promise<number> {
  const runtime = await createAgentd({ backend, signer: memorySigner() });
  const places: FileService[] = [];
  for (let i = 0; i < agents; i++) {
    const id = agentId(`bench-${i}`);
    await runtime.create({ id, agent: "counter" });
    places.push(await runtime.files(id, { viewer: "operator", name: "operator" }));
  }
  const ticked = async () => (await runtime.status()).ticks;
  async function run(count: number): Promise<number> {
    const before = await ticked();
    let left = count;
    const began = performance.now();
    await Promise.all(Array.from({ length: senders }, async (_, i) => {
      while (left-- > 0) {
        const handle = await places[i % agents]!.open("/inbox", "call");
        await handle.write(MESSAGE);
        await handle.read();
        await handle.close();
      }
    }));
    while (await ticked() < before + count) await new Promise((resolve) => setTimeout(resolve, 1));
    return count / ((performance.now() - began) / 1000);
  }
  await run(Math.min(WARM, messages));
  const perSecond = await run(messages);
  await runtime.stop(1000);
  return perSecond;
}

async function onDisk(plan: Plan): Promise<number> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
  try {
    const backend = await openLocal(dir);
    const perSecond = await measure(backend, plan);
    await backend.close();
    return perSecond;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const rows: [string, number][] = [
  ["in memory, one sender, one agent", await measure(memoryBackend(localWorld), ONE)],
  ["in memory, 64 senders, 64 agents", await measure(memoryBackend(localWorld), MANY)],
  ["SQLite, one sender, one agent", await onDisk(ONE)],
  ["SQLite, 64 senders, 64 agents", await onDisk(MANY)],
  ["SQLite, 64 senders, one agent", await onDisk({ ...MANY, agents: 1, messages: 6_000 })],
];
console.log("ticks in one process".padEnd(44) + "per second");
for (const [name, perSecond] of rows) {
  console.log(name.padEnd(44) + Math.round(perSecond).toLocaleString("en").padStart(10));
}
