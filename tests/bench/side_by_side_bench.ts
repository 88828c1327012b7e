/** This program beside others on the same machine, with the same work: a message made durable, one handler run with a change of state made durable, then the answer: `deno task compare`. */
import type { Load, Plan } from "./load.ts";
import { agentd } from "./side_by_side/agentd.ts";
import type { Contestant, Running } from "./side_by_side/contestant.ts";
import { raw } from "./side_by_side/raw.ts";
import { restate } from "./side_by_side/restate.ts";
import { workerd } from "./side_by_side/workerd.ts";

const CONNECTIONS = [64, 1];
/** By turns, and the best of each counts, so that a busy machine disturbs all alike. */
const ROUNDS = 3;
const WARM_MS = 500;
const MEASURE_MS = 2_000;
const CONTESTANTS = [
  agentd(Math.max(...CONNECTIONS)),
  raw,
  workerd("two"),
  workerd("one"),
  restate,
];

async function drive(plan: Plan): Promise<Load> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "-N",
      new URL("./load.ts", import.meta.url).href,
      JSON.stringify(plan),
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("the load generator failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

interface Started {
  readonly name: string;
  readonly running: Running;
}

async function start(contestant: Contestant, dir: string): Promise<Started | undefined> {
  await Deno.mkdir(dir);
  const running = await contestant.start(dir).catch((error) => String(error));
  if (typeof running !== "string") return { name: contestant.name, running };
  console.log(`${contestant.name}: skipped, ${running}`);
}

async function compare(started: readonly Started[], connections: number): Promise<void> {
  const best = new Map<string, Load>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, running } of started) {
      const times = { warmMs: WARM_MS, measureMs: MEASURE_MS };
      const load = await drive({ ...running.plan, ...times, connections });
      if (load.perSecond > (best.get(name)?.perSecond ?? 0)) best.set(name, load);
    }
  }
  const own = best.get(started[0]!.name)!.perSecond;
  console.log(
    `\n${connections} connection${connections === 1 ? "" : "s"}`.padEnd(39) +
      "per second     p50 ms     p99 ms   agentd is",
  );
  for (const [name, { perSecond, p50Ms, p99Ms }] of best) {
    const cells = [
      Math.round(perSecond).toLocaleString("en").padStart(10),
      p50Ms.toFixed(2).padStart(11),
      p99Ms.toFixed(2).padStart(11),
      `${(own / perSecond).toFixed(2)} x`.padStart(12),
    ];
    console.log(name.padEnd(38) + cells.join(""));
  }
}

async function main(): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-compare-" });
  const started: Started[] = [];
  try {
    for (const [i, contestant] of CONTESTANTS.entries()) {
      const one = await start(contestant, `${dir}/${i}`);
      if (one) started.push(one);
    }
    for (const connections of CONNECTIONS) await compare(started, connections);
    console.log(`\nload average at the end: ${Deno.loadavg().map((n) => n.toFixed(1)).join(" ")}`);
  } finally {
    for (const { running } of started) await running.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) await main();
