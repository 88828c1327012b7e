/** Answers in OpenAI's shapes: whole, or in chunks as they come. */
import type { Delta } from "../../core/compute.ts";
import { ended, type Outcome, type Run } from "./run.ts";
import { sseData } from "./stream.ts";

export interface Told {
  /** The model as it was asked for. */
  readonly model: string;
  /** Seconds since 1970. */
  readonly created: number;
}

/** What of an answer differs between the two kinds of completions. */
export interface Form {
  readonly idPrefix: string;
  readonly whole: string;
  readonly chunk: string;
  choice(outcome: Outcome): unknown;
  /** The choice of a chunk; undefined: the first one, which has nothing in it. */
  part(delta: Delta | undefined): unknown;
}

export const CHAT_FORM: Form = {
  idPrefix: "chatcmpl-",
  whole: "chat.completion",
  chunk: "chat.completion.chunk",
  choice: ({ text, tool_calls }) => ({
    message: {
      role: "assistant",
      content: text === "" && tool_calls ? null : text,
      refusal: null,
      ...(tool_calls ? { tool_calls } : {}),
    },
  }),
  part: (delta) => ({ delta: delta ?? { role: "assistant", content: "" } }),
};

export const TEXT_FORM: Form = {
  idPrefix: "cmpl-",
  whole: "text_completion",
  chunk: "text_completion",
  choice: ({ text }) => ({ text }),
  part: (delta) => ({ text: delta?.content ?? "" }),
};

/** All of it, when it is there. */
export async function wholeAnswer(run: Run, form: Form, told: Told) {
  const outcome = await ended(run.parts);
  return {
    id: form.idPrefix + run.id,
    object: form.whole,
    ...told,
    choices: [{
      index: 0,
      ...form.choice(outcome) as object,
      finish_reason: outcome.finish_reason,
      logprobs: null,
    }],
    ...usageOf(outcome),
    agentd: outcome.more,
  };
}

/** Server-sent events, each whole; the role comes with the first part. */
export async function* answerEvents(
  run: Run,
  form: Form,
  told: Told,
  includeUsage: boolean,
): AsyncGenerator<string> {
  const base = { id: form.idPrefix + run.id, object: form.chunk, ...told };
  const chunk = (choice: unknown, finish: string | null = null, more: object = {}) =>
    sseData(JSON.stringify({
      ...base,
      choices: [{ index: 0, ...choice as object, finish_reason: finish, logprobs: null }],
      // Where it is asked for, every chunk has the field, and the last one says it.
      ...(includeUsage ? { usage: null } : {}),
      ...more,
    }));
  let before = chunk(form.part(undefined));
  let got = await run.parts.next();
  for (; !got.done; got = await run.parts.next()) {
    yield before + chunk(form.part(got.value));
    before = "";
  }
  const outcome = got.value;
  yield before + chunk(form.part({}), outcome.finish_reason, { agentd: outcome.more });
  const { usage } = usageOf(outcome);
  if (includeUsage && usage) yield sseData(JSON.stringify({ ...base, choices: [], usage }));
  yield sseData("[DONE]");
}

/** Tokens in their names, and what they cost. Nothing where nobody has counted. */
export function usageOf({ usage, cost_micro_usd }: Outcome) {
  if (!usage) return {};
  return {
    usage: {
      prompt_tokens: usage.input_tokens,
      completion_tokens: usage.output_tokens,
      total_tokens: usage.total_tokens,
      ...(cost_micro_usd === undefined ? {} : { cost_micro_usd }),
    },
  };
}
