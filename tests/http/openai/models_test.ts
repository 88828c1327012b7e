/** Models by the `/compute` of an agent, which pays for them, asked by two SDKs that people have. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, streamText } from "ai";
import OpenAI from "openai";
import type { CallResult, ChatInput, ModelCall } from "../../../src/core/compute.ts";
import { agentId } from "../../../src/core/id.ts";
import { FileError } from "../../../src/fs/error.ts";
import { MAX_MODELS } from "../../../src/http/openai/models.ts";
import { entries, readJson, writeJson } from "../../../src/fs/use.ts";
import assert from "../../assert.ts";
import {
  ONE,
  says,
  type Script,
  scripted,
  untilAborted,
  used,
} from "../../services/compute/scripted.ts";
import { TOKEN } from "../served.ts";
import { inWorld, type World } from "./world.ts";

const user = (content: string) => ({ role: "user" as const, content });
const ask = { model: "m", messages: [user("hi")] };
const PAYER = { "x-agentd-agent": "echo" };

/** A client whose token is for this agent alone. */
async function clientOf(world: World, agent = "echo", maxRetries = 0): Promise<OpenAI> {
  const apiKey = await world.token("operate", [agent]);
  return new OpenAI({ baseURL: `${world.url}/v1`, apiKey, maxRetries });
}

async function filesOf({ runtime }: World, agent = "echo") {
  return await runtime.files(agentId(agent), { viewer: "operator", name: "operator" });
}

