/** One OpenAI-compatible server as a provider: against a real llama.cpp, and against servers that fail in every way. */
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { GREETING, MISSING_LLAMA, startLlama } from "../../llama/server.ts";
import type { ErrorExtra, FileError } from "../../../src/fs/error.ts";
import type { CallResult, Delta, ToolCall } from "../../../src/core/compute.ts";
import type { Json } from "../../../src/core/envelope.ts";
import { type OpenAiOptions, openAiServer } from "../../../src/providers/compute/openai.ts";
import { asked, HELLO, testWorld, textOf } from "./calling.ts";
import { BAD_MODELS, type BadModel, badServer, BUSY_SECONDS, dyingServer } from "./bad_servers.ts";

const real = needs(MISSING_LLAMA);
const KEY = "sk-test-0123456789abcdef";

function providerAt(url: string, options: Partial<OpenAiOptions> = {}) {
  const provider = openAiServer({
    id: "here",
    type: "local",
    about: "a test",
    url,
    world: testWorld(),
    modelOf: ({ id }) => ({ id, kinds: ["chat"], price: undefined }),
    ...options,
  });
  return { ...provider, [Symbol.asyncDispose]: provider.close };
}

function said(result: CallResult) {
  return result.output as { text: string; finish_reason: string; tool_calls?: ToolCall[] };
}

/** The failure of a call. */
async function failure(result: Promise<unknown>): Promise<FileError> {
  const error = await result.then(() => undefined, (error) => error);
  equal(error?.name, "FileError");
  return error as FileError;
}

real("a stream of a real model comes word by word, with its end and its usage", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  const call = asked(provider, { model: llama.model });
  const result = await call.result;
  equal(textOf(call.deltas), GREETING);
  ok(call.deltas.length > 3);
  deepEqual(said(result), { text: GREETING, finish_reason: "stop" });
  equal(result.model, llama.model);
  const { input_tokens, output_tokens, total_tokens } = result.usage!;
  ok(input_tokens > 0 && output_tokens > 3);
  equal(total_tokens, input_tokens + output_tokens);
});

real("a whole answer has the same text and usage, and no parts", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  const streamed = await asked(provider, { model: llama.model }).result;
  const call = asked(provider, { model: llama.model, stream: false });
  deepEqual(await call.result, streamed);
  deepEqual(call.deltas, []);
});

real("what the input has more goes along: max_tokens, stop, response_format", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  const ask = async (more: Record<string, Json>) =>
    said(
      await asked(provider, { model: llama.model, input: { ...HELLO, ...more } as Json }).result,
    );
  equal((await ask({ max_tokens: 2 })).finish_reason, "length");
  match((await ask({ stop: [" small"] })).text, /^Hello from a( small)?$/);
  const schema = {
    type: "object",
    properties: { go: { type: "string", enum: ["left", "right"] } },
    required: ["go"],
  };
  const form = { type: "json_schema", json_schema: { name: "way", strict: true, schema } };
  const { text } = await ask({ response_format: form, max_tokens: 200 });
  ok(schema.properties.go.enum.includes(JSON.parse(text).go));
});

real("a call of a tool comes whole and in parts, and its result leads on", async () => {
  const read = { name: "read", arguments: { path: "/goals/1" } };
  await using llama = await startLlama({ replies: [read, "It is done."] });
  await using provider = providerAt(llama.url);
  const tools = [{ type: "function", function: { name: "read", parameters: { type: "object" } } }];
  for (const stream of [true, false]) {
    const call = asked(provider, {
      model: llama.model,
      stream,
      input: { ...HELLO, tools } as Json,
    });
    const { text, tool_calls, finish_reason } = said(await call.result);
    deepEqual([text, finish_reason, tool_calls?.length], ["", "tool_calls", 1]);
    equal(tool_calls![0]!.function.name, "read");
    deepEqual(JSON.parse(tool_calls![0]!.function.arguments), read.arguments);
    equal(call.deltas.some((delta) => delta.tool_calls !== undefined), stream);
    const messages = [
      ...HELLO.messages,
      { role: "assistant", content: null, tool_calls },
      { role: "tool", tool_call_id: tool_calls![0]!.id, content: "a goal" },
    ];
    const input = { messages, tools } as unknown as Json;
    const next = asked(provider, { model: llama.model, stream, input });
    equal(said(await next.result).text, "It is done.");
  }
});

