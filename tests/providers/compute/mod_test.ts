/** All providers of a runtime: found on this machine, set by URL, by key, and the echo; and that agentd never finds itself. */
import { deepEqual, equal, match, ok, rejects, throws } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { GREETING, MISSING_LLAMA, startLlama } from "../../llama/server.ts";
import { hasCode } from "../../../src/fs/error.ts";
import type { Json } from "../../../src/core/envelope.ts";
import {
  computeProviders,
  type ComputeProvidersOptions,
} from "../../../src/providers/compute/mod.ts";
import { USUAL_PLACES } from "../../../src/providers/compute/local.ts";
import { asked, HELLO, testWorld } from "./calling.ts";

const real = needs(MISSING_LLAMA);
const KEY = "sk-test-0123456789abcdef";

function all(options: Partial<ComputeProvidersOptions>) {
  const providers = computeProviders({
    world: testWorld(),
    secret: () => undefined,
    places: [],
    ...options,
  });
  return { ...providers, [Symbol.asyncDispose]: providers.close };
}

const idsOf = (providers: ReturnType<typeof all>) => providers.list().map(({ id }) => id);

interface Served {
  readonly models?: unknown;
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

interface Heard {
  readonly path: string;
  readonly query: string;
  /** `authorization` */
  readonly key: string | null;
  /** `x-api-key` */
  readonly own: string | null;
  readonly body: Record<string, unknown> | undefined;
}

/** A server that lists models and remembers what it was asked. */
function serving({ models = { data: [{ id: "m" }] }, status = 200, headers = {} }: Served = {}) {
  const asked: Heard[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = request.method === "POST" ? await request.json() : undefined;
      const header = (name: string) => request.headers.get(name);
      const keys = { key: header("authorization"), own: header("x-api-key") };
      asked.push({ path: pathname, query: search, ...keys, body });
      if (pathname.endsWith("/models")) return Response.json(models, { headers, status });
      const message = { role: "assistant", content: "Yes." };
      const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
      return Response.json({ choices: [{ message, finish_reason: "stop" }], usage }, { headers });
    },
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return { origin, url: `${origin}/v1`, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("the usual places are those of four kinds of server, on this machine", () => {
  deepEqual(USUAL_PLACES.map(({ id, url }) => `${id} ${url}`), [
    "ollama http://127.0.0.1:11434/v1",
    "llama.cpp http://127.0.0.1:8080/v1",
    "llama.cpp-8081 http://127.0.0.1:8081/v1",
    "lmstudio http://127.0.0.1:1234/v1",
    "vllm http://127.0.0.1:8000/v1",
  ]);
});

real(
  "a server that comes is found by itself, sells for nothing, and is down when it goes",
  async () => {
    const world = testWorld();
    await using llama = await startLlama();
    const place = { id: "llama.cpp", name: "llama.cpp", url: llama.url };
    const gone = { id: "vllm", name: "vLLM", url: "http://127.0.0.1:1/v1" };
    await using providers = all({ world, places: [place, gone], refreshMs: 1_000 });
    deepEqual(idsOf(providers), ["echo"]);
    await providers.refresh();
    deepEqual(idsOf(providers), ["llama.cpp", "echo"]);
    const found = providers.get("llama.cpp")!;
    const free = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };
    const [model] = found.models();
    deepEqual([model!.id, model!.price], [llama.model, free]);
    deepEqual(model!.kinds, ["chat", "complete", "embeddings"]);
    const { output } = await asked(found, { model: llama.model }).result;
    equal((output as { text: string }).text, GREETING);
    await llama.stop();
    await providers.refresh();
    const { status, error } = providers.get("llama.cpp")!.health();
    equal(status, "down");
    match(error!, /nobody answers/);
  },
);

Deno.test("agentd never finds itself: not where it listens, and nobody who says that he is one", async () => {
  await using other = serving({ headers: { "x-agentd": "0.1.0" } });
  await using self = serving();
  await using good = serving();
  const place = (id: string, { url }: { url: string }) => ({ id, name: id, url });
  const places = [place("other", other), place("self", self), place("good", good)];
  for (const own of [self.origin, self.origin.replace("127.0.0.1", "0.0.0.0")]) {
    await using providers = all({ places, own: () => [own] });
    await providers.refresh();
    deepEqual(idsOf(providers), ["good", "echo"]);
  }
  throws(
    () => all({ servers: [{ url: self.url }], own: () => [self.origin] }),
    (error) => hasCode(error, "invalid_request"),
  );
});

Deno.test("an address that turns out to be our own is no longer sold from", async () => {
  await using server = serving();
  const own: string[] = [];
  const places = [{ id: "x", name: "x", url: server.url }];
  await using providers = all({ places, own: () => own });
  await providers.refresh();
  deepEqual(idsOf(providers), ["x", "echo"]);
  own.push(server.origin);
  deepEqual(idsOf(providers), ["echo"]);
});

Deno.test("what is no model server is not found", async () => {
  for (const models of ["<h1>hi</h1>", { models: [] }, { data: [{ name: "x" }] }, [], null]) {
    await using server = serving({ models });
    await using providers = all({ places: [{ id: "x", name: "x", url: server.url }] });
    await providers.refresh();
    deepEqual(idsOf(providers), ["echo"]);
  }
});

Deno.test("nobody is looked for where discovery is off, or where one is set already", async () => {
  await using server = serving();
  const places = [{ id: "vllm", name: "vLLM", url: server.url }];
  await using none = all({ places, discover: false });
  await none.refresh();
  deepEqual([idsOf(none), server.asked.length], [["echo"], 0]);
  await using set = all({ places, servers: [{ id: "mine", url: server.origin }] });
  await set.refresh();
  deepEqual(idsOf(set), ["mine", "echo"]);
});

Deno.test("a server that is set is there before it is up, and its key comes from a secret at each call", async () => {
  await using server = serving();
  const secrets = new Map([["MINE", KEY]]);
  await using providers = all({
    servers: [{ url: server.origin, secret: "MINE" }],
    secret: (name) => secrets.get(name),
  });
  deepEqual(idsOf(providers), ["local", "echo"]);
  const mine = providers.get("local")!;
  await asked(mine, { model: "m", stream: false }).result;
  secrets.set("MINE", "sk-second-0123456789");
  await asked(mine, { model: "m", stream: false }).result;
  secrets.delete("MINE");
  await rejects(
    asked(mine, { model: "m" }).result,
    (error) => hasCode(error, "auth_required") && /secret set MINE/.test(String(error)),
  );
  const keys = server.asked.filter(({ path }) => path.endsWith("/completions")).map(({ key }) =>
    key
  );
  deepEqual(keys, [`Bearer ${KEY}`, "Bearer sk-second-0123456789"]);
});

Deno.test("clouds: prices by the list, by what the server tells, or set; none is undefined", async () => {
  const data = [
    { id: "gpt-4o-mini" },
    { id: "gpt-unheard-of" },
    { id: "text-embedding-3-small" },
    { id: "whisper-1" },
    { id: "mine", pricing: { prompt: "0.000001", completion: "0.000002" } },
  ];
  await using server = serving({ models: { data } });
  const url = server.url, secret = "K";
  await using providers = all({
    secret: () => KEY,
    cloud: [
      { vendor: "openai", url },
      { vendor: "openrouter", url, secret },
      {
        id: "other",
        url,
        secret,
        prices: { mine: { input_micro_usd_per_mtok: 1, output_micro_usd_per_mtok: 2 } },
      },
    ],
  });
  await providers.refresh();
  const model = (id: string, name: string) =>
    providers.get(id)!.models().find((model) => model.id === name);
  const mini = model("openai", "gpt-4o-mini")!;
  deepEqual(mini.price, { input_micro_usd_per_mtok: 150_000, output_micro_usd_per_mtok: 600_000 });
  deepEqual([mini.kinds, mini.max_output_tokens, mini.context_tokens], [["chat"], 16_384, 128_000]);
  deepEqual(model("openai", "text-embedding-3-small")!.kinds, ["embeddings"]);
  equal(model("openai", "whisper-1"), undefined);
  equal(model("openai", "gpt-unheard-of")!.price, undefined);
  equal(model("openrouter", "gpt-4o-mini")!.price, undefined);
  const told = { input_micro_usd_per_mtok: 1_000_000, output_micro_usd_per_mtok: 2_000_000 };
  deepEqual(model("openrouter", "mine")!.price, told);
  deepEqual(model("other", "mine")!.price, {
    input_micro_usd_per_mtok: 1,
    output_micro_usd_per_mtok: 2,
  });
  equal(model("other", "gpt-4o-mini")!.price, undefined);
  equal(providers.get("openai")!.info().type, "cloud");
  match(providers.get("openai")!.info().about, /list prices of 20\d\d-/);
});

Deno.test("a cloud without its key is down, says which secret is wanted, and is not asked", async () => {
  await using server = serving();
  await using providers = all({ cloud: [{ vendor: "anthropic", url: server.url }] });
  await providers.refresh();
  const anthropic = providers.get("anthropic")!;
  equal(anthropic.health().status, "down");
  match(anthropic.health().error!, /agentd secret set ANTHROPIC_API_KEY --mount \/compute$/);
  await rejects(
    asked(anthropic, { model: "m" }).result,
    (error) => hasCode(error, "auth_required"),
  );
  deepEqual(server.asked, []);
});

Deno.test("Anthropic lists its models in its own API: the key goes as that wants it, once", async () => {
  const data = [{ id: "claude-opus-5-5", max_input_tokens: 900_000, max_tokens: 64_000 }];
  await using server = serving({ models: { data } });
  await using providers = all({
    secret: () => KEY,
    cloud: [{ vendor: "anthropic", url: server.url }],
  });
  await providers.refresh();
  const [look] = server.asked;
  deepEqual([look!.key, look!.own, look!.query], [null, KEY, "?limit=1000"]);
  await asked(providers.get("anthropic")!, { model: "claude-opus-5-5", stream: false }).result;
  const call = server.asked.at(-1)!;
  deepEqual([call.key, call.own], [`Bearer ${KEY}`, null]);
});

Deno.test("a prompt so long that it costs more than the list says is not bought by that price", async () => {
  await using server = serving();
  const price = { input_micro_usd_per_mtok: 1_000_000, output_micro_usd_per_mtok: 5_000_000 };
  const { url } = server;
  await using providers = all({
    secret: () => KEY,
    cloud: [
      { vendor: "anthropic", url },
      { id: "priced", vendor: "anthropic", url, prices: { "claude-haiku-5-5": price } },
    ],
  });
  const ask = (id: string, chars: number) => {
    const input = { messages: [{ role: "user", content: "x".repeat(chars) }] };
    return asked(providers.get(id)!, { model: "claude-haiku-5-5", stream: false, input }).result;
  };
  await ask("anthropic", 190_000);
  await rejects(ask("anthropic", 200_000), (error) => hasCode(error, "too_large"));
  await ask("priced", 200_000);
  equal(server.asked.filter(({ body }) => body !== undefined).length, 2);
});

Deno.test("a list that is refused leaves its seller down, with the reason and without the key", async () => {
  for (const [status, words] of [[401, /key/], [500, /failed/], [429, /too many/]] as const) {
    await using server = serving({ status });
    await using providers = all({
      secret: () => KEY,
      cloud: [{ vendor: "openai", url: server.url }],
    });
    await providers.refresh();
    const { status: health, error } = providers.get("openai")!.health();
    equal(health, "down");
    match(error!, words);
    ok(!error!.includes(KEY.slice(3)), error);
  }
});

Deno.test("OpenAI gets the newer name of max_tokens, others the one that was given", async () => {
  await using server = serving();
  const { url } = server;
  await using providers = all({
    secret: () => KEY,
    cloud: [{ vendor: "openai", url }, { vendor: "anthropic", url }],
  });
  const input = { ...HELLO, max_tokens: 5 } as Json;
  for (const id of ["openai", "anthropic"]) {
    await asked(providers.get(id)!, { model: "m", stream: false, input }).result;
  }
  const asks = server.asked.filter(({ body }) => body !== undefined);
  deepEqual(asks.map(({ body }) => [body!.max_completion_tokens, body!.max_tokens]), [
    [5, undefined],
    [undefined, 5],
  ]);
});

Deno.test("settings that cannot be are refused before anybody is asked", async () => {
  await using server = serving();
  const refused = (options: Partial<ComputeProvidersOptions>, words: RegExp) =>
    throws(() => all({ secret: () => KEY, ...options }), (error) => {
      ok(hasCode(error, "invalid_request"), String(error));
      match(String(error), words);
      ok(!String(error).includes("hunter2"), String(error));
      return true;
    });
  const good = { id: "good", url: server.url };
  refused({ servers: [good, { url: "nonsense" }] }, /no URL/);
  refused({ servers: [good, { url: "ftp://here/v1" }] }, /http/);
  refused({ servers: [good, { url: "http://me:hunter2@here/v1" }] }, /credential/);
  refused({ servers: [good, { url: "http://here/v1?key=hunter2" }] }, /query/);
  refused({ servers: [good, good] }, /two providers/);
  refused({ servers: [good, { id: "echo", url: server.url }] }, /two providers/);
  refused({ servers: [good, { id: "a/b", url: server.url }] }, /id/);
  refused({ servers: [good], cloud: [{ vendor: "openai", url: "http://example.com" }] }, /https/);
  refused({ servers: [good], cloud: [{ url: "https://example.com" }] }, /secret/);
  refused({ servers: [good], cloud: [{ secret: "K" }] }, /url/);
  const nobody = { vendor: "opnai" as "openai" };
  refused({ servers: [good], cloud: [nobody] }, /"compute\.cloud\[0\]\.vendor": .*"openai"/);
  refused({ servers: [{ ...good, port: 1 } as typeof good] }, /port/);
  refused({ servers: [good], discovery: true } as Partial<ComputeProvidersOptions>, /discovery/);
  deepEqual(server.asked, []);
});
