/** Who answers: named models, health, kinds, preferences; pauses between tries, and the fallback. */
import { FileError, type FileErrorInit } from "../../../src/fs/error.ts";
import { readJson, writeJson } from "../../../src/fs/use.ts";
import { BACKOFF_MS, MAX_RETRY_AFTER_MS } from "../../../src/services/compute/run.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { FREE, ONE, says, type Script, type Scripted, scripted, used } from "./scripted.ts";
import { test, type World } from "./world.ts";

const policy = (files: World["files"], change: object) =>
  writeJson(files, "/compute/policy", change);

const price = (input: number, output: number) => ({
  input_micro_usd_per_mtok: input,
  output_micro_usd_per_mtok: output,
});

/** Refuses so many times, then answers. */
function failing(times: number, code: FileError["code"], init: FileErrorInit = {}): Script {
  return async (call, sink, signal) => {
    if (times-- > 0) throw new FileError(code, "ask", "p", init);
    return await says("at last", used(1, 1))(call, sink, signal);
  };
}

/** Waits until it was asked so many times, moving the clock on. */
async function until(provider: Scripted, calls: number, backend: World["backend"]): Promise<void> {
  while (provider.calls.length < calls) await backend.clock.advance(BACKOFF_MS[0]!);
}

test("a model is named alone, or with its provider", async (open) => {
  const { answered } = await open([
    scripted("p", { models: [{ id: "m" }, { id: "org/big" }] }),
    scripted("q", { models: [{ id: "m" }, { id: "n" }] }),
  ]);
  const by = async (model: string) => {
    const { status } = await answered({ model });
    return status.provider_id;
  };
  equal(await by("n"), "q");
  equal(await by("q/m"), "q");
  equal(await by("p/m"), "p");
  equal(await by("org/big"), "p");
  equal(await by("p/org/big"), "p");
});

test("who is chosen by name only is named by model or provider, never by a pattern", async (open) => {
  const echo = scripted("echo", { models: [{ id: "echo" }], info: { by_name_only: true } });
  const other = scripted("p", { models: [{ id: "m", price: ONE, max_output_tokens: 1 }] });
  const { answered, ask, files } = await open([echo, other]);
  await policy(files, { prefer: "cost" });
  const by = async (model: string) => (await answered({ model })).status.provider_id;
  equal(await by("echo"), "echo");
  equal(await by("echo/echo"), "echo");
  equal(await by("echo/*"), "echo");
  equal(await by("*"), "p");
  other.status = "down";
  await rejects(ask({ model: "*" }), { code: "provider_unavailable" });
});

test("an unknown model is not found, and told with those that there are", async (open) => {
  const p = scripted("p", {
    models: [{ id: "m" }, { id: "blocked" }, { id: "e", kinds: ["embeddings"] }],
  });
  const { ask, files } = await open([p]);
  await policy(files, { blocked_models: ["blocked"] });
  const refusal = await ask({ model: "none" }).catch((error) => error);
  equal(refusal.code, "not_found");
  match(refusal.message, /"none".*there is m\b/);
  deepEqual(refusal.extra.models, ["m"]);
  await rejects(ask({ model: "p/none" }), { code: "not_found" });
  await rejects(ask({ model: "constructor" }), { code: "not_found" });
});

test("without any provider a model is not found, with what to do about it", async (open) => {
  const { ask } = await open([]);
  await rejects(ask(), { code: "not_found", message: /Ollama/ });
});

test("a kind that nobody has, and one that the model has not, are not supported", async (open) => {
  const p = scripted("p", {
    models: [{ id: "m", kinds: ["chat"] }, { id: "e", kinds: ["embeddings"] }],
  });
  const { ask } = await open([p]);
  for (const kind of ["image_generate", "image_analyze", "transcribe", "speak", "custom:x"]) {
    const message = /no provider has .*; there is chat, embeddings/;
    await rejects(ask({ kind, input: {}, model: "none" }), { code: "not_supported", message });
  }
  await rejects(ask({ model: "e" }), {
    code: "not_supported",
    message: /e has no chat; it has emb/,
  });
  equal(p.calls.length, 0);
});

