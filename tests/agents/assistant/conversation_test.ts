/** The conversation stays within its bound, and no call is ever without its result. */
import assert from "../../assert.ts";
import { kept, messagesFor, trim } from "../../../src/agents/assistant/conversation.ts";
import { bytesOf, cutText } from "../../../src/agents/common/text.ts";
import { type Memory, memorySchema, type Message } from "../../../src/agents/assistant/memory.ts";

const user = (content: string): Message => ({ role: "user", content });
const says = (content: string): Message => ({ role: "assistant", content });
const calls = (id: string, text = "{}"): Message => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id, type: "function", function: { name: "read", arguments: text } }],
});
const result = (id: string, content: string): Message => ({
  role: "tool",
  tool_call_id: id,
  content,
});
const memory = (...turns: Message[][]): Memory => ({ ...memorySchema.parse({}), turns });

Deno.test("the oldest turns are dropped whole, and as few as do", () => {
  const turns = ["a", "b", "c"].map((name) => [user(name.repeat(100)), says(name)]);
  const some = memory(...structuredClone(turns));
  trim(some, bytesOf(turns[1]) + bytesOf(turns[2]));
  assert.deepEqual(some.turns, turns.slice(1));
  assert.equal(some.dropped, 1);
  trim(some, 10_000);
  assert.equal(some.dropped, 1);
});

Deno.test("within the last turn calls go with their results, oldest first; the question and the last calls stay", () => {
  const turn = [
    user("do it"),
    calls("1"),
    result("1", "x".repeat(500)),
    calls("2"),
    result("2", "y".repeat(500)),
    calls("3"),
    result("3", "z".repeat(500)),
  ];
  const some = memory([user("before"), says("yes")], [...turn]);
  trim(some, 1_500);
  assert.deepEqual(some.turns, [[turn[0], ...turn.slice(3)]]);
  trim(some, 10);
  assert.deepEqual(some.turns, [[turn[0], ...turn.slice(5)]]);
  assert.equal(some.dropped, 3);
});

Deno.test("what was dropped is said to the model, and only then", () => {
  const some = memory([user("a"), says("b")]);
  assert.deepEqual(messagesFor(some, "S", false)[0], { role: "system", content: "S" });
  trim({ ...some, dropped: 0 }, 10_000);
  const [system] = messagesFor({ ...some, dropped: 1 }, "S", false);
  assert.match(system!.content!, /^S\n\n\(Earlier parts of this conversation were dropped/);
});

Deno.test("a model without tool calls sees none of them", () => {
  const some = memory([user("a"), calls("1"), result("1", "x"), says("b")], [user("c")]);
  assert.deepEqual(messagesFor(some, "S", true).slice(1), [user("a"), says("b"), user("c")]);
  assert.equal(messagesFor(some, "S", false).length, 6);
});

Deno.test("long text is cut where a character ends, and long arguments are not kept by halves", () => {
  assert.deepEqual(cutText("日本語", 7), { text: "日本", isCut: true });
  assert.deepEqual(cutText("日本語", 9), { text: "日本語", isCut: false });
  const cut = kept({ ...calls("1", JSON.stringify({ content: "x".repeat(500) })) }, 100);
  assert.deepEqual(JSON.parse(cut.tool_calls![0]!.function.arguments), {
    not_kept: "514 characters of arguments",
  });
  assert.deepEqual(kept(calls("1"), 100), calls("1"));
  assert.equal(
    kept(says("x".repeat(500)), 100).content!.split("\n")[1],
    "[cut: the rest is not kept]",
  );
});
