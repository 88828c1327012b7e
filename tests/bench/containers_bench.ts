/** What `/containers` adds to Docker's own client: a session to its first output, commands, files and output, by turns on one engine: `deno run -A tests/bench/containers_bench.ts`. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId } from "../../src/core/id.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callJson, readJson, watch, writeText } from "../../src/fs/use.ts";
import { containerProviders } from "../../src/providers/containers/mod.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { busyboxImage, dockerSays } from "../docker/engine.ts";

const ROUNDS = 11;
const FILE_ROUNDS = 3;
const FILE_BYTES = 50_000_000;
const OUTPUT_BYTES = 100_000_000;
const CHUNK = 1024 * 1024;
const LIMITS = { max_time_secs: 600, max_memory_mb: 512, max_disk_mb: 256 };
const SAYS = "echo hello";
const PRINTS =
  `yes 0123456789012345678901234567890123456789012345678901234 | head -c ${OUTPUT_BYTES}`;

interface Accepted {
  readonly session_id: string;
  readonly output_path: string;
  readonly status_path: string;
}

interface Printed {
  readonly data?: string;
  readonly type?: string;
}

interface Docker {
  readonly firstMs: number;
  readonly endMs: number;
  readonly bytes: number;
}

/** Docker's client: when its first byte was there, and when it was gone. */
async function client(args: readonly string[], stdin?: Uint8Array): Promise<Docker> {
  const began = performance.now();
  const child = new Deno.Command("docker", {
    args: [...args],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let firstMs = 0;
  let bytes = 0;
  const read = (async () => {
    for await (const chunk of child.stdout) {
      if (firstMs === 0) firstMs = performance.now() - began;
      bytes += chunk.length;
    }
  })();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    for (let at = 0; at < stdin.length; at += CHUNK) {
      await writer.write(stdin.subarray(at, at + CHUNK));
    }
    await writer.close();
  }
  await read;
  const { code } = await child.status;
  if (code !== 0) throw new Error(`docker ${args[0]}: ${code}`);
  return { firstMs, endMs: performance.now() - began, bytes };
}

/** From the request to the first output, to the last, and to the session's end. */
async function session(files: FileService): Promise<Docker> {
  const began = performance.now();
  const request = { commands: [SAYS], limits: LIMITS, notify: false };
  const accepted = await callJson<Accepted>(files, "/containers/new", request);
  return await printed(files, accepted.output_path, began);
}

async function printed(files: FileService, path: string, began: number): Promise<Docker> {
  let firstMs = 0;
  let bytes = 0;
  for await (const { data, type } of await watch<Printed>(files, path)) {
    if (data !== undefined) {
      if (firstMs === 0) firstMs = performance.now() - began;
      bytes += data.length;
    }
    if (type === "exit") break;
  }
  return { firstMs, endMs: performance.now() - began, bytes };
}

async function interactive(files: FileService): Promise<Accepted> {
  const request = { kind: "interactive", limits: LIMITS, notify: false };
  const accepted = await callJson<Accepted>(files, "/containers/new", request);
  while (true) {
    const { status } = await readJson<{ status: string }>(files, accepted.status_path);
    if (status === "running") return accepted;
    if (status === "failed") throw new Error("the session failed");
    await pause();
  }
}

async function exec(
  files: FileService,
  { session_id }: Accepted,
  command: string,
): Promise<Docker> {
  const began = performance.now();
  const path = `/containers/sessions/${session_id}/exec/new`;
  const request = { command, notify: false };
  const { output_path } = await callJson<Accepted>(files, path, request);
  return await printed(files, output_path, began);
}

/** An archive of one file, as `tar` makes it. */
async function archiveOf(bytes: Uint8Array): Promise<Uint8Array> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
  await Deno.writeFile(`${dir}/file`, bytes);
  const { stdout } = await new Deno.Command("tar", { args: ["-C", dir, "-cf", "-", "file"] })
    .output();
  await Deno.remove(dir, { recursive: true });
  return stdout;
}

