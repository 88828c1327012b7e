/** How many messages a second a real server takes, ticks and answers, on SQLite, over HTTP, with its load from another process on the same machine: `deno run -A tests/bench/http_bench.ts`. */
import type { Load, Plan } from "./load.ts";

const ROOT = new URL("../../", import.meta.url);
const CONNECTIONS = 64;
const WARM_MS = 700;
const MEASURE_MS = 2_000;

interface Server {
  readonly port: number;
  stop(): Promise<void>;
}

async function startServer(home: string): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "main.ts",
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--home",
      home,
      "--json",
      "-q",
    ],
    cwd: ROOT,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await lines.read();
    if (done) throw new Error("the server did not start");
    text += value;
  }
  lines.releaseLock();
  return {
    port: Number(new URL(JSON.parse(text).url).port),
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function createAgents({ port }: Server, agent: string): Promise<void> {
  for (let n = 0; n < CONNECTIONS; n++) {
    const response = await fetch(`http://127.0.0.1:${port}/agents`, {
      method: "POST",
      body: JSON.stringify({ id: `${agent}-${n}`, agent }),
    });
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
  }
}

/** In a process of its own, so that it does not take the server's time on its thread. */
async function measure(plan: Plan): Promise<Load> {
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

type Case = readonly [name: string, plan: Omit<Plan, "port" | "warmMs" | "measureMs">];

const SEND = { method: "POST", body: "hello", path: "/agents/echo-{n}/send?wait=30", status: 200 };
const CASES: readonly Case[] = [
  ["POST send, ticked and replied", { ...SEND, connections: 1 }],
  ["POST send, ticked and replied", { ...SEND, connections: CONNECTIONS }],
  ["the same, all to one agent", {
    ...SEND,
    path: "/agents/echo-0/send?wait=30",
    connections: CONNECTIONS,
  }],
  ["GET status of an agent", {
    method: "GET",
    path: "/agents/echo-{n}/status",
    status: 200,
    connections: CONNECTIONS,
  }],
  ["GET status of the runtime", {
    method: "GET",
    path: "/runtime/status",
    status: 200,
    connections: CONNECTIONS,
  }],
];

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  ).join("\n");
}

async function main(): Promise<void> {
  const home = await Deno.makeTempDir();
  const server = await startServer(home);
  const rows = [["durable, SQLite", "connections", "per second", "p50 ms", "p99 ms"]];
  try {
    await createAgents(server, "echo");
    for (const [name, plan] of CASES) {
      const times = { warmMs: WARM_MS, measureMs: MEASURE_MS };
      const { perSecond, p50Ms, p99Ms } = await measure({ ...plan, ...times, port: server.port });
      const [rate, ...ms] = [Math.round(perSecond).toLocaleString("en"), p50Ms, p99Ms] as const;
      rows.push([name, String(plan.connections), rate, ...ms.map((n) => n.toFixed(2))]);
    }
  } finally {
    await server.stop();
    await Deno.remove(home, { recursive: true });
  }
  console.log(table(rows));
}

if (import.meta.main) await main();