test("a picture goes only to a model that sees, and not by path", async (open) => {
  const blind = scripted("p");
  const seeing = scripted("q", { models: [{ id: "eye", kinds: ["chat", "image_analyze"] }] });
  const { ask, answered } = await open([blind, seeing]);
  const input = (url: string) => ({
    messages: [{
      role: "user",
      content: [{ type: "text", text: "what is it?" }, { type: "image_url", image_url: { url } }],
    }],
  });
  const data = input("data:image/png;base64,AA==");
  await rejects(ask({ input: data }), { code: "not_supported", message: /image_url/ });
  await answered({ model: "eye", input: data });
  const path = ask({ model: "eye", input: input("/files/a.png") });
  await rejects(path, { code: "not_supported", message: /data URL/ });
  const text = { messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }] };
  await answered({ input: text });
});

test("who is down is not asked; when nobody is up it is said who, why, and what to do", async (open) => {
  const p = scripted("p"), q = scripted("q");
  const { answered, ask } = await open([p, q]);
  p.status = "down";
  equal((await answered()).status.provider_id, "q");
  q.status = "unknown";
  equal((await answered()).status.provider_id, "q");
  p.status = "up";
  equal((await answered()).status.provider_id, "p");
  p.status = q.status = "down";
  const message = /p \(connection refused\), q \(connection refused\).*fallback_provider/;
  await rejects(ask(), { code: "provider_unavailable", message });
  await rejects(ask({ model: "unheard" }), { code: "provider_unavailable", message: /unheard/ });
  p.status = "up";
  await rejects(ask({ model: "unheard" }), { code: "not_found" });
  q.status = "unknown";
  await rejects(ask({ model: "unheard" }), { code: "provider_unavailable", message: /moment/ });
});

test("a request takes the preferred of several: by cost, latency, quality, or balanced", async (open) => {
  const model = (id: string, input: number, output: number, more = {}) => [{
    id: "m",
    price: price(input, output),
    max_output_tokens: 10,
    ...more,
    about: id,
  }];
  const { answered, files } = await open([
    scripted("unknown", { models: [{ id: "m", price: undefined }] }),
    scripted("dear", {
      models: model("dear", 1_000, 9_000_000, { rank: 1, context_tokens: 10 }),
      info: { first_token_ms: 100 },
    }),
    scripted("cheap", {
      models: model("cheap", 1_000, 1_000_000, { rank: 2, context_tokens: 5 }),
      info: { first_token_ms: 1_000 },
    }),
    scripted("middle", {
      models: model("middle", 1_000, 3_000_000, { rank: 1, context_tokens: 20 }),
      info: { first_token_ms: 200 },
    }),
  ]);
  const by = async (prefer: string) => {
    await policy(files, { prefer });
    return (await answered({ max_cost_micro_usd: 10_000 })).status.provider_id;
  };
  equal(await by("cost"), "cheap");
  equal(await by("latency"), "dear");
  equal(await by("quality"), "middle");
  equal(await by("balanced"), "middle");
});

test("the cheapest is so for this request, by its tokens", async (open) => {
  const { answered, files } = await open([
    scripted("reads", { models: [{ id: "m", price: price(0, 10_000_000) }] }),
    scripted("writes", { models: [{ id: "m", price: price(10_000_000, 0) }] }),
  ]);
  await policy(files, { prefer: "cost", default_max_cost_micro_usd: 500_000 });
  const by = async (chars: number, max_tokens: number) => {
    const content = "x".repeat(chars);
    const input = { messages: [{ role: "user", content }], max_tokens };
    return (await answered({ input })).status.provider_id;
  };
  equal(await by(5_000, 10), "reads");
  equal(await by(10, 5_000), "writes");
});

test("a model that has tools is preferred where tools are asked for", async (open) => {
  const { answered } = await open([
    scripted("bare", { models: [{ id: "m", tools: false }] }),
    scripted("able", { models: [{ id: "m", tools: true }] }),
  ]);
  const tools = [{ type: "function", function: { name: "read" } }];
  const input = { messages: [{ role: "user", content: "hi" }] };
  equal((await answered({ input })).status.provider_id, "bare");
  equal((await answered({ input: { ...input, tools } })).status.provider_id, "able");
});