/** What is asked for is done on this very thread. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function row(what: string, plain: readonly number[], ours: readonly number[], unit: string): void {
  const [a, b] = [median(plain), median(ours)];
  const told = [a, b].map((n) => `${n.toFixed(0)} ${unit}`.padStart(12)).join("");
  console.log(what.padEnd(44) + told + `${(b / a).toFixed(2)}`.padStart(8));
}

const image = await busyboxImage();
const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
const backend = await openLocal(dir);
const spares = Number(Deno.args[0] ?? 2);
const containers = containerProviders({
  home: `bench-${crypto.randomUUID()}`,
  images: [image],
  docker: { spares },
});
await containers.refresh();
const runtime = await createAgentd({ backend, signer: memorySigner(), containers });
await runtime.create({ id: agentId("bench"), agent: "echo" });
const files = await runtime.files(agentId("bench"), { viewer: "operator", name: "operator" });
const policy = { max_file_size_bytes: 2 * FILE_BYTES };
await writeText(files, "/containers/policy", JSON.stringify(policy));

const load = (await Deno.readTextFile("/proc/loadavg")).split(" ")[0];
console.log(
  `${spares} spare containers, load ${load}`.padEnd(44) + "docker".padStart(12) +
    "agentd".padStart(12) + "ratio".padStart(8),
);

const plain = `agentd-bench-${crypto.randomUUID()}`;
const here = await interactive(files);
await dockerSays([
  "run",
  "-d",
  "--init",
  "--network=none",
  `--name=${plain}`,
  image,
  "sleep",
  "3600",
]);
try {
  const runs: Docker[][] = [[], [], [], []];
  for (let round = -2; round < ROUNDS; round++) {
    const all = [
      await client(["run", "--rm", "--network=none", image, "sh", "-c", SAYS]),
      await session(files),
      await client(["exec", plain, "sh", "-c", SAYS]),
      await exec(files, here, SAYS),
    ];
    if (round >= 0) all.forEach((one, n) => runs[n]!.push(one));
  }
  const [run, ours, execs, ourExecs] = runs as [Docker[], Docker[], Docker[], Docker[]];
  const first = (all: Docker[]) => all.map(({ firstMs }) => firstMs);
  const end = (all: Docker[]) => all.map(({ endMs }) => endMs);
  row("docker run / a session: first output", first(run), first(ours), "ms");
  row("docker run / a session: its command's end", end(run), end(ours), "ms");
  row("docker exec / exec: first output", first(execs), first(ourExecs), "ms");
  row("docker exec / exec: its end", end(execs), end(ourExecs), "ms");

  const bytes = new Uint8Array(FILE_BYTES).map((_, n) => n * 31 >> 3);
  const archive = await archiveOf(bytes);
  const inside = containers.list()[0]!.files(here.session_id);
  const moved: number[][] = [[], [], [], []];
  for (let round = 0; round < FILE_ROUNDS; round++) {
    const up = await client(["exec", "-i", plain, "tar", "-C", "/tmp", "-xf", "-"], archive);
    let began = performance.now();
    await inside.write("file", bytes);
    const ourUp = performance.now() - began;
    const down = await client(["exec", plain, "tar", "-C", "/tmp", "-cf", "-", "file"]);
    began = performance.now();
    let read = 0;
    const range = { offset: 0, length: FILE_BYTES };
    for await (const part of inside.read("file", range)) read += part.length;
    if (read !== FILE_BYTES) throw new Error(`${read} bytes came back`);
    [up.endMs, ourUp, down.endMs, performance.now() - began].forEach((ms, n) => moved[n]!.push(ms));
  }
  row("50 MB up: tar / a file", moved[0]!, moved[1]!, "ms");
  row("50 MB down: tar / a file", moved[2]!, moved[3]!, "ms");

  const rates: number[][] = [[], []];
  for (let round = 0; round < 3; round++) {
    const direct = await client(["exec", plain, "sh", "-c", PRINTS]);
    const ours = await exec(files, here, PRINTS);
    rates[0]!.push(direct.bytes / 1e6 / (direct.endMs / 1000));
    rates[1]!.push(OUTPUT_BYTES / 1e6 / (ours.endMs / 1000));
  }
  row("100 MB of output", rates[0]!, rates[1]!, "MB/s");
} finally {
  await dockerSays(["rm", "-f", plain]);
  await writeText(files, `/containers/sessions/${here.session_id}/ctl`, "stop");
  while ((await readJson<{ status: string }>(files, here.status_path)).status === "running") {
    await pause();
  }
  await runtime.stop(1000);
  await containers.close();
  await backend.close();
  await Deno.remove(dir, { recursive: true });
}
