/** Agents as models, asked by two SDKs that people have. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import { readText, writeText } from "../../../src/fs/use.ts";
import { agentId } from "../../../src/core/id.ts";
import assert from "../../assert.ts";
import { TOKEN } from "../served.ts";
import { inWorld, VERSION, type World } from "./world.ts";

function openai({ url }: World, apiKey = TOKEN): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey });
}

const user = (content: string) => ({ role: "user" as const, content });

async function refusal(asked: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

Deno.test(
  "openai: an agent's reply is the assistant's message",
  inWorld(["echo", "counter"], async (world) => {
    const client = openai(world);
    const first = await client.chat.completions.create({
      model: "agent:counter",
      messages: [user("hello")],
    });
    assert.equal(first.object, "chat.completion");
    assert.match(first.id, /^chatcmpl-env_/);
    assert.equal(first.model, "agent:counter");
    assert.equal(first.created, Math.floor(world.backend.now() / 1000));
    assert.deepEqual(first.choices, [{
      index: 0,
      message: { role: "assistant", content: "1", refusal: null },
      finish_reason: "stop",
      logprobs: null,
    }]);
    // The whole conversation comes again, and the agent takes the last message alone.
    const second = await client.chat.completions.create({
      model: "counter",
      messages: [user("hello"), { role: "assistant", content: "1" }, user("again")],
    });
    assert.equal(second.choices[0]!.message.content, "2");
    const parts = await client.chat.completions.create({
      model: "agent:echo",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [{ type: "text", text: "two" }, { type: "text", text: "parts" }],
        },
      ],
    });
    assert.equal(parts.choices[0]!.message.content, "two\nparts");
  }),
);

Deno.test(
  "openai: a stream has the role, a chunk for each reply, and a reason why it ends",
  inWorld(["parts"], async (world) => {
    const stream = await openai(world).chat.completions.create({
      model: "agent:parts",
      messages: [user("one two three")],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.ok(
      chunks.every(({ id, object }) => id === chunks[0]!.id && object === "chat.completion.chunk"),
    );
    assert.deepEqual(
      chunks.map(({ choices }) => [choices[0]!.delta, choices[0]!.finish_reason]),
      [
        [{ role: "assistant", content: "" }, null],
        [{ content: "one" }, null],
        [{ content: "\ntwo" }, null],
        [{ content: "\nthree" }, null],
        [{}, "stop"],
      ],
    );
    const whole = await openai(world).chat.completions.create({
      model: "agent:parts",
      messages: [user("one two three")],
    });
    assert.equal(whole.choices[0]!.message.content, "one\ntwo\nthree");
  }),
);

Deno.test(
  "on the wire a stream is data lines that end with [DONE]",
  inWorld(["echo", "silent"], async (world) => {
    const ask = { messages: [user("hi")], stream: true };
    const answer = await world.fetch("/v1/chat/completions", { ...ask, model: "agent:echo" });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    const blocks = (await answer.text()).split("\n\n");
    assert.deepEqual(blocks.splice(-2), ["data: [DONE]", ""]);
    assert.ok(blocks.every((block) => JSON.parse(block.slice("data: ".length)).id));
    const none = await world.fetch("/v1/chat/completions", { ...ask, model: "agent:silent" });
    const text = await none.text();
    assert.match(text, /"finish_reason":"stop"/);
    assert.match(text, /data: \[DONE\]\n\n$/);
  }),
);

Deno.test(
  "ai sdk: an agent answers, whole and streamed",
  inWorld(["echo", "failing"], async (world) => {
    const provider = createOpenAICompatible({
      name: "agentd",
      baseURL: `${world.url}/v1`,
      apiKey: await world.token("send", ["echo"]),
    });
    const { text, finishReason } = await generateText({
      model: provider("echo"),
      prompt: "say this",
    });
    assert.deepEqual([text, finishReason], ["say this", "stop"]);
    const { textStream } = streamText({ model: provider("agent:echo"), prompt: "and this" });
    let streamed = "";
    for await (const piece of textStream) streamed += piece;
    assert.equal(streamed, "and this");
    const refused = await generateText({
      model: provider("agent:failing"),
      prompt: "x",
      maxRetries: 0,
    }).catch((error) => error);
    assert.equal(refused.statusCode, 403);
    assert.match(refused.message, /other agents/);
  }),
);

Deno.test(
  "completions: the prompt is the message",
  inWorld(["parts"], async (world) => {
    const client = openai(world);
    const whole = await client.completions.create({ model: "agent:parts", prompt: "go on" });
    assert.equal(whole.object, "text_completion");
    assert.match(whole.id, /^cmpl-env_/);
    assert.equal(whole.choices[0]!.text, "go\non");
    const stream = await client.completions.create({
      model: "parts",
      prompt: ["go on"],
      stream: true,
    });
    let text = "";
    for await (const { choices } of stream) text += choices[0]!.text;
    assert.equal(text, "go\non");
  }),
);

Deno.test(
  "an agent that wants it finds the conversation beside the message",
  inWorld(["reader"], async (world) => {
    const messages = [
      { role: "system" as const, content: "Be brief." },
      user("one"),
      { role: "assistant" as const, content: "1" },
      user("two"),
    ];
    const answer = await openai(world).chat.completions.create({
      model: "agent:reader",
      messages,
    });
    assert.deepEqual(JSON.parse(answer.choices[0]!.message.content!), { messages });
    // Of a long one, the last messages as far as there is room.
    const long = [user("a".repeat(200_000)), user("b".repeat(200_000)), user("c")];
    const cut = await openai(world).chat.completions.create({
      model: "agent:reader",
      messages: long,
    });
    assert.deepEqual(JSON.parse(cut.choices[0]!.message.content!), { messages: long.slice(1) });
  }),
);

Deno.test(
  "models are the agents that the caller may know of",
  inWorld(["echo", "counter"], async (world) => {
    const ids = async (key: string) => {
      const found = [];
      for await (const model of openai(world, key).models.list()) found.push(model);
      assert.ok(found.every(({ object, created }) => object === "model" && created >= 0));
      return found.map(({ id }) => id).filter((id) => id.startsWith("agent:"));
    };
    assert.deepEqual(await ids(TOKEN), ["agent:counter", "agent:echo"]);
    assert.deepEqual(await ids(await world.token("read", "*")), ["agent:counter", "agent:echo"]);
    const one = await world.token("send", ["echo"]);
    assert.deepEqual(await ids(one), ["agent:echo"]);
    const echo = await openai(world, one).models.retrieve("agent:echo");
    assert.deepEqual([echo.id, echo.owned_by], ["agent:echo", "agentd"]);
    for (const name of ["agent:counter", "agent:nobody", "nothing", "a/b"]) {
      const { status, code } = await refusal(openai(world, one).models.retrieve(name));
      assert.deepEqual([name, status, code], [name, 404, "not_found"]);
    }
  }),
);

Deno.test(
  "the same Idempotency-Key takes effect once and has one answer",
  inWorld(["counter"], async (world) => {
    const client = openai(world);
    const ask = (key: string) =>
      client.chat.completions.create(
        { model: "agent:counter", messages: [user("count")] },
        { headers: { "Idempotency-Key": key } },
      );
    const answers = [await ask("once"), await ask("once"), await ask("twice")];
    assert.deepEqual(
      answers.map(({ choices }) => choices[0]!.message.content),
      ["1", "1", "2"],
    );
    assert.equal(answers[0]!.id, "chatcmpl-once");
  }),
);

Deno.test(
  "rights are the token's: to read is not to ask, to send is to ask agents and models through them",
  inWorld(["echo", "counter"], async (world) => {
    const ask = (key: string, model: string) =>
      openai(world, key).chat.completions.create({ model, messages: [user("hi")] });
    const read = await refusal(ask(await world.token("read", "*"), "agent:echo"));
    assert.deepEqual([read.status, read.code, read.type], [
      403,
      "permission_denied",
      "permission_error",
    ]);
    const send = await world.token("send", ["echo"]);
    assert.equal((await ask(send, "agent:echo")).choices[0]!.message.content, "hi");
    assert.equal((await refusal(ask(send, "agent:counter"))).status, 403);
    const model = await refusal(ask(send, "gpt-5"));
    assert.notEqual(model.status, 403, "it may ask; there is no such model");
    const wrong = await refusal(ask("wrong", "agent:echo"));
    assert.deepEqual([wrong.status, wrong.code, wrong.type], [
      401,
      "auth_required",
      "authentication_error",
    ]);
    const { tick_count } = await world.runtime.info(agentId("echo"));
    assert.equal(tick_count, 1);
  }),
);

Deno.test(
  "errors have OpenAI's shape and our status, and say what to do",
  inWorld(["echo"], async (world) => {
    const ask = async (path: string, body?: unknown, headers?: Record<string, string>) => {
      const answer = await world.fetch(path, body, headers);
      assert.equal(answer.headers.get("content-type"), "application/json");
      assert.equal(answer.headers.get("x-agentd"), VERSION);
      const { error } = await answer.json();
      return [answer.status, error.code, error.type, error.param, error.message] as const;
    };
    const chat = "/v1/chat/completions";
    const messages = [user("hi")];
    const model = "agent:echo";
    const [status, code, type, param, message] = await ask(chat, { model: "gpt-5", messages });
    assert.deepEqual([status, code, type, param], [
      400,
      "invalid_request",
      "invalid_request_error",
      "model",
    ]);
    assert.match(message, /X-Agentd-Agent/);
    assert.match(message, /"<agent>\/gpt-5"/);
    const wrong: [object, string][] = [
      [{ messages }, "model"],
      [{ model }, "messages"],
      [{ model, messages: [] }, "messages"],
      [{ model, messages: [{ role: "user", content: 5 }] }, "messages.0.content"],
      [{ model, messages: [{ role: "system", content: "x" }] }, "messages"],
      [{ model, messages, n: 2 }, "n"],
      [{ model, messages, tool_choice: "required" }, "tool_choice"],
      [{ model, messages, response_format: { type: "json_object" } }, "response_format"],
      [{
        model,
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }],
      }, "messages"],
    ];
    for (const [body, field] of wrong) {
      const [status, code, , param] = await ask(chat, body);
      assert.deepEqual([status, code, param], [400, "invalid_request", field]);
    }
    assert.equal((await ask(chat, { model: "agent:nobody", messages }))[0], 404);
    assert.equal((await ask("/v1/responses", {}))[0], 404);
    assert.equal((await ask(chat))[0], 405);
    assert.equal((await ask("/v1/embeddings", { model, input: "x" }))[0], 400);
    const far = await ask(chat, { model, messages }, { origin: "http://elsewhere" });
    assert.deepEqual(far.slice(0, 3), [403, "permission_denied", "permission_error"]);
    const { tick_count } = await world.runtime.info(agentId("echo"));
    assert.equal(tick_count, 0, "what was refused was not sent");
  }),
);

Deno.test(
  "every answer says that it is agentd's, whatever was asked",
  inWorld([], async (world) => {
    for (const path of ["/", "/healthz", "/v1/models", "/v1", "/nothing", "/agents/a/../b"]) {
      const answer = await world.fetch(path);
      await answer.body?.cancel();
      assert.equal(answer.headers.get("x-agentd"), VERSION, path);
    }
  }),
);

Deno.test(
  "an agent that is stopped is not written to",
  inWorld(["echo"], async (world) => {
    const echo = agentId("echo");
    const files = await world.runtime.files(echo, { viewer: "operator", name: "operator" });
    await writeText(files, "/ctl", "pause");
    const refused = await refusal(
      openai(world).chat.completions.create({ model: "agent:echo", messages: [user("hi")] }),
    );
    assert.deepEqual([refused.status, refused.code], [409, "not_ready"]);
    assert.match(refused.message, /POST \/agents\/echo\/resume/);
    assert.equal((await world.runtime.info(echo)).queue_depth, 0);
    await writeText(files, "/ctl", "resume");
    assert.match(await readText(files, "/status"), /"state":"(?:active|dormant)"/);
  }),
);

Deno.test(
  "an agent that fails is an error with its words, which clients do not send again",
  inWorld(["failing"], async (world) => {
    let asked = 0;
    const client = new OpenAI({
      baseURL: `${world.url}/v1`,
      apiKey: TOKEN,
      fetch: (url, init) => {
        asked++;
        return fetch(url, init);
      },
    });
    let over = false;
    const failed = refusal(
      client.chat.completions.create({ model: "agent:failing", messages: [user("hi")] }),
    ).finally(() => over = true);
    while (!over) {
      await world.backend.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
    const { status, code, message } = await failed;
    assert.deepEqual([status, code], [500, "agent_error"]);
    assert.match(message, /failing failed: .*it cannot do this/);
    assert.equal(asked, 1);
  }),
);

Deno.test(
  "an agent that does not answer in time is a timeout, and its message stays",
  inWorld(["counter"], async (world) => {
    let over = false;
    const late = world.fetch("/v1/chat/completions?wait=3", {
      model: "agent:counter",
      messages: [user("later 60000")],
    }).finally(() => over = true);
    while (!over) {
      await world.backend.clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve));
    }
    const answer = await late;
    assert.equal(answer.status, 504);
    assert.equal(answer.headers.get("x-should-retry"), "false");
    const { error } = await answer.json();
    assert.equal(error.code, "timeout");
    assert.match(error.message, /within 3 s.*\/agents\/counter\/outbox/);
    assert.equal((await world.runtime.info(agentId("counter"))).tick_count, 1);
  }),
);

Deno.test(
  "a stream that waits shows that it lives, and tells what goes wrong in its midst",
  inWorld(["counter"], async (world) => {
    const asked = world.fetch("/v1/chat/completions?wait=60", {
      model: "agent:counter",
      messages: [user("later 600000")],
      stream: true,
    });
    let answer: Response | undefined;
    asked.then((there) => answer = there);
    while (!answer) {
      await world.backend.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.equal(answer.status, 200);
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let over = false;
    const read = (async () => {
      for (let got = await reader.read(); !got.done; got = await reader.read()) text += got.value;
    })().finally(() => over = true);
    while (!over) {
      await world.backend.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await read;
    assert.match(text, /^:\n\n/);
    const last = text.trimEnd().split("\n\n").at(-1)!;
    assert.equal(JSON.parse(last.slice("data: ".length)).error.code, "timeout");
  }),
);
