/** How often a second money can be reserved and settled, and an idempotency key be answered from the journal, in memory and on SQLite: `deno run -A tests/bench/spend_bench.ts`. */
import { openShop, SHOP } from "../../conformance/ticks/shop.ts";
import { createAgentd } from "../../src/agentd.ts";
import { localWorld } from "../../src/backends/local/local_world.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId } from "../../src/core/id.ts";
import type { Backend } from "../../src/core/backend.ts";
import { call } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";

const CALLERS = 64;
const COUNT = 12_000;
const WARM = 1_000;

/** Answers how many a second: reserved, committed, run, settled, committed; and hits of one key. */
async function measure(backend: Backend): Promise<{ bought: number; hits: number }> {
  const shop = openShop();
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    services: { [SHOP]: shop.mount },
  });
  const id = agentId("bench");
  await runtime.create({
    id,
    agent: "echo",
    budgets: { [SHOP]: { per_day_micro_usd: 1_000_000_000, approvers: [] } },
  });
  const files = await runtime.files(id, { viewer: "operator", name: "operator" });
  async function run(count: number, wish: { item: string; price: number; key?: string }) {
    const request = new TextEncoder().encode(JSON.stringify({ ...wish, cost: 1 }));
    let left = count;
    const began = performance.now();
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      while (left-- > 0) await call(files, `${SHOP}/buy`, request);
    }));
    return count / ((performance.now() - began) / 1000);
  }
  const buying = { item: "a", price: 2 };
  const keyed = { ...buying, key: "k" };
  await run(WARM, buying);
  const bought = await run(COUNT, buying);
  await run(WARM, keyed);
  const hits = await run(COUNT, keyed);
  await runtime.stop(1000);
  return { bought, hits };
}

const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
try {
  const memory = await measure(memoryBackend(localWorld));
  const local = await openLocal(dir);
  const sqlite = await measure(local);
  await local.close();
  const rows: [string, number][] = [
    ["reserve + settle, in memory", memory.bought],
    ["reserve + settle, SQLite", sqlite.bought],
    ["journal hit, in memory", memory.hits],
    ["journal hit, SQLite", sqlite.hits],
  ];
  console.log(`${CALLERS} callers of one agent`.padEnd(44) + "per second");
  for (const [name, perSecond] of rows) {
    console.log(name.padEnd(44) + Math.round(perSecond).toLocaleString("en").padStart(10));
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}
