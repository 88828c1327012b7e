/** What people's programs do: an SDK, the real program, and behind it a real model on this machine. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";
import OpenAI from "openai";
import { equal, match, ok } from "../assert.ts";
import { GREETING, MISSING_LLAMA, startLlama } from "../llama/server.ts";
import { needs } from "../needs.ts";
import { inPlace, type Place, type Served } from "./server.ts";

const testWithModel = needs(MISSING_LLAMA);
const user = (content: string) => [{ role: "user" as const, content }];

/** A client as its user sets it up: a token in place of an API key. */
async function clientOf(place: Place, { url }: Served): Promise<OpenAI> {
  const made = await place.run(["token", "create", "--agent", "abc", "--can", "operate"]);
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: made.out.trim(), maxRetries: 0 });
}

async function said(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  const words = await Array.fromAsync(stream, ({ choices }) => choices[0]?.delta.content ?? "");
  return words.join("");
}

Deno.test("a client that knows nothing of agentd talks with an agent and with a model", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    const client = await clientOf(place, served);
    const models = await Array.fromAsync(client.models.list(), ({ id }) => id);
    ok(models.includes("agent:abc") && models.includes("echo"), models.join());
    const agent = await client.chat.completions.create({
      model: "agent:abc",
      messages: user("milk"),
    });
    equal(agent.choices[0]!.message.content, "milk");
    const model = await client.chat.completions.create({
      model: "echo",
      messages: user("word by word"),
      stream: true,
    });
    equal(await said(model), "word by word");
    const refused = await fetch(`${served.url}/v1/models`, {
      headers: { authorization: "Bearer nobody's" },
    });
    equal(refused.status, 401);
    equal((await refused.json()).error.code, "auth_required");
  });
});

testWithModel(
  "a real model by an agent's budget, and by an agent that asks it; who leaves stops it",
  async () => {
    await using llama = await startLlama();
    await inPlace(async (place) => {
      await Deno.mkdir(`${place.dir}/.agentd`, { recursive: true });
      const settings = { compute: { discover: false, servers: [{ id: "here", url: llama.url }] } };
      await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
      const served = await place.serve();
      const client = await clientOf(place, served);
      while (!(await Array.fromAsync(client.models.list())).some(({ id }) => id === llama.model)) {
        // The server is looked at in the background, soon after the start.
      }
      const whole = await client.chat.completions.create({
        model: llama.model,
        messages: user("hello"),
      });
      equal(whole.choices[0]!.message.content, GREETING);
      ok(whole.usage!.completion_tokens > 0);
      const stream = await client.chat.completions.create({
        model: `here/${llama.model}`,
        messages: user("hello"),
        stream: true,
      });
      equal(await said(stream), GREETING);
      const { data } = await client.embeddings.create({ model: llama.model, input: ["a", "b"] });
      equal(data.length, 2);
      ok(data[1]!.embedding.length > 1);

      const made = await place.run(["create", "helper", "assistant", "--model", llama.model]);
      equal(made.code, 0);
      const provider = createOpenAICompatible({ name: "agentd", baseURL: `${served.url}/v1` });
      const { text } = await generateText({ model: provider("agent:helper"), prompt: "hello" });
      match(text, new RegExp(`^${GREETING.replace(".", "\\.")}`));

      const gone = llama.cancelled();
      const endless = await client.chat.completions.create({
        model: llama.endless,
        messages: user("hello"),
        stream: true,
      });
      let words = 0;
      for await (const { choices } of endless) if (choices[0]?.delta.content && ++words > 3) break;
      await gone;
    });
  },
);
