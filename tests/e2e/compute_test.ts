/** Model calls by the real program: asked over HTTP, watched as events, resumed, cancelled, and what is left of them after a power cut. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { badServer } from "../providers/compute/bad_servers.ts";
import { GREETING, MISSING_LLAMA, startLlama } from "../llama/server.ts";
import { needs } from "../needs.ts";
import { inPlace, type Place, type Served } from "./server.ts";

const AGENT = "abc";
const testWithModel = needs(MISSING_LLAMA);

interface Accepted {
  readonly job_id: string;
  readonly status_path: string;
  readonly stream_path: string;
  readonly result_path: string;
}

interface Chunk {
  readonly seq: number;
  readonly delta: { readonly content?: string };
  readonly finish_reason?: string;
}

function urlOf({ url }: Served, path: string): string {
  return `${url}/agents/${AGENT}${path}`;
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  ok(response.ok, `${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function ask(served: Served, model: string, more: object = {}): Promise<Accepted> {
  const input = { messages: [{ role: "user", content: "one two three" }] };
  const request = { model, kind: "chat", input, stream: true, notify: false, ...more };
  const response = await fetch(urlOf(served, "/compute/new"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return await json<Accepted>(response);
}

async function read<T>(served: Served, path: string): Promise<T> {
  return await json<T>(await fetch(urlOf(served, path)));
}

/** Chunks as they come, behind the last one that was seen. */
async function* events(
  served: Served,
  { stream_path }: Accepted,
  last?: number,
): AsyncGenerator<Chunk> {
  const leaving = new AbortController();
  const response = await fetch(urlOf(served, stream_path), {
    headers: {
      accept: "text/event-stream",
      ...(last === undefined ? {} : { "last-event-id": String(last) }),
    },
    signal: leaving.signal,
  });
  equal(response.status, 200);
  let rest = "";
  try {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        const chunk = data === undefined ? undefined : JSON.parse(data) as Chunk;
        if (chunk?.delta) yield chunk;
        if (chunk?.finish_reason) return;
      }
    }
  } finally {
    leaving.abort();
  }
}

/** A server that knows one model server and looks for no other; it has been looked at when this resolves. */
async function serveWith(place: Place, url: string): Promise<Served> {
  await Deno.mkdir(`${place.dir}/.agentd`, { recursive: true });
  const settings = { compute: { discover: false, servers: [{ id: "here", url }] } };
  await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
  const served = await place.serve();
  for (let status = "unknown"; status !== "up";) {
    const health = await read<{ status: string }>(served, "/compute/providers/here/health");
    status = health.status;
    ok(status !== "down", JSON.stringify(health));
  }
  return served;
}

Deno.test("the echo needs nothing: asked over HTTP, watched, resumed, and the same after a power cut", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const job = await ask(first, "echo");
    const chunks = await Array.fromAsync(events(first, job, 0));
    deepEqual(chunks.map(({ seq }) => seq), [1, 2, 3, 4]);
    equal(chunks.map(({ delta }) => delta.content ?? "").join(""), "one two three");
    equal(chunks.at(-1)!.finish_reason, "stop");
    deepEqual(await Array.fromAsync(events(first, job, 2)), chunks.slice(2));
    // Who comes late and asks for nothing else gets all of it.
    deepEqual(await Array.fromAsync(events(first, job)), chunks);
    const result = await read<{ cost_micro_usd: number; provider_id: string }>(
      first,
      job.result_path,
    );
    deepEqual([result.cost_micro_usd, result.provider_id], [0, "echo"]);
    await first.kill();

    const second = await place.serve();
    deepEqual(await Array.fromAsync(events(second, job, 0)), chunks);
    deepEqual(await read(second, job.result_path), result);
    const info = await read<{ about: string }>(second, "/compute/providers/echo/info");
    match(info.about, /no model/);
    const call = JSON.stringify({ model: "echo", kind: "complete", input: { prompt: "x" } });
    const { code, out, err } = await place.run(["call", `${AGENT}/compute/new`, call]);
    equal(code, 0, err);
    match(out, /\/compute\/jobs\/.*\/result/);
  });
});

Deno.test("a cancel reaches the model server; a power cut in the middle of an answer is an interruption", async () => {
  await using bad = badServer();
  await inPlace(async (place) => {
    const first = await serveWith(place, bad.url);
    const left = bad.left();
    const cancelled = await ask(first, "stalls");
    for await (const { delta } of events(first, cancelled, 0)) {
      ok(delta.content);
      const ctl = urlOf(first, `/compute/jobs/${cancelled.job_id}/ctl`);
      const response = await fetch(ctl, { method: "PUT", body: "cancel" });
      await response.body?.cancel();
      ok(response.ok);
      break;
    }
    await left;
    const { status } = await read<{ status: string }>(first, cancelled.status_path);
    equal(status, "cancelled");

    const cut = await ask(first, "stalls", { idempotency_key: "k" });
    for await (const { seq } of events(first, cut, 0)) {
      equal(seq, 1);
      break;
    }
    await first.kill();
    const second = await serveWith(place, bad.url);
    const after = await read<{ status: string; error: { code: string } }>(
      second,
      cut.status_path,
    );
    deepEqual([after.status, after.error.code], ["failed", "interrupted"]);
    // The same key is the same job, and nobody is asked again.
    const before = bad.keys.length;
    deepEqual(await ask(second, "stalls", { idempotency_key: "k" }), cut);
    equal(bad.keys.length, before);
    await second.stop();
  });
});

testWithModel(
  "a real model streams, completes, embeds, and is free; a cancel stops it",
  async () => {
    await using llama = await startLlama();
    await inPlace(async (place) => {
      const served = await serveWith(place, llama.url);
      const job = await ask(served, llama.model);
      const chunks = await Array.fromAsync(events(served, job, 0));
      ok(chunks.length > 2, `${chunks.length}`);
      equal(chunks.map(({ delta }) => delta.content ?? "").join(""), GREETING);
      interface Result {
        readonly cost_micro_usd: number;
        readonly usage: { readonly output_tokens: number };
        readonly output: { readonly text: string; readonly embeddings: readonly number[][] };
      }
      const result = await read<Result>(served, job.result_path);
      equal(result.output.text, GREETING);
      equal(result.cost_micro_usd, 0);
      ok(result.usage.output_tokens > 0);
      const info = await read<{ first_token_ms?: number }>(served, "/compute/providers/here/info");
      ok(info.first_token_ms !== undefined);

      const other = async (kind: string, input: object) => {
        const job = await ask(served, `here/${llama.model}`, { kind, input, stream: false });
        equal((await Array.fromAsync(events(served, job, 0))).length, 1);
        return (await read<Result>(served, job.result_path)).output;
      };
      equal((await other("embeddings", { texts: ["a", "b"] })).embeddings.length, 2);
      ok((await other("complete", { prompt: "Hello", max_tokens: 4 })).text.length > 0);

      const gone = llama.cancelled();
      const endless = await ask(served, llama.endless);
      for await (const { seq } of events(served, endless, 0)) {
        if (seq < 3) continue;
        const done = await place.run(["write", `${AGENT}/compute/jobs/${endless.job_id}/ctl`], {
          input: "cancel",
        });
        equal(done.code, 0, done.err);
        break;
      }
      await gone;
      const { status } = await read<{ status: string }>(served, endless.status_path);
      equal(status, "cancelled");
      await served.stop();
    });
  },
);