test("a failure that may pass is tried again after a pause, before the first word", async (open) => {
  const p = scripted("p", { script: failing(2, "provider_unavailable") });
  const { ask, backend, ended, result } = await open([p]);
  const job = await ask({ stream: true });
  await backend.clock.advance(BACKOFF_MS[0]! - 1);
  equal(p.calls.length, 1);
  await backend.clock.advance(1);
  equal(p.calls.length, 2);
  await backend.clock.advance(BACKOFF_MS[1]!);
  equal((await ended(job)).status, "complete");
  equal(p.calls.length, 3);
  const { latency_ms } = await result(job);
  equal(latency_ms, BACKOFF_MS[0]! + BACKOFF_MS[1]!);
});

test("who wants to be asked later is asked later, but not much later", async (open) => {
  const p = scripted("p", {
    script: failing(1, "rate_limited", { extra: { retry_after_ms: 9_000 } }),
  });
  const never = scripted("q", {
    models: [{ id: "n" }],
    script: failing(1, "rate_limited", { extra: { retry_after_ms: MAX_RETRY_AFTER_MS + 1 } }),
  });
  const { answered, ask, backend, ended } = await open([p, never]);
  const job = await ask();
  await backend.clock.advance(8_999);
  equal(p.calls.length, 1);
  await backend.clock.advance(1);
  equal((await ended(job)).status, "complete");
  const { status } = await answered({ model: "n" });
  equal(status.error!.code, "rate_limited");
  equal(never.calls.length, 1);
});

test("what no other try can mend is not tried again", async (open) => {
  const p = scripted("p");
  const { answered } = await open([p]);
  for (const code of ["invalid_request", "auth_required", "not_found", "too_large"] as const) {
    p.calls.length = 0;
    p.script = failing(1, code, { detail: "in its own words" });
    const { status } = await answered();
    equal(status.status, "failed");
    equal(status.error!.code, code);
    match(status.error!.message, /p\/m: in its own words/);
    equal(p.calls.length, 1, code);
  }
  p.script = failing(1, "provider_unavailable", { extra: { retryable: false } });
  p.calls.length = 0;
  equal((await answered()).status.status, "failed");
  equal(p.calls.length, 1);
});

test("after the first word there is no other try: the job fails, and its stream says so", async (open) => {
  const p = scripted("p", {
    async script(_call, sink) {
      await sink.delta({ content: "half an " });
      throw new FileError("provider_unavailable", "ask", "p", { detail: "it died" });
    },
  });
  const q = scripted("q");
  const { answered, chunks, files } = await open([p, q]);
  await policy(files, { fallback_provider: "q" });
  const { job, status } = await answered({ stream: true });
  equal(status.error!.code, "provider_unavailable");
  equal(p.calls.length, 1);
  equal(q.calls.length, 0);
  const all = await chunks(job);
  deepEqual(all.map(({ delta, finish_reason }) => [delta.content, finish_reason]), [
    ["half an ", undefined],
    [undefined, "error"],
  ]);
});

test("when all tries fail the fallback answers, with the same model if it has it", async (open) => {
  const p = scripted("p", { script: failing(9, "provider_unavailable", { detail: "it died" }) });
  const q = scripted("q", { models: [{ id: "x" }, { id: "m" }], info: { by_name_only: true } });
  const { ask, backend, ended, files, result } = await open([p, q]);
  await policy(files, { fallback_provider: "q" });
  const job = await ask({ model: "p/m" });
  await until(q, 1, backend);
  equal((await ended(job)).status, "complete");
  equal(p.calls.length, 1 + BACKOFF_MS.length);
  const { model, provider_id } = await result(job);
  deepEqual([provider_id, model], ["q", "m"]);
});

