/** The model server that other tests rely on: its engine says what its weights hold, and stops when its client leaves. */
import { deepEqual, equal, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { GREETING, type Llama, MISSING_LLAMA, startLlama } from "./server.ts";

const test = needs(MISSING_LLAMA);
const HELLO = [{ role: "user", content: "Hello?" }];
const TOOLS = [{ type: "function", function: { name: "read", parameters: { type: "object" } } }];

async function ask(llama: Llama, path: string, body: unknown, signal?: AbortSignal) {
  return await fetch(`${llama.url}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function chat(llama: Llama, more: Record<string, unknown>) {
  const response = await ask(llama, "chat/completions", {
    model: llama.model,
    messages: HELLO,
    ...more,
  });
  equal(response.status, 200);
  return await response.json();
}

/** The data of a stream's events. */
async function events(response: Response): Promise<string[]> {
  const text = await response.text();
  return text.split("\n\n").filter((event) => event !== "").map((event) => event.slice(6));
}

test("a model says what its weights hold, and its tokens are counted", async () => {
  await using llama = await startLlama();
  const { choices, usage } = await chat(llama, {});
  equal(choices[0].message.content, GREETING);
  equal(choices[0].finish_reason, "stop");
  ok(usage.prompt_tokens > 0 && usage.completion_tokens > 1);
  const cut = await chat(llama, { max_tokens: 2 });
  deepEqual([cut.usage.completion_tokens, cut.choices[0].finish_reason], [2, "length"]);
});

test("a stream brings the same words one by one, then why it ended and its usage", async () => {
  await using llama = await startLlama();
  const all = await events(
    await ask(llama, "chat/completions", {
      model: llama.model,
      messages: HELLO,
      stream: true,
      stream_options: { include_usage: true },
    }),
  );
  equal(all.pop(), "[DONE]");
  const chunks = all.map((event) => JSON.parse(event));
  const words = chunks.map(({ choices }) => choices[0]?.delta.content).filter(Boolean);
  equal(words.join(""), GREETING);
  ok(words.length > 3);
  ok(chunks.at(-1).usage.completion_tokens > 1);
  equal(chunks.at(-2).choices[0].finish_reason, "stop");
});

test("replies come in turn within one question, calls only for who has tools", async () => {
  const call = { name: "read", arguments: { path: "/goals/1" } };
  await using llama = await startLlama({ replies: [call, "Read it. Done."] });
  const first = await chat(llama, { tools: TOOLS });
  equal(first.choices[0].finish_reason, "tool_calls");
  const [asked] = first.choices[0].message.tool_calls;
  deepEqual(JSON.parse(asked.function.arguments), call.arguments);
  const result = { role: "tool", tool_call_id: asked.id, content: "a goal" };
  const messages = [...HELLO, first.choices[0].message, result];
  const second = await chat(llama, { tools: TOOLS, messages });
  equal(second.choices[0].message.content, "Read it. Done.");
  equal((await chat(llama, {})).choices[0].message.content, "Read it. Done.");
});

test("a client that leaves ends the generation, streamed or not", async () => {
  await using llama = await startLlama();
  for (const stream of [true, false]) {
    const leave = new AbortController();
    const body = { model: llama.endless, messages: HELLO, stream };
    const answer = ask(llama, "chat/completions", body, leave.signal).catch(() => undefined);
    await llama.generating();
    leave.abort();
    await llama.cancelled();
    await answer.then((response) => response?.body?.cancel()).catch(() => {});
  }
});

test("embeddings tell texts apart, and an unknown model is none", async () => {
  await using llama = await startLlama();
  const input = ["a goal", "a goal", "something else"];
  const { data } = await (await ask(llama, "embeddings", { model: llama.model, input })).json();
  const [a, b, c] = data.map((one: { embedding: number[] }) => JSON.stringify(one.embedding));
  equal(a, b);
  ok(a !== c);
  const none = await ask(llama, "chat/completions", { model: "gone", messages: HELLO });
  equal(none.status, 404);
  await none.body?.cancel();
});

test("an answer has the form that was asked for", async () => {
  await using llama = await startLlama();
  const schema = {
    type: "object",
    properties: { tool: { type: "string", enum: ["read_file", "list_dir"] } },
    required: ["tool"],
  };
  const response_format = { type: "json_schema", json_schema: { name: "t", strict: true, schema } };
  const { choices } = await chat(llama, { response_format, max_tokens: 200 });
  ok(schema.properties.tool.enum.includes(JSON.parse(choices[0].message.content).tool));
});

test("words that come again, and replies that begin alike, are said as they are", async () => {
  const replies = ["on", "on and on and on", "the the the cat.", "the the", '{}\nÄ "ö" 漢字 🙂'];
  await using llama = await startLlama({ replies });
  const messages: unknown[] = [...HELLO];
  for (const reply of replies) {
    const { choices: [{ message }] } = await chat(llama, { messages });
    equal(message.content, reply);
    messages.push(message);
  }
});
