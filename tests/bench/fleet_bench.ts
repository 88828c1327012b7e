/** What a large fleet costs a real server: memory and start-up with sleeping agents, waking them, and whether an idle one does anything: `deno run -A tests/bench/fleet_bench.ts [agents]`. With `AGENTD_BIN` it measures that binary. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId, uuidv4 } from "../../src/core/id.ts";
import { key, REGISTRY, registryKey } from "../../src/core/keys.ts";
import { decodeJson, encodeJson } from "../../src/core/code.ts";
import type { AgentRecord } from "../../src/core/record.ts";
import type { Row } from "../../src/core/storage.ts";
import { openKeyFile } from "../../src/providers/signer/keyfile.ts";

const ROOT = new URL("../../", import.meta.url);
const AGENTS = Number(Deno.args[0] ?? 100_000);
const WAKES = 300;
const BATCH = 500;
/** How long an idle server is looked at. */
const IDLE_MS = 60_000;

/** A data directory with so many sleeping agents, each with a state, a key and a few rows, written as the runtime writes them. */
async function fleet(dir: string, count: number): Promise<void> {
  const backend = await openLocal(dir);
  const signer = await openKeyFile(`${dir}/keys.json`);
  const runtime = await createAgentd({ backend, signer });
  const id = agentId("agent-0");
  await runtime.create({ id, agent: "counter" });
  const files = await runtime.files(id, { viewer: "operator", name: "operator" });
  const handle = await files.open("/inbox", "call");
  await handle.write(new TextEncoder().encode("hello"));
  const { envelope_id } = decodeJson<{ envelope_id: never }>((await handle.read())!);
  await handle.close();
  await runtime.wait(id, envelope_id, new AbortController().signal);
  const rows = await backend.storage(id).list({ prefix: "" });
  const record = decodeJson<AgentRecord>(rows.find((row) => row.key === key.agent)!.value);
  for (let first = 1; first < count; first += BATCH) {
    const ids = Array.from(
      { length: Math.min(BATCH, count - first) },
      (_, i) => agentId(`agent-${first + i}`),
    );
    const keys = await Promise.all(ids.map((one) => signer.create(one)));
    await Promise.all(ids.map((one, i) => {
      const own = {
        ...record,
        id: one,
        name: one,
        birth: uuidv4(crypto.getRandomValues(new Uint8Array(16))),
        pubkey: keys[i]!,
      };
      const put: Row[] = rows.map((row) =>
        row.key === key.agent ? { key: row.key, value: encodeJson(own) } : row
      );
      return backend.storage(one).commit({ check: [], remove: [], put });
    }));
    await backend.storage(REGISTRY).commit({
      check: [],
      remove: [],
      put: ids.map((one) => ({
        key: registryKey.agent(one),
        value: encodeJson({ created_at: record.created_at }),
      })),
    });
  }
  await runtime.stop(1000);
  await backend.close();
}

interface Running {
  readonly url: string;
  readonly token: string;
  readonly readyMs: number;
  rssKib(): Promise<number>;
  cpuTicks(): Promise<number>;
  stop(): Promise<void>;
}

async function serve(home: string): Promise<Running> {
  const binary = Deno.env.get("AGENTD_BIN");
  const args = ["serve", "--listen", "127.0.0.1:0", "--home", home, "--json"];
  const began = performance.now();
  const child = new Deno.Command(binary ?? Deno.execPath(), {
    args: binary ? args : ["run", "-A", "--no-check", new URL("main.ts", ROOT).pathname, ...args],
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
  const { url } = JSON.parse(text.split("\n")[0]!);
  await (await fetch(`${url}/healthz`)).body?.cancel();
  const readyMs = performance.now() - began;
  const proc = async (file: string) => await Deno.readTextFile(`/proc/${child.pid}/${file}`);
  return {
    url,
    readyMs,
    token: (await Deno.readTextFile(`${home}/token`)).trim(),
    rssKib: async () => Number(/VmRSS:\s+(\d+)/.exec(await proc("status"))![1]),
    async cpuTicks() {
      const fields = (await proc("stat")).split(") ")[1]!.split(" ");
      return Number(fields[11]) + Number(fields[12]);
    },
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;
}

/** The first message to agents that sleep, one at a time. */
async function wakes(server: Running, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const id = Math.floor((i * AGENTS) / count);
    const began = performance.now();
    const response = await fetch(`${server.url}/agents/agent-${id}/send?wait=10`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}` },
      body: "wake up",
    });
    await response.body?.cancel();
    if (response.status !== 200) throw new Error(`waking answered ${response.status}`);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

const dir = await Deno.makeTempDir({ prefix: "agentd-fleet-" });
try {
  const [none, many] = [`${dir}/none`, `${dir}/many`];
  await Deno.mkdir(none, { mode: 0o700 });
  await Deno.mkdir(many, { mode: 0o700 });
  const empty = await serve(none);
  const emptyKib = await empty.rssKib();
  await empty.stop();
  await fleet(many, AGENTS);
  const server = await serve(many);
  const kib = await server.rssKib();
  const before = await server.cpuTicks();
  await new Promise((done) => setTimeout(done, IDLE_MS));
  const idleTicks = await server.cpuTicks() - before;
  const status = await (await fetch(`${server.url}/runtime/status`)).json();
  const times = await wakes(server, WAKES);
  await server.stop();
  const row = (name: string, value: string) => console.log(name.padEnd(58) + value);
  console.log(
    `${AGENTS.toLocaleString("en")} agents, ${Deno.env.get("AGENTD_BIN") ?? "from source"}`,
  );
  row("start to ready, no agents", `${empty.readyMs.toFixed(0)} ms`);
  row("start to ready, all asleep", `${server.readyMs.toFixed(0)} ms`);
  row("memory (RSS) with no agents", `${(emptyKib / 1024).toFixed(1)} MiB`);
  row("memory (RSS) with all asleep", `${(kib / 1024).toFixed(1)} MiB`);
  row("memory per sleeping agent", `${(((kib - emptyKib) * 1024) / AGENTS).toFixed(0)} bytes`);
  row(
    `CPU used in ${IDLE_MS / 1000} s of idleness`,
    `${idleTicks * 10} ms, ${status.in_memory} agents in memory`,
  );
  row(
    "first message to a sleeping built-in agent, p50 / p99",
    `${quantile(times, 0.5).toFixed(2)} / ${quantile(times, 0.99).toFixed(2)} ms`,
  );
} finally {
  await Deno.remove(dir, { recursive: true });
}