test("a fallback may name its model; without the same one its best answers", async (open) => {
  const p = scripted("p", { script: failing(99, "auth_required") });
  const q = scripted("q", { models: [{ id: "low", rank: 9 }, { id: "org/top", rank: 1 }] });
  const { answered, files, result } = await open([p, q]);
  const by = async (change: object) => {
    await policy(files, change);
    const { job } = await answered();
    return (await result(job)).model;
  };
  equal(await by({ fallback_provider: "q", prefer: "quality" }), "org/top");
  equal(await by({ fallback_provider: "q/low" }), "low");
  equal(await by({ fallback_provider: "q/org/top" }), "org/top");
  await policy(files, { fallback_provider: "q/low", blocked_models: ["low"] });
  const { status } = await answered();
  equal(status.error!.code, "auth_required");
});

test("where both fail both are told; and who has nobody up is answered by the fallback", async (open) => {
  const p = scripted("p", { script: failing(1, "auth_required", { detail: "no key" }) });
  const q = scripted("q", { models: [{ id: "n" }], script: failing(1, "too_large") });
  const { answered, files } = await open([p, q]);
  await policy(files, { fallback_provider: "q" });
  const { status } = await answered();
  equal(status.error!.code, "auth_required");
  match(status.error!.message, /p\/m: no key; the fallback q\/n: too_large/);
  p.status = "down";
  const other = await answered();
  deepEqual([other.status.status, other.status.provider_id], ["complete", "q"]);
});

test("a fallback that costs takes no budget from what is free", async (open) => {
  const p = scripted("p", { script: failing(1, "auth_required") });
  const q = scripted("q", { models: [{ id: "m", price: ONE }], script: says("paid", used(10, 1)) });
  const { answered, files } = await open([p, q], {
    request: { budgets: { "/compute": { per_day_micro_usd: 1_000, approvers: [] } } },
  });
  await policy(files, { fallback_provider: "q", prefer: "cost" });
  // Nothing says what it may cost: only who is free is asked.
  equal((await answered()).status.error!.code, "auth_required");
  p.script = failing(1, "auth_required");
  const paid = await answered({ max_cost_micro_usd: 900 });
  deepEqual([paid.status.status, paid.status.cost_micro_usd], ["complete", 11]);
  // More than is left: the free one is asked all the same.
  p.script = failing(1, "auth_required");
  const { status } = await answered({ max_cost_micro_usd: 5_000 });
  deepEqual([status.error!.code, status.reserved_micro_usd], ["auth_required", 0]);
  equal((await answered({ max_cost_micro_usd: 5_000 })).status.status, "complete");
});

test("what a provider throws that is no refusal is our fault, and its text is not told", async (open) => {
  const p = scripted("p", {
    script: () => Promise.reject(new TypeError("key sk-secret is not a function")),
  });
  const { answered } = await open([p]);
  const { status } = await answered();
  equal(status.error!.code, "internal");
  ok(!JSON.stringify(status).includes("sk-secret"));
});

test("providers are files: what each is, its models and prices, and whether it is up", async (open) => {
  const p = scripted("p", {
    models: [{ id: "m", price: ONE, context_tokens: 10 }, { id: "n", price: undefined }, {
      id: "o",
      price: FREE,
    }],
    info: { first_token_ms: 12, url: "http://127.0.0.1:1/v1" },
  });
  const { as, files } = await open([p, scripted("b")]);
  deepEqual((await files.list("/compute")).map(({ name }) => name), [
    "jobs",
    "new",
    "policy",
    "providers",
    "usage",
  ]);
  deepEqual((await files.list("/compute/providers")).map(({ name }) => name), ["b", "p"]);
  const at = "/compute/providers/p";
  deepEqual((await files.list(at)).map(({ name }) => name), ["health", "info", "models"]);
  const local = await as("local");
  equal((await readJson<{ first_token_ms: number }>(local, `${at}/info`)).first_token_ms, 12);
  const models = await readJson<{ id: string; price: unknown }[]>(local, `${at}/models`);
  deepEqual(models.map(({ id, price }) => [id, price]), [["m", ONE], ["n", null], ["o", FREE]]);
  p.status = "down";
  const health = await readJson<{ status: string; error: string }>(files, `${at}/health`);
  deepEqual([health.status, health.error], ["down", "connection refused"]);
  await rejects(files.stat("/compute/providers/none"), { code: "not_found" });
});
