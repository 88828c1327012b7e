/** What a tick costs when there are more agents, a longer history and a deeper inbox, on SQLite in one process: `deno run -A tests/bench/scale_bench.ts [all]`; `all` makes the longest history too. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { type AgentId, agentId, type EnvelopeId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { FileService } from "../../src/fs/file.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";

const OPERATOR = { viewer: "operator", name: "operator" } as const;
const MESSAGE = new TextEncoder().encode("hello");
const NEVER = new AbortController().signal;
const SENDERS = 64;
/** By turns, and the best of each counts. */
const ROUNDS = 3;
const MESSAGES = 3_000;
const AGENTS = [10, 1_000, 10_000];
const HISTORIES = Deno.args.includes("all") ? [10, 1_000, 100_000] : [10, 1_000, 10_000];
const DEPTHS = [10, 1_000, 10_000];

async function within(run: (runtime: Runtime) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-scale-" });
  const backend = await openLocal(dir);
  try {
    const runtime = await createAgentd({ backend, signer: memorySigner() });
    await run(runtime);
    await runtime.stop(1_000);
  } finally {
    await backend.close();
    await Deno.remove(dir, { recursive: true });
  }
}

async function agent(runtime: Runtime, name: string): Promise<FileService> {
  const id = agentId(name);
  await runtime.create({ id, agent: "counter" });
  return await runtime.files(id, OPERATOR);
}

/** A file service of each, in the order of their ids. */
interface Agents {
  readonly ids: readonly AgentId[];
  readonly among: readonly FileService[];
}

async function agents(runtime: Runtime, prefix: string, count: number): Promise<Agents> {
  const made: FileService[] = [];
  for (let n = 0; n < count; n += SENDERS) {
    const some = Array.from({ length: Math.min(SENDERS, count - n) }, (_, i) => n + i);
    made.push(...await Promise.all(some.map((i) => agent(runtime, `${prefix}-${i}`))));
  }
  return { ids: made.map((_, i) => agentId(`${prefix}-${i}`)), among: made };
}

async function send(files: FileService): Promise<EnvelopeId> {
  const handle = await files.open("/inbox", "call");
  await handle.write(MESSAGE);
  const receipt = JSON.parse(new TextDecoder().decode(await handle.read()));
  await handle.close();
  return receipt.envelope_id;
}

/** Sends so many messages to each in turn and answers ticks a second, up to the last commit. */
async function perSecond(
  runtime: Runtime,
  { ids, among }: Agents,
  messages: number,
): Promise<number> {
  const beganMs = performance.now();
  let next = 0;
  // Of each agent; to ask the runtime how many ticks there were is dear where it has many agents.
  const last = new Map<number, EnvelopeId>();
  await Promise.all(Array.from({ length: SENDERS }, async () => {
    while (next < messages) {
      const n = next++ % among.length;
      last.set(n, await send(among[n]!));
    }
  }));
  await Promise.all([...last].map(([n, envelope]) => runtime.wait(ids[n]!, envelope, NEVER)));
  return messages / ((performance.now() - beganMs) / 1000);
}

async function ticked(runtime: Runtime, until: number): Promise<void> {
  while ((await runtime.status()).ticks < until) await new Promise((r) => setTimeout(r, 1));
}

/** Fills the inbox while no tick runs, then lets it run empty, as often as it takes for so many messages; answers ticks a second. */
async function drained(runtime: Runtime, one: FileService, depth: number): Promise<number> {
  let tookMs = 0;
  let done = 0;
  for (; done < Math.min(MESSAGES, 100 * depth); done += depth) {
    await runtime.pauseAll();
    await Promise.all(Array.from({ length: Math.min(SENDERS, depth) }, async (_, i) => {
      for (let n = i; n < depth; n += SENDERS) await send(one);
    }));
    const before = (await runtime.status()).ticks;
    const beganMs = performance.now();
    await runtime.resumeAll();
    await ticked(runtime, before + depth);
    tookMs += performance.now() - beganMs;
  }
  return done / (tookMs / 1000);
}

interface Case {
  readonly name: string;
  measure(): Promise<number>;
}

async function byTurns(title: string, cases: readonly Case[]): Promise<void> {
  const best = cases.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { measure }] of cases.entries()) {
      best[i] = Math.max(best[i]!, await measure());
    }
  }
  console.log(title.padEnd(40) + "per second    of the first");
  for (const [i, { name }] of cases.entries()) {
    const share = `${Math.round(best[i]! / best[0]! * 100)} %`;
    console.log(
      name.padEnd(40) + Math.round(best[i]!).toLocaleString("en").padStart(10) + share.padStart(16),
    );
  }
}

await within(async (runtime) => {
  const cases: Case[] = [];
  for (const count of AGENTS) {
    const among = await agents(runtime, `of-${count}`, count);
    cases.push({
      name: `${count.toLocaleString("en")} agents`,
      measure: () => perSecond(runtime, among, Math.max(MESSAGES, count)),
    });
  }
  await byTurns("ticks, messages to each in turn", cases);
});

await within(async (runtime) => {
  const cases: Case[] = [];
  for (const ticks of HISTORIES) {
    const id = agentId(`after-${ticks}`);
    const one: Agents = { ids: [id], among: [await agent(runtime, id)] };
    // A part at a time, or its inbox would be full.
    for (let left = ticks; left > 0; left -= MESSAGES) {
      await perSecond(runtime, one, Math.min(left, MESSAGES));
    }
    cases.push({
      name: `after ${ticks.toLocaleString("en")} ticks`,
      measure: () => perSecond(runtime, one, 1_000),
    });
  }
  await byTurns("ticks of one agent", cases);
});

await within(async (runtime) => {
  const cases: Case[] = [];
  for (const depth of DEPTHS) {
    const one = await agent(runtime, `deep-${depth}`);
    cases.push({
      name: `${depth.toLocaleString("en")} messages wait`,
      measure: () => drained(runtime, one, depth),
    });
  }
  await byTurns("ticks of an inbox that was filled", cases);
});

await within(async (runtime) => {
  const id = agentId("alone");
  const one = await agent(runtime, id);
  const tookMs: number[] = [];
  for (let n = 0; n < MESSAGES; n++) {
    const beganMs = performance.now();
    await runtime.wait(id, await send(one), NEVER);
    if (n >= MESSAGES / 10) tookMs.push(performance.now() - beganMs);
  }
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.floor(tookMs.length * share)]!.toFixed(2);
  console.log(`one at a time, send to reply: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
});
console.log(`load average at the end: ${Deno.loadavg().map((n) => n.toFixed(1)).join(" ")}`);
