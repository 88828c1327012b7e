/** What `/compute` adds to asking a model server directly: time to the first token and tokens a second, by turns against one real llama.cpp: `deno run -A tests/bench/compute_bench.ts`. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import type { ComputeChunk } from "../../src/core/compute.ts";
import { agentId } from "../../src/core/id.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callJson, watch } from "../../src/fs/use.ts";
import { computeProviders } from "../../src/providers/compute/mod.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { startLlama } from "../llama/server.ts";

const ROUNDS = 20;
const WORDS = 4_000;
const SAID = Array.from({ length: WORDS }, (_, i) => `word${i % 10}`).join(" ");

interface Measured {
  readonly firstMs: number;
  readonly perSecond: number;
}

const input = { messages: [{ role: "user", content: "Go." }], max_tokens: 16_000 };

/** When the first piece was there, and how fast words came after it: pieces may hold several. */
async function timed(pieces: AsyncIterable<string>, beganMs: number): Promise<Measured> {
  let first = 0;
  let last = 0;
  let words = 0;
  for await (const piece of pieces) {
    if (first === 0) first = performance.now();
    else {
      last = performance.now();
      words += piece.split("word").length - 1;
    }
  }
  return {
    firstMs: first - beganMs,
    perSecond: words / ((last - first) / 1000),
  };
}

async function* direct(url: string, model: string): AsyncGenerator<string> {
  const answer = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...input, model, stream: true }),
  });
  let open = "";
  for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (open + text).split("\n");
    open = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const content = JSON.parse(line.slice(6)).choices[0]?.delta?.content;
      if (content) yield content;
    }
  }
}

async function* throughCompute(files: FileService, model: string): AsyncGenerator<string> {
  const request = { model, kind: "chat", input, stream: true, notify: false };
  const { stream_path } = await callJson<{ stream_path: string }>(files, "/compute/new", request);
  for await (const { delta } of await watch<ComputeChunk>(files, stream_path)) {
    if (delta.content) yield delta.content;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

await using llama = await startLlama({ replies: [SAID] });
const dir = await Deno.makeTempDir({ prefix: "agentd-bench-" });
const backend = await openLocal(dir);
const compute = computeProviders({
  servers: [{ id: "llama", url: llama.url }],
  discover: false,
  world: { fetch, now: backend.now, timer: backend.timer },
  secret: () => undefined,
});
await compute.refresh();
const runtime = await createAgentd({ backend, signer: memorySigner(), compute });
const id = agentId("bench");
await runtime.create({ id, agent: "echo" });
const files = await runtime.files(id, { viewer: "operator", name: "operator" });

const [straight, bought]: [Measured[], Measured[]] = [[], []];
for (let round = -2; round < ROUNDS; round++) {
  const a = await timed(direct(llama.url, llama.model), performance.now());
  const b = await timed(throughCompute(files, llama.model), performance.now());
  if (round < 0) continue;
  straight.push(a);
  bought.push(b);
}
const firsts = [straight, bought].map((all) => median(all.map(({ firstMs }) => firstMs)));
const rates = [straight, bought].map((all) => median(all.map(({ perSecond }) => perSecond)));
console.log(`${ROUNDS} answers of ${WORDS} words each`.padEnd(36) + "directly  /compute   added");
console.log(
  "first token, median".padEnd(36) +
    firsts.map((ms) => `${ms.toFixed(1)} ms`.padStart(10)).join("") +
    `${(firsts[1]! - firsts[0]!).toFixed(1)} ms`.padStart(8),
);
console.log(
  "words a second, median".padEnd(36) + rates.map((n) => n.toFixed(0).padStart(10)).join("") +
    `${((1 - rates[1]! / rates[0]!) * 100).toFixed(1)} %`.padStart(8),
);
await runtime.stop(1000);
await compute.close();
await backend.close();
await Deno.remove(dir, { recursive: true });
