/** The answers of an OpenAI-compatible server: checked, and in the shapes of the house. */
import { z } from "zod";
import type { ComputeOutput, Delta, TokenUsage, ToolCall } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";

const count = z.int().nonnegative();
const usage = z.looseObject({
  prompt_tokens: count,
  completion_tokens: count.optional(),
  total_tokens: count.optional(),
});
const toolCallPart = z.looseObject({
  index: count.optional(),
  id: z.string().nullish(),
  function: z.looseObject({ name: z.string().nullish(), arguments: z.string().nullish() })
    .optional(),
});
type ToolCallPart = z.infer<typeof toolCallPart>;

const answered = {
  model: z.string().nullish(),
  usage: z.unknown().optional(),
};
const said = z.looseObject({
  content: z.string().nullish(),
  refusal: z.string().nullish(),
  tool_calls: z.array(toolCallPart).nullish(),
});

/** A whole chat answer. */
export const chatAnswer = z.looseObject({
  ...answered,
  choices: z.array(z.looseObject({ message: said, finish_reason: z.string().nullish() })).min(1),
});
/** A part of one. The last may have no choices, only usage. */
export const chatPart = z.looseObject({
  ...answered,
  choices: z.array(
    z.looseObject({ delta: said.nullish(), finish_reason: z.string().nullish() }),
  ).default([]),
});
/** The same for completions, whole or in part. */
export const completeAnswer = z.looseObject({
  ...answered,
  choices: z.array(
    z.looseObject({ text: z.string().nullish(), finish_reason: z.string().nullish() }),
  ).default([]),
});
export const embeddingsAnswer = z.looseObject({
  ...answered,
  data: z.array(z.looseObject({ index: count.optional(), embedding: z.array(z.number()) })),
});

/** Undefined where the server does not say, or says what cannot be. */
export function usageIn(value: unknown): TokenUsage | undefined {
  const { data } = usage.safeParse(value);
  if (data === undefined) return undefined;
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens = 0 } = data;
  const total_tokens = data.total_tokens ?? input_tokens + output_tokens;
  return { input_tokens, output_tokens, total_tokens };
}

export interface Gathered {
  readonly text: string;
  readonly finish_reason: string | undefined;
  readonly usage: TokenUsage | undefined;
  readonly model: string | undefined;
  readonly tool_calls: readonly ToolCall[];
}

/** Puts the parts of an answer together. */
export interface Gatherer {
  /** What a part adds; undefined if nothing that is shown. @throws z.ZodError */
  chat(part: unknown): Delta | undefined;
  complete(part: unknown): Delta | undefined;
  readonly whole: Gathered;
}

/** @param callId for a tool call without an id, by its number */
export function gatherer(callId: (index: number) => string): Gatherer {
  let text = "";
  let finish_reason: string | undefined;
  let model: string | undefined;
  let used: TokenUsage | undefined;
  const calls = new Map<number, { id: string; name: string; arguments: string }>();

  const heard = (part: { model?: string | null | undefined; usage?: unknown }) => {
    model ||= part.model ?? undefined;
    used = usageIn(part.usage) ?? used;
  };
  const add = (content: string | null | undefined): Delta | undefined => {
    if (!content) return undefined;
    text += content;
    return { content };
  };
  const addCall = (part: ToolCallPart, i: number) => {
    const index = part.index ?? i;
    const call = calls.get(index) ?? { id: "", name: "", arguments: "" };
    calls.set(index, call);
    call.id ||= part.id ?? "";
    call.name ||= part.function?.name ?? "";
    call.arguments += part.function?.arguments ?? "";
  };

  return {
    chat(value) {
      const part = chatPart.parse(value);
      heard(part);
      const [choice] = part.choices;
      finish_reason = choice?.finish_reason ?? finish_reason;
      const tool_calls = choice?.delta?.tool_calls;
      tool_calls?.forEach(addCall);
      const delta = add(choice?.delta?.content || choice?.delta?.refusal);
      return tool_calls?.length ? { ...delta, tool_calls: tool_calls as Json[] } : delta;
    },
    complete(value) {
      const part = completeAnswer.parse(value);
      heard(part);
      finish_reason = part.choices[0]?.finish_reason ?? finish_reason;
      return add(part.choices[0]?.text);
    },
    get whole() {
      const sorted = [...calls].sort(([a], [b]) => a - b);
      const tool_calls = sorted.map(([index, { id, name, arguments: args }]) => ({
        id: id || callId(index),
        type: "function" as const,
        function: { name, arguments: args },
      }));
      return { text, finish_reason, usage: used, model, tool_calls };
    },
  };
}

export function outputOf({ text, tool_calls, finish_reason = "stop" }: Gathered): ComputeOutput {
  return { text, ...(tool_calls.length === 0 ? {} : { tool_calls }), finish_reason };
}
