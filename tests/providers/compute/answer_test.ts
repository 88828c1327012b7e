/** Answers put together from parts, as different servers send them. */
import { deepEqual, equal, throws } from "../../assert.ts";
import { gatherer, outputOf, usageIn } from "../../../src/providers/compute/answer.ts";

const gathering = () => gatherer((index) => `made-${index}`);
const part = (delta: unknown, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const call = (id: string, name: string, args: string) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

Deno.test("calls of several tools are told apart by their index, in whatever order their parts come", () => {
  const parts = gathering();
  const calls = (...tool_calls: unknown[]) => parts.chat(part({ tool_calls }));
  calls({ index: 1, id: "b", function: { name: "write", arguments: "" } });
  calls({ index: 0, id: "a", function: { name: "read", arguments: "{" } });
  const delta = calls(
    { index: 1, function: { arguments: '{"x":1}' } },
    { index: 0, function: { arguments: "}" } },
  );
  equal(delta!.tool_calls!.length, 2);
  parts.chat(part({}, "tool_calls"));
  deepEqual(outputOf(parts.whole), {
    text: "",
    tool_calls: [call("a", "read", "{}"), call("b", "write", '{"x":1}')],
    finish_reason: "tool_calls",
  });
});

Deno.test("calls without an index are counted, and one without an id gets one", () => {
  const parts = gathering();
  parts.chat(part({
    tool_calls: [{ function: { name: "read", arguments: "{}" } }, {
      id: "b",
      function: { name: "write", arguments: null },
    }],
  }));
  deepEqual(parts.whole.tool_calls, [call("made-0", "read", "{}"), call("b", "write", "")]);
});

Deno.test("what is empty adds nothing, a refusal is text, and usage may come last, alone", () => {
  const parts = gathering();
  equal(parts.chat(part({ role: "assistant", content: "" })), undefined);
  equal(parts.chat(part({ content: null })), undefined);
  deepEqual(parts.chat(part({ refusal: "No." })), { content: "No." });
  parts.chat(part({}, "stop"));
  parts.chat({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 }, model: "m-2" });
  const { text, finish_reason, usage, model } = parts.whole;
  deepEqual([text, finish_reason, model], ["No.", "stop", "m-2"]);
  deepEqual(usage, { input_tokens: 1, output_tokens: 2, total_tokens: 3 });
});

Deno.test("a usage that cannot be is none", () => {
  for (const value of [null, {}, "x", { prompt_tokens: -1 }, { prompt_tokens: 1.5 }]) {
    equal(usageIn(value), undefined);
  }
});

Deno.test("a part that is none is refused", () => {
  for (const value of [5, null, { choices: "x" }, part({ content: 5 }), part("Hello")]) {
    throws(() => gathering().chat(value));
  }
});