real("a completion and embeddings of a real model", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  for (const stream of [true, false]) {
    const call = asked(provider, {
      model: llama.model,
      kind: "complete",
      input: { prompt: "Say" },
      stream,
    });
    deepEqual(said(await call.result), { text: GREETING, finish_reason: "stop" });
    equal(textOf(call.deltas), stream ? GREETING : "");
  }
  const texts = ["one", "two", "one"];
  const { output, usage } = await asked(provider, {
    model: llama.model,
    kind: "embeddings",
    input: { texts },
  }).result;
  const [a, b, c] = (output as { embeddings: number[][] }).embeddings;
  deepEqual(a, c);
  ok(JSON.stringify(a) !== JSON.stringify(b));
  ok(usage!.input_tokens > 0);
});

real("who stops in the middle stops the engine, streamed or not", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  for (const stream of [true, false]) {
    const call = asked(provider, { model: llama.endless, stream });
    await llama.generating();
    if (stream) await call.first;
    const reason = new Error("enough");
    call.stop(reason);
    await rejects(call.result, (error) => error === reason);
    await llama.cancelled();
  }
});

real("an engine that is killed in mid-stream is told, and then nobody answers", async () => {
  await using llama = await startLlama();
  await using provider = providerAt(llama.url);
  const call = asked(provider, { model: llama.endless });
  await call.first;
  await llama.stop();
  const died = await failure(call.result);
  deepEqual([died.code, died.extra?.retryable], ["provider_unavailable", true]);
  equal(died.extra?.asked, undefined);
  const gone = await failure(asked(provider, { model: llama.model }).result);
  deepEqual([gone.code, gone.extra?.asked], ["provider_unavailable", false]);
  equal(provider.health().status, "down");
});

real("models and health are looked up in the background, and speed is measured", async () => {
  await using llama = await startLlama();
  const world = { ...testWorld(), now: Date.now };
  await using provider = providerAt(llama.url, { world });
  deepEqual(provider.health(), { status: "unknown", checked_at: null });
  deepEqual(provider.models(), []);
  await provider.refresh();
  equal(provider.health().status, "up");
  deepEqual(provider.models().map(({ id }) => id), [llama.model, llama.endless]);
  const input = { ...HELLO, max_tokens: 200 } as Json;
  await asked(provider, { model: llama.endless, input }).result;
  const { first_token_ms, tokens_per_second, url } = provider.info();
  ok(first_token_ms! >= 0 && tokens_per_second! > 1);
  equal(`${url}/v1`, llama.url);
});

Deno.test("a look comes again when its time has come", async () => {
  let looks = 0;
  await using server = listing(() => looks++);
  const world = testWorld();
  await using provider = providerAt(server.url, { world, refreshMs: 5_000 });
  await provider.refresh();
  equal(looks, 1);
  await world.advance(4_999);
  equal(looks, 1);
  await world.advance(1);
  await provider.refresh();
  equal(looks, 2);
});

/** What each model of the bad server comes to. */
const FAILURES: Partial<Record<BadModel, [code: string, extra: ErrorExtra]>> = {
  "ends-early": ["provider_unavailable", { retryable: true }],
  "garbage-json": ["provider_unavailable", { retryable: false }],
  "garbage-shape": ["provider_unavailable", { retryable: false }],
  "garbage-stream": ["provider_unavailable", { retryable: false }],
  "garbage-part": ["provider_unavailable", { retryable: false }],
  "empty": ["provider_unavailable", { retryable: true }],
  "html": ["provider_unavailable", { retryable: false }],
  "busy": ["rate_limited", { status: 429, retry_after_ms: BUSY_SECONDS * 1000, retryable: true }],
  "busy-until": ["rate_limited", { status: 429, retry_after_ms: 8_000, retryable: true }],
  "no-credit": ["insufficient_credits", { status: 429, retryable: false }],
  "refuses": ["invalid_request", { status: 400, retryable: false }],
  "refuses-key": ["auth_required", { status: 401, retryable: false }],
  "not-here": ["not_found", { status: 404, retryable: false }],
  "breaks": ["provider_unavailable", { status: 500, retryable: true }],
  "breaks-inside": ["provider_unavailable", { status: 502, retryable: true }],
};
/** These answer as they do only where a stream, or no stream, is asked for. */
const WHOLE: readonly BadModel[] = ["garbage-json", "garbage-shape", "html"];