async function refusal(asked: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** The statuses of the agent's jobs, the oldest first. */
async function statuses(world: World): Promise<string[]> {
  const files = await filesOf(world);
  const found: string[] = [];
  for await (const { name } of entries(files, "/compute/jobs")) {
    found.push((await readJson<{ status: string }>(files, `/compute/jobs/${name}/status`)).status);
  }
  return found;
}

Deno.test("openai: a plain model is called by the token's agent, whole and streamed", async () => {
  const provider = scripted("p", { script: says("hello there", used(7, 2)) });
  await inWorld(["echo", "counter"], async (world) => {
    const client = await clientOf(world);
    const whole = await client.chat.completions.create(ask);
    assert.match(whole.id, /^chatcmpl-./);
    assert.equal(whole.model, "m");
    assert.deepEqual(whole.choices, [{
      index: 0,
      message: { role: "assistant", content: "hello there", refusal: null },
      finish_reason: "stop",
      logprobs: null,
    }]);
    assert.deepEqual(whole.usage as unknown, {
      prompt_tokens: 7,
      completion_tokens: 2,
      total_tokens: 9,
      cost_micro_usd: 0,
    });
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.deepEqual(
      chunks.map(({ choices: [choice], usage }) => [choice?.delta, choice?.finish_reason, usage]),
      [
        [{ role: "assistant", content: "" }, null, null],
        [{ content: "hello " }, null, null],
        [{ content: "there" }, null, null],
        [{}, "stop", null],
        [undefined, undefined, whole.usage],
      ],
    );
    assert.deepEqual(provider.calls.map(({ stream }) => stream), [false, true]);
    assert.deepEqual(await statuses(world), ["complete", "complete"]);
    // The agent has paid, and has been told nothing.
    const { tick_count, queue_depth } = await world.runtime.info(agentId("echo"));
    assert.deepEqual([tick_count, queue_depth], [0, 0]);
    assert.deepEqual(
      await Array.fromAsync(entries(await filesOf(world, "counter"), "/compute/jobs")),
      [],
    );
  }, [provider])();
});

Deno.test("ai sdk: a plain model, whole and streamed, and embeddings", async () => {
  const script: Script = async (call, sink, signal) =>
    call.kind === "embeddings"
      ? { output: { embeddings: [[0.5, -1], [0.25, 2]] }, usage: used(4, 0), model: "m" }
      : await says("so it is", used(3, 3))(call, sink, signal);
  await inWorld(["echo"], async (world) => {
    const provider = createOpenAICompatible({
      name: "agentd",
      baseURL: `${world.url}/v1`,
      apiKey: TOKEN,
      headers: PAYER,
      includeUsage: true,
    });
    const { text, usage } = await generateText({ model: provider("m"), prompt: "is it?" });
    assert.deepEqual([text, usage.inputTokens, usage.outputTokens], ["so it is", 3, 3]);
    const streamed = streamText({ model: provider("m"), prompt: "is it?" });
    const pieces = await Array.fromAsync(streamed.textStream);
    assert.equal(pieces.join(""), "so it is");
    assert.ok(pieces.length > 1);
    assert.equal((await streamed.usage).totalTokens, 6);
    const { embeddings } = await embedMany({
      model: provider.embeddingModel("m"),
      values: ["one", "two"],
    });
    assert.deepEqual(embeddings, [[0.5, -1], [0.25, 2]]);
  }, [scripted("p", { script })])();
});

Deno.test("what is said of an answer goes to the model, and what is said to the door does not", async () => {
  const provider = scripted("p", { models: [{ id: "m", price: ONE, max_output_tokens: 100 }] });
  await inWorld(["echo"], async (world) => {
    const policy = { "/compute": { per_day_micro_usd: 100_000 } };
    await writeJson(await filesOf(world), "/budget/policy", policy);
    const answer = await world.fetch("/v1/chat/completions", {
      ...ask,
      max_completion_tokens: 50,
      temperature: null,
      top_p: 0.5,
      seed: 7,
      stream: false,
      stream_options: null,
      n: 1,
      max_cost_micro_usd: 9_000,
      timeout_ms: 5_000,
    }, PAYER);
    assert.equal((await answer.json()).object, "chat.completion");
    const { input, max_cost_micro_usd } = provider.calls[0]!;
    assert.deepEqual(input, { messages: [user("hi")], max_tokens: 50, top_p: 0.5, seed: 7 });
    assert.equal(max_cost_micro_usd, 9_000);
    await (await clientOf(world)).completions.create({
      model: "m",
      prompt: "go on",
      max_tokens: 3,
    });
    const { kind, input: second } = provider.calls[1]!;
    assert.deepEqual([kind, second], ["complete", { prompt: "go on", max_tokens: 3 }]);
  }, [provider])();
});

Deno.test(
  "who pays is the token's agent, or the one that is named; else the request is refused",
  inWorld(["echo", "counter"], async (world) => {
    const payer = async (model: string, headers: Record<string, string> = {}, token = TOKEN) => {
      const answer = await world.fetch("/v1/chat/completions", { ...ask, model }, {
        authorization: `Bearer ${token}`,
        ...headers,
      });
      const { agentd, error } = await answer.json();
      if (error) return `${answer.status} ${error.code}`;
      if (!agentd.job_id) return "an agent's reply";
      for (const agent of ["echo", "counter"]) {
        const jobs = await Array.fromAsync(entries(await filesOf(world, agent), "/compute/jobs"));
        if (jobs.some(({ name }) => name === agentd.job_id)) return agent;
      }
    };
    assert.equal(await payer("m", { "X-Agentd-Agent": "counter" }), "counter");
    assert.equal(await payer("counter/m"), "counter");
    assert.equal(await payer("counter/p/m"), "counter");
    assert.equal(await payer("p/m", { "X-Agentd-Agent": "echo" }), "echo");
    assert.equal(await payer("m"), "400 invalid_request");
    assert.equal(await payer("p/m"), "400 invalid_request");
    assert.equal(await payer("m", { "X-Agentd-Agent": "nobody" }), "404 not_found");
    assert.equal(await payer("m", { "X-Agentd-Agent": "No Body" }), "400 invalid_request");
    assert.equal(await payer("none", PAYER), "404 not_found");
    const one = await world.token("operate", ["echo"]);
    assert.equal(await payer("m", {}, one), "echo");
    assert.equal(await payer("echo/m", {}, one), "echo");
    assert.equal(await payer("m", { "X-Agentd-Agent": "counter" }, one), "403 permission_denied");
    const both = await world.token("operate", ["echo", "counter"]);
    assert.equal(await payer("m", {}, both), "400 invalid_request");
    assert.equal(await payer("counter/m", {}, both), "counter");
    assert.equal(await payer("m", {}, await world.token("send", ["echo"])), "echo");
    assert.equal(
      await payer("m", {}, await world.token("read", ["echo"])),
      "403 permission_denied",
    );
  }, [scripted("p")]),
);

Deno.test(
  "a name is a model's before it is an agent's, for whom a model of that name is offered",
  inWorld(["echo", "counter"], async (world) => {
    const answer = async (model: string, headers: Record<string, string> = {}) => {
      const said = await world.fetch("/v1/chat/completions", { ...ask, model }, headers);
      return (await said.json()).choices[0].message.content;
    };
    assert.equal(await answer("echo", PAYER), "from the model");
    assert.equal(await answer("agent:echo", PAYER), "hi");
    assert.equal(await answer("counter", PAYER), "1");
    assert.equal(await answer("echo/echo", PAYER), "from the model");
    // Whom no single agent pays for is offered models under their payers' names alone.
    assert.equal(await answer("echo"), "hi");
    assert.equal(await answer("echo/echo"), "from the model");
  }, [scripted("echo", { models: [{ id: "echo" }], script: says("from the model") })]),
);

Deno.test(
  "models are listed plain for one payer, and for several under each one's name",
  inWorld(["echo", "counter"], async (world) => {
    const ids = async (client: OpenAI) =>
      (await Array.fromAsync(client.models.list())).map(({ id, owned_by }) => `${id} ${owned_by}`);
    const agents = ["agent:counter agentd", "agent:echo agentd"];
    const one = await clientOf(world);
    assert.deepEqual(await ids(one), ["agent:echo agentd", "m p", "org/n p"]);
    const all = new OpenAI({ baseURL: `${world.url}/v1`, apiKey: TOKEN });
    assert.deepEqual(await ids(all), [
      ...agents,
      "counter/m p",
      "counter/org/n p",
      "echo/m p",
      "echo/org/n p",
    ]);
    const named = new OpenAI({
      baseURL: `${world.url}/v1`,
      apiKey: TOKEN,
      defaultHeaders: PAYER,
    });
    assert.deepEqual(await ids(named), [...agents, "m p", "org/n p"]);
    // Who may not call them is not offered any.
    const reader = new OpenAI({
      baseURL: `${world.url}/v1`,
      apiKey: await world.token("read", "*"),
    });
    assert.deepEqual(await ids(reader), agents);
    // The slash of a name may be escaped, as this client does, or not.
    assert.equal((await one.models.retrieve("org/n")).id, "org/n");
    assert.equal((await all.models.retrieve("echo/org/n")).id, "echo/org/n");
    const plain = await world.fetch("/v1/models/counter/org/n");
    assert.equal((await plain.json()).id, "counter/org/n");
    assert.equal((await refusal(one.models.retrieve("none"))).status, 404);
  }, [scripted("p", { models: [{ id: "m" }, { id: "org/n" }] })]),
);

Deno.test("a list of models has an end, and what is behind it can be asked all the same", async () => {
  const models = Array.from({ length: MAX_MODELS + 1 }, (_, n) => ({ id: `m${n}` }));
  await inWorld(["echo"], async (world) => {
    const client = await clientOf(world);
    assert.equal((await Array.fromAsync(client.models.list())).length, MAX_MODELS);
    const answer = await client.chat.completions.create({ ...ask, model: `m${MAX_MODELS}` });
    assert.equal(answer.choices[0]!.message.content, "hello there");
  }, [scripted("p", { models })])();
});

Deno.test("a budget protects a client: what it does not allow is 402, and nobody is asked", async () => {
  const provider = scripted("p", {
    models: [{ id: "m", price: ONE, max_output_tokens: 100 }],
    script: says("hello", used(7, 2)),
  });
  await inWorld(["echo"], async (world) => {
    const client = await clientOf(world, "echo", 2);
    for (const stream of [false, true]) {
      const none = await refusal(client.chat.completions.create({ ...ask, stream }));
      assert.deepEqual([none.status, none.code, none.type], [
        402,
        "budget_exceeded",
        "insufficient_quota",
      ]);
    }
    assert.deepEqual(provider.calls, []);
    const files = await filesOf(world);
    await writeJson(files, "/budget/policy", { "/compute": { per_day_micro_usd: 10_000 } });
    const whole = await client.chat.completions.create(ask);
    assert.equal((whole.usage as unknown as { cost_micro_usd: number }).cost_micro_usd, 9);
    const { day } = await readJson<{ day: { spent_micro_usd: number } }>(files, "/compute/usage");
    assert.equal(day.spent_micro_usd, 9);
    const little = await refusal(
      client.chat.completions.create({ ...ask, max_cost_micro_usd: 1 } as typeof ask),
    );
    assert.ok(little.status !== undefined && little.status >= 400);
  }, [provider])();
});

Deno.test("calls of tools come whole, and in pieces", async () => {
  const call = {
    id: "call_1",
    type: "function" as const,
    function: { name: "add", arguments: '{"a":1}' },
  };
  const script: Script = async ({ stream }, sink) => {
    if (stream) {
      await sink.delta({
        tool_calls: [{ index: 0, ...call, function: { name: "add", arguments: "" } }],
      });
      await sink.delta({ tool_calls: [{ index: 0, function: { arguments: '{"a":1}' } }] });
    }
    const output = { text: "", tool_calls: [call], finish_reason: "tool_calls" };
    return { output, usage: undefined, model: "m" };
  };
  const provider = scripted("p", { script });
  await inWorld(["echo"], async (world) => {
    const client = await clientOf(world);
    const tools = [{
      type: "function" as const,
      function: { name: "add", parameters: { type: "object" } },
    }];
    const whole = await client.chat.completions.create({ ...ask, tools });
    const [choice] = whole.choices;
    assert.deepEqual(choice!.message.tool_calls, [call]);
    assert.deepEqual([choice!.message.content, choice!.finish_reason], [null, "tool_calls"]);
    assert.equal(whole.usage, undefined);
    const runner = client.chat.completions.stream({ ...ask, tools });
    const { choices: [streamed] } = await runner.finalChatCompletion();
    assert.deepEqual(
      streamed!.message.tool_calls?.map((it) =>
        it.type === "function" ? [it.id, it.function.name, it.function.arguments] : []
      ),
      [["call_1", "add", '{"a":1}']],
    );
    assert.deepEqual((provider.calls[0]!.input as ChatInput).tools, tools);
  }, [provider])();
});

/** A model that says a word and then waits for its end. */
function waiting(first = "well ") {
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const script: Script = async (call, sink, signal): Promise<CallResult> => {
    if (call.stream) await sink.delta({ content: first });
    asked.resolve();
    await Promise.race([untilAborted(signal), go.promise]).finally(ended.resolve);
    return { output: { text: first, finish_reason: "stop" }, usage: undefined, model: "m" };
  };
  return { script, asked: asked.promise, ended: ended.promise, go: go.resolve };
}

Deno.test("a client that leaves stops the model, streamed or not", async () => {
  const ways: ((world: World, signal: AbortSignal) => Promise<unknown>)[] = [
    async (world, signal) => {
      const client = await clientOf(world);
      const chunks = await client.chat.completions.create({ ...ask, stream: true }, { signal });
      await Array.fromAsync(chunks);
    },
    // A small request: of one that comes in more than one piece, Deno 2.9 tells no more whether its client has left.
    (world, signal) =>
      fetch(`${world.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, ...PAYER },
        body: JSON.stringify(ask),
        signal,
      }),
  ];
  for (const way of ways) {
    const model = waiting();
    await inWorld(["echo"], async (world) => {
      const life = new AbortController();
      const left = way(world, life.signal).catch(() => {});
      await model.asked;
      life.abort();
      await left;
      await model.ended;
      while ((await statuses(world))[0] !== "cancelled") await new Promise((r) => setTimeout(r));
    }, [scripted("p", { script: model.script })])();
  }
});

Deno.test("a client that named its request may leave, and come back for the answer", async () => {
  const model = waiting();
  const provider = scripted("p", { script: model.script });
  await inWorld(["echo"], async (world) => {
    const client = await clientOf(world);
    const headers = { "Idempotency-Key": "mine" };
    const asked = async (content = "hi", signal?: AbortSignal) => {
      const messages = [user(content)];
      const chunks = await client.chat.completions.create(
        { model: "m", messages, stream: true },
        { headers, ...(signal ? { signal } : {}) },
      );
      return await Array.fromAsync(chunks, ({ choices }) => choices[0]?.delta.content ?? "");
    };
    const life = new AbortController();
    const left = asked("hi", life.signal).catch(() => {});
    await model.asked;
    life.abort();
    await left;
    // A request of its own behind it, so that the server has seen that the first one is gone.
    await (await world.fetch("/v1/models")).body?.cancel();
    model.go();
    assert.equal((await asked()).join(""), "well ");
    assert.equal((await asked()).join(""), "well ");
    assert.equal(provider.calls.length, 1);
    const other = await refusal(asked("something else"));
    assert.deepEqual([other.status, other.code], [409, "conflict"]);
  }, [provider])();
});

Deno.test("what fails before the first word has its status, and afterwards is an event", async () => {
  const failures: [FileError, number, string | null][] = [
    [refused("invalid_request", "no such thing"), 400, "false"],
    [refused("auth_required", "the key is wrong"), 401, "false"],
    [refused("rate_limited", "slowly", { retry_after_ms: 7_000 }), 429, null],
    [refused("provider_unavailable", "it died"), 503, null],
    [refused("timeout", "nothing came"), 504, "false"],
  ];
  const provider = scripted("p");
  await inWorld(["echo"], async (world) => {
    for (const [error, status, retry] of failures) {
      provider.script = () => Promise.reject(error);
      for (const stream of [false, true]) {
        const answer = world.fetch("/v1/chat/completions", { ...ask, stream }, PAYER);
        const told = await settled(world, answer);
        assert.deepEqual([told.status, told.headers.get("x-should-retry")], [status, retry]);
        if (status === 429) assert.ok(Number(told.headers.get("retry-after")) >= 1);
        const body = await told.json();
        assert.equal(body.error.code, error.code);
        assert.match(body.error.message, new RegExp(error.detail!));
      }
    }
    provider.script = async (_call: ModelCall, sink) => {
      await sink.delta({ content: "half" });
      throw refused("provider_unavailable", "it died in the midst");
    };
    const client = await clientOf(world);
    const chunks = await client.chat.completions.create({ ...ask, stream: true });
    let text = "";
    const error = await refusal((async () => {
      for await (const { choices } of chunks) text += choices[0]?.delta.content ?? "";
    })());
    assert.equal(text, "half");
    assert.equal(error.code, "provider_unavailable");
    assert.match(error.message, /it died in the midst/);
  }, [provider])();
});

function refused(
  code: FileError["code"],
  detail: string,
  extra: Record<string, number> = {},
): FileError {
  return new FileError(code, "ask", "m", { detail, extra });
}

/** The answer, as the runtime's clock goes on. */
async function settled(world: World, answer: Promise<Response>): Promise<Response> {
  let over = false;
  answer.finally(() => over = true).catch(() => {});
  while (!over) {
    await world.backend.clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return await answer;
}

Deno.test("embeddings are floats, or the base64 that openai's client asks for by itself", async () => {
  const script: Script = (call) => {
    const { text, texts = [text] } = call.input as { text?: string; texts?: string[] };
    const embeddings = texts.map((text) => [text!.length, 0.5]);
    return Promise.resolve({ output: { embeddings }, usage: used(5, 0), model: "m" });
  };
  await inWorld(["echo"], async (world) => {
    const client = await clientOf(world);
    const one = await client.embeddings.create({ model: "m", input: "four" });
    assert.deepEqual(one.data, [{ object: "embedding", index: 0, embedding: [4, 0.5] }]);
    const two = await client.embeddings.create({
      model: "m",
      input: ["a", "bc"],
      encoding_format: "float",
    });
    assert.deepEqual(two.data.map(({ embedding }) => embedding), [[1, 0.5], [2, 0.5]]);
    assert.equal(two.usage.prompt_tokens, 5);
    const raw = await world.fetch("/v1/embeddings", {
      model: "m",
      input: "four",
      encoding_format: "base64",
    }, PAYER);
    const { data } = await raw.json();
    assert.equal(data[0].embedding, "AACAQAAAAD8=");
  }, [scripted("p", { script })])();
});

Deno.test("a server that stops tells who waits", async () => {
  const model = waiting();
  await inWorld(["echo"], async (world) => {
    const stream = await (await clientOf(world)).chat.completions.create({ ...ask, stream: true });
    await model.asked;
    world.stop();
    const error = await refusal(Array.fromAsync(stream));
    assert.equal(error.code, "interrupted");
    model.go();
    await model.ended;
  }, [scripted("p", { script: model.script })])();
});
