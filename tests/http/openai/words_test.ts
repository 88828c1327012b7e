/** An agent whose model speaks while it works: its words come through as they are said, and its reply is told once. */
import OpenAI from "openai";
import type { Agent } from "../../../src/core/agent.ts";
import type { CallResult, ChatInput } from "../../../src/core/compute.ts";
import { agentId } from "../../../src/core/id.ts";
import assert from "../../assert.ts";
import { says, type Script, scripted } from "../../services/compute/scripted.ts";
import { TOKEN } from "../served.ts";
import { inWorld, type World } from "./world.ts";

const HELPER = { id: agentId("helper"), agent: "assistant", config: { model: "m" } };

function client({ url }: World): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: TOKEN, maxRetries: 0 });
}

const asked = (model: string) => ({
  model,
  messages: [{ role: "user" as const, content: "hi" }],
});

/** All that is said, which is told as far as it has come. */
async function streamed(
  world: World,
  model: string,
  heard: (said: string) => void = () => {},
): Promise<string> {
  const chunks = await client(world).chat.completions.create({ ...asked(model), stream: true });
  let said = "";
  for await (const { choices } of chunks) {
    said += choices[0]?.delta.content ?? "";
    heard(said);
  }
  return said;
}

Deno.test("a word is passed on when it is said, before the agent has replied", async () => {
  const go = Promise.withResolvers<void>();
  const script: Script = async (_call, sink): Promise<CallResult> => {
    await sink.delta({ content: "first " });
    await go.promise;
    await sink.delta({ content: "second" });
    const output = { text: "first second", finish_reason: "stop" };
    return { output, usage: undefined, model: "m" };
  };
  await inWorld([], async (world) => {
    await world.runtime.create(HELPER);
    // The model goes on only when its first word has come: nothing is held back for the end.
    const said = await streamed(world, "agent:helper", (said) => said === "first " && go.resolve());
    assert.equal(said, "first second");
    const whole = await client(world).chat.completions.create(asked("agent:helper"));
    assert.equal(whole.choices[0]!.message.content, "first second");
  }, [scripted("p", { script })])();
});

Deno.test("what is said on the way stands apart from the answer, which alone is the whole one", async () => {
  const call = {
    id: "call_1",
    type: "function" as const,
    function: { name: "list", arguments: '{"path":"/"}' },
  };
  const script: Script = async (asked, sink, signal) => {
    const { messages } = asked.input as ChatInput;
    if (messages.at(-1)!.role === "tool") return await says("All done.")(asked, sink, signal);
    await sink.delta({ content: "Let me look." });
    const output = { text: "Let me look.", tool_calls: [call], finish_reason: "tool_calls" };
    return { output, usage: undefined, model: "m" };
  };
  const models = [{ id: "m", tools: true }];
  await inWorld([], async (world) => {
    await world.runtime.create(HELPER);
    assert.equal(await streamed(world, "agent:helper"), "Let me look.\n\nAll done.");
    const whole = await client(world).chat.completions.create(asked("agent:helper"));
    assert.equal(whole.choices[0]!.message.content, "All done.");
  }, [scripted("p", { script, models })])();
});

/** Asks a model for a word, makes something else of it, and replies with that. */
function judge(stream: boolean): Agent {
  return {
    name: "judge",
    async onTrigger(ctx, trigger) {
      if (trigger.type === "message") {
        const request = {
          model: "m",
          kind: "chat",
          input: { messages: [{ role: "user", content: trigger.text }] },
          stream,
        };
        await ctx.env.call("/compute/new", JSON.stringify(request));
        await ctx.kv.set("to", trigger.meta.envelope_id);
        return { pending: true };
      }
      // It takes its time, so that the model has been heard long before.
      if (trigger.type === "event") await ctx.alarm(1_000);
      if (trigger.type !== "alarm") return;
      const to = await ctx.kv.get("to");
      await ctx.reply("It is allowed.", { to: String(to) });
    },
  };
}

Deno.test("of a model that an agent did not ask for a stream, nothing is passed on", async () => {
  const script: Script = async ({ stream }, sink): Promise<CallResult> => {
    if (stream) await sink.delta({ content: "yes yes" });
    return { output: { text: "yes yes", finish_reason: "stop" }, usage: undefined, model: "m" };
  };
  const judges = { quiet: judge(false), loud: judge(true) };
  await inWorld(
    ["quiet", "loud"],
    async (world) => {
      const judged = async (agent: string) => {
        let over = false;
        const said = streamed(world, `agent:${agent}`).finally(() => over = true);
        while (!over) {
          // Whatever is under way gets its turn, and only then does time go on.
          for (let n = 0; n < 5; n++) await (await world.fetch("/healthz")).text();
          await world.backend.clock.advance(100);
        }
        return await said;
      };
      assert.equal(await judged("quiet"), "It is allowed.");
      assert.equal(await judged("loud"), "yes yes\n\nIt is allowed.");
    },
    [scripted("p", { script })],
    judges,
  )();
});

Deno.test("two who talk with one agent hear each their own", async () => {
  const script: Script = async (call, sink, signal) => {
    const { messages } = call.input as ChatInput;
    const { content } = messages.findLast(({ role }) => role === "user")!;
    return await says(`You said ${content}`)(call, sink, signal);
  };
  await inWorld([], async (world) => {
    await world.runtime.create(HELPER);
    const ask = async (content: string) => {
      const chunks = await client(world).chat.completions.create({
        model: "helper",
        messages: [{ role: "user", content }],
        stream: true,
      });
      const said = await Array.fromAsync(chunks, ({ choices }) => choices[0]?.delta.content ?? "");
      return said.join("");
    };
    const texts = ["one", "two", "three"];
    assert.deepEqual(await Promise.all(texts.map(ask)), texts.map((text) => `You said ${text}`));
  }, [scripted("p", { script })])();
});