for (const [model, expected] of Object.entries(FAILURES)) {
  Deno.test(`a server that ${model}: ${expected[0]}`, async () => {
    await using server = badServer();
    await using provider = providerAt(server.url, { key: () => KEY });
    const stream = !WHOLE.includes(model as BadModel);
    const { code, extra, message } = await failure(asked(provider, { model, stream }).result);
    deepEqual([code, extra], expected);
    ok(message.length < 600, message);
    ok(!message.includes(KEY.slice(3)), message);
  });
}

Deno.test("every way to fail is tried", () => {
  const others = ["stalls", "silent", "huge", "huge-line", "redirects", "one-embedding"];
  deepEqual([...Object.keys(FAILURES), ...others].sort(), [...BAD_MODELS].sort());
});

Deno.test("a server that dies in mid-stream is told, with what had come", async () => {
  await using server = dyingServer(false);
  await using provider = providerAt(server.url);
  const call = asked(provider, { model: "m" });
  const { code, extra } = await failure(call.result);
  deepEqual([code, extra], ["provider_unavailable", { retryable: true }]);
  equal(textOf(call.deltas), "Hello");
});

Deno.test("an answer that broke behind its end is whole, without usage", async () => {
  await using server = dyingServer(true);
  await using provider = providerAt(server.url);
  const result = await asked(provider, { model: "m" }).result;
  deepEqual(result.output, { text: "Hello", finish_reason: "stop" });
  equal(result.usage, undefined);
});

Deno.test("a server that stalls is given up after its time, and left", async () => {
  await using server = badServer();
  const world = testWorld();
  await using provider = providerAt(server.url, { world, stallMs: 60_000 });
  const call = asked(provider, { model: "stalls" }, () => Promise.resolve(world.hurry()));
  const { code, message } = await failure(call.result);
  equal(code, "timeout");
  match(message, /60000 ms/);
  equal(textOf(call.deltas), "Hello");
  await server.left();
});

Deno.test("a server that never answers is given up after its time", async () => {
  await using server = badServer();
  const world = testWorld();
  await using provider = providerAt(server.url, { world, stallMs: 60_000 });
  await provider.refresh();
  const call = asked(provider, { model: "silent", stream: false });
  await server.heard();
  await world.advance(59_999);
  await world.advance(1);
  equal((await failure(call.result)).code, "timeout");
});

Deno.test("while a receiver takes its time, the server is not blamed", async () => {
  await using server = badServer();
  const world = testWorld();
  await using provider = providerAt(server.url, { world, stallMs: 60_000, refreshMs: 1e9 });
  const call = asked(provider, { model: "ends-early" }, () => world.advance(600_000));
  equal((await failure(call.result)).code, "provider_unavailable");
});

for (const model of ["huge", "huge-line"]) {
  Deno.test(`an answer without end (${model}) is cut off, and its server left`, async () => {
    await using server = badServer();
    const maxAnswerBytes = 1024 * 1024;
    await using provider = providerAt(server.url, { maxAnswerBytes });
    const call = asked(provider, { model });
    const { code, extra } = await failure(call.result);
    deepEqual([code, extra?.limit_bytes], ["too_large", maxAnswerBytes]);
    await server.left();
    ok(textOf(call.deltas).length <= maxAnswerBytes);
  });
}

Deno.test("a redirect is not followed, and nobody else gets the key", async () => {
  await using elsewhere = badServer();
  await using server = badServer(elsewhere.url);
  await using provider = providerAt(server.url, { key: () => KEY });
  const { code, extra, message } = await failure(asked(provider, { model: "redirects" }).result);
  deepEqual([code, extra], ["provider_unavailable", { asked: false, retryable: false }]);
  match(message, new RegExp(new URL(elsewhere.url).host));
  deepEqual([server.keys, elsewhere.keys], [[`Bearer ${KEY}`], []]);
});

