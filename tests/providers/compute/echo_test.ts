/** The echo: it says that it is no model, and does what a provider does. */
import { deepEqual, equal, match, rejects } from "../../assert.ts";
import { hasCode } from "../../../src/fs/error.ts";
import type { Json } from "../../../src/core/envelope.ts";
import { echoProvider } from "../../../src/providers/compute/echo.ts";
import { asked, textOf } from "./calling.ts";

const echo = echoProvider(() => 0);
const ask = (input: unknown, stream = true) =>
  asked(echo, { model: "echo", input: input as Json, stream });

Deno.test("it says that it is no model, and is taken only by name", () => {
  const { about, by_name_only, type } = echo.info();
  match(about, /no model/);
  deepEqual([by_name_only, type, echo.health().status], [true, "builtin", "up"]);
  deepEqual(echo.models()[0]!.price, { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 });
});

Deno.test("the last message of the user comes again, word by word, whatever white space it has", async () => {
  for (const text of ["one two  three", "  lines\n\tand  more \n", "word", "", "Ä 漢字 🙂"]) {
    const messages = [
      { role: "user", content: "before" },
      { role: "user", content: text },
      { role: "assistant", content: "later" },
    ];
    const call = ask({ messages, tools: [{ type: "function", function: { name: "f" } }] });
    const { output, usage } = await call.result;
    const words = text.split(/\s+/).filter(Boolean).length;
    deepEqual(output, { text, finish_reason: "stop" });
    equal(textOf(call.deltas), text);
    equal(call.deltas.length, words);
    deepEqual(usage, {
      input_tokens: words + 2,
      output_tokens: words,
      total_tokens: 2 * words + 2,
    });
  }
});

Deno.test("parts of a message are text, a prompt is answered too, and max_tokens are words", async () => {
  const content = [{ type: "text", text: "one " }, { type: "image_url" }, {
    type: "text",
    text: "two",
  }];
  const parts = ask({ messages: [{ role: "user", content }] }, false);
  deepEqual((await parts.result).output, { text: "one two", finish_reason: "stop" });
  deepEqual(parts.deltas, []);
  const prompt = asked(echo, {
    model: "echo",
    kind: "complete",
    input: { prompt: "a b c", max_tokens: 2 },
  });
  deepEqual((await prompt.result).output, { text: "a b", finish_reason: "length" });
});

Deno.test("other models, kinds and inputs are refused", async () => {
  const refused = (
    result: Promise<unknown>,
    code: "not_found" | "not_supported" | "invalid_request",
  ) => rejects(result, (error) => hasCode(error, code));
  await refused(asked(echo, { model: "gpt-5" }).result, "not_found");
  await refused(
    asked(echo, { model: "echo", kind: "embeddings", input: { text: "a" } }).result,
    "not_supported",
  );
  await refused(ask({ text: "a" }).result, "invalid_request");
});

Deno.test("it waits for its receiver, and stops when it is told to", async () => {
  const reason = new Error("enough");
  const call = asked(
    echo,
    { model: "echo", input: { messages: [{ role: "user", content: "one two three" }] } },
    async () => {
      await Promise.resolve();
      call.stop(reason);
    },
  );
  await rejects(call.result, (error) => error === reason);
  equal(call.deltas.length, 1);
});
