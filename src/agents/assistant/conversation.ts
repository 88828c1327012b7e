/** The conversation, bounded: what goes to the model, and what is given up first when it grows too long. */
import type { ToolCall } from "../../core/compute.ts";
import { bytesOf, cutText } from "../common/text.ts";
import type { Memory, Message, Turn } from "./memory.ts";

/**
 * Gives up the oldest turns, whole, until the conversation fits; within the last one, the oldest calls together with their results, but never
 * the user's message nor the last calls. Counts in `dropped` what went.
 */
export function trim(memory: Memory, maxBytes: number): void {
  const sizes = memory.turns.map(bytesOf);
  let total = sizes.reduce((sum, size) => sum + size, 0);
  while (total > maxBytes && memory.turns.length > 1) {
    memory.turns.shift();
    total -= sizes.shift()!;
    memory.dropped++;
  }
  const last = memory.turns.at(-1);
  while (total > maxBytes && last) {
    const end = firstGroupEnd(last);
    if (end === undefined) return;
    const gone = last.splice(1, end - 1);
    total -= bytesOf(gone);
    memory.dropped++;
  }
}

/** Where the first answer of a turn and the results that belong to it end; undefined if nothing follows them. */
function firstGroupEnd(turn: Turn): number | undefined {
  const next = turn.findIndex(({ role }, i) => i > 1 && role === "assistant");
  return next < 0 ? undefined : next;
}

/** A message as it is kept: text and arguments of a bounded size. What was cut is said. */
export function kept(message: Message, maxBytes: number): Message {
  const { content, tool_calls } = message;
  return {
    ...message,
    content: content === null ? null : withMark(content, maxBytes),
    ...(tool_calls ? { tool_calls: tool_calls.map((call) => keptCall(call, maxBytes)) } : {}),
  };
}

function withMark(content: string, maxBytes: number): string {
  const { text, isCut } = cutText(content, maxBytes);
  return isCut ? `${text}\n[cut: the rest is not kept]` : text;
}

/** Half of some JSON is none, so that arguments are kept whole or not at all. */
function keptCall(call: KeptCall, maxBytes: number): KeptCall {
  const { length } = call.function.arguments;
  if (length <= maxBytes) return call;
  const text = JSON.stringify({ not_kept: `${length} characters of arguments` });
  return { ...call, function: { ...call.function, arguments: text } };
}
type KeptCall = NonNullable<Message["tool_calls"]>[number] & ToolCall;

/** All that a model call begins with. `isPlain`: for a model that knows no tool calls, of which then none are shown to it. */
export function messagesFor(memory: Memory, system: string, isPlain: boolean): Sent[] {
  const gone = memory.dropped === 0
    ? ""
    : "\n\n(Earlier parts of this conversation were dropped, as it has become too long.)";
  const messages = memory.turns.flat();
  return [
    { role: "system", content: system + gone },
    ...(isPlain ? messages.flatMap(withoutTools) : messages),
  ];
}
export type Sent = Message | { readonly role: "system"; readonly content: string };

function withoutTools({ role, content }: Message): Message[] {
  return role === "tool" || content === null ? [] : [{ role, content }];
}