Deno.test("the key of the moment goes along, and nothing about this machine does", async () => {
  await using server = badServer();
  let key: string | undefined = KEY;
  await using provider = providerAt(server.url, { key: () => key, keyName: "K" });
  await failure(asked(provider, { model: "breaks" }).result);
  const sent = [...server.last().keys()].filter((name) => !OF_FETCH.includes(name)).sort();
  deepEqual(sent, ["authorization", "content-type"]);
  key = "sk-another-0123456789";
  await failure(asked(provider, { model: "breaks" }).result);
  deepEqual(server.keys, [`Bearer ${KEY}`, "Bearer sk-another-0123456789"]);
  key = undefined;
  const none = await failure(asked(provider, { model: "breaks" }).result);
  deepEqual([none.code, none.extra?.asked], ["auth_required", false]);
  match(none.message, /secret set K --mount/);
  equal(server.keys.length, 2);
  const told = JSON.stringify([provider.info(), provider.health(), provider.models()]);
  ok(!told.includes("0123456789"));
});
/** What every fetch of this runtime sends. */
const OF_FETCH = [
  "accept",
  "accept-encoding",
  "accept-language",
  "content-length",
  "host",
  "user-agent",
];

Deno.test("without a key, no authorization is made up", async () => {
  await using server = badServer();
  await using provider = providerAt(server.url);
  await failure(asked(provider, { model: "breaks" }).result);
  deepEqual(server.keys, [null]);
});

Deno.test("what is not sold, and what cannot be asked, is refused before anyone is asked", async () => {
  await using server = badServer();
  await using provider = providerAt(server.url);
  for (const kind of ["image_generate", "custom:dance"] as const) {
    const { code, extra } = await failure(asked(provider, { model: "m", kind, input: {} }).result);
    deepEqual([code, extra?.asked], ["not_supported", false]);
  }
  for (const input of [{}, { messages: [] }, { ...HELLO, n: 3 }]) {
    const { code } = await failure(asked(provider, { model: "m", input: input as Json }).result);
    equal(code, "invalid_request");
  }
  deepEqual(server.keys, []);
});

Deno.test("a part is handed on before the next is read", async () => {
  let written = 0;
  await using server = listing(() => {}, () => written++);
  await using provider = providerAt(server.url);
  const open = Promise.withResolvers<void>();
  const call = asked(provider, { model: "m" }, () => open.promise);
  await call.first;
  equal(call.deltas.length, 1);
  open.resolve();
  await call.result;
  equal(textOf(call.deltas), "12345");
});

Deno.test("a receiver that fails ends the call, with its own words", async () => {
  await using server = badServer();
  await using provider = providerAt(server.url);
  const refused: (delta: Delta) => Promise<void> = () => Promise.reject(new FullError());
  await rejects(asked(provider, { model: "stalls" }, refused).result, FullError);
  await server.left();
});
class FullError extends Error {}

Deno.test("a provider that is closed looks no more, and may be closed again", async () => {
  let looks = 0;
  await using server = listing(() => looks++);
  const world = testWorld();
  const provider = providerAt(server.url, { world, refreshMs: 1_000 });
  await provider.refresh();
  await provider.close();
  await provider.close();
  await world.advance(10_000);
  equal(looks, 1);
});

Deno.test("who is closed in the middle of a look leaves no time limit behind", async () => {
  await using server = badServer();
  const world = testWorld();
  const provider = providerAt(server.url, { world });
  await provider.close();
  equal(world.waiting(), 0);
  deepEqual(provider.health(), { status: "unknown", checked_at: null });
});

Deno.test("embeddings of another number than that of the texts are garbage", async () => {
  await using server = badServer();
  await using provider = providerAt(server.url);
  const ask = (texts: string[]) =>
    asked(provider, { model: "one-embedding", kind: "embeddings", input: { texts } }).result;
  deepEqual((await ask(["a"])).output, { embeddings: [[1, 2]] });
  equal((await failure(ask(["a", "b"]))).code, "provider_unavailable");
});

/** A good server that counts, and says five digits. */
function listing(looked: () => void, wrote: () => void = () => {}) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (request.method === "GET") {
      looked();
      return Response.json({ object: "list", data: [{ id: "m" }] });
    }
    const digits = [1, 2, 3, 4, 5].map((n) => {
      wrote();
      const delta = { content: String(n) };
      const finish_reason = n === 5 ? "stop" : null;
      return `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
    });
    return new Response(`${digits.join("")}data: [DONE]\n\n`, {
      headers: { "content-type": "text/event-stream" },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
