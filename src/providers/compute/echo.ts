/** The provider that needs nothing and is no model: it says the last words of the user again, word by word, so that everything moves before there is a model. */
import { FileError } from "../../fs/error.ts";
import { isoTime } from "../../core/id.ts";
import {
  type CallResult,
  type CallSink,
  chatInput,
  type ChatMessage,
  completeInput,
  type ComputeProvider,
  type ModelCall,
} from "../../core/compute.ts";

export const ECHO = "echo";
const FREE = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };

/** @param now milliseconds since the Unix epoch */
export function echoProvider(now: () => number): ComputeProvider {
  const checked_at = isoTime(now());
  return {
    id: ECHO,
    info: () => ({
      id: ECHO,
      type: "builtin",
      about:
        "no model: answers with the last message of the user, word by word; its tokens are words",
      by_name_only: true,
    }),
    health: () => ({ status: "up", checked_at }),
    models: () => [{ id: ECHO, kinds: ["chat", "complete"], price: FREE, tools: false }],
    submit,
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function submit(call: ModelCall, sink: CallSink, signal: AbortSignal): Promise<CallResult> {
  signal.throwIfAborted();
  if (call.model !== ECHO) throw refusal("not_found", call, `there is only the model "${ECHO}"`);
  const { asked, text, most } = heard(call);
  const all = wordsOf(text);
  const words = all.slice(0, most);
  for (const content of call.stream ? words : []) {
    signal.throwIfAborted();
    await sink.delta({ content });
  }
  signal.throwIfAborted();
  const input_tokens = asked.reduce((sum, one) => sum + wordsOf(one).length, 0);
  const output_tokens = words.length;
  return {
    output: { text: words.join(""), finish_reason: words.length < all.length ? "length" : "stop" },
    usage: { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens },
    model: ECHO,
  };
}

interface Heard {
  /** All that was said to it. */
  readonly asked: readonly string[];
  readonly text: string;
  /** Words of an answer. */
  readonly most: number | undefined;
}

function heard(call: ModelCall): Heard {
  if (call.kind === "chat") {
    const { data } = chatInput.safeParse(call.input);
    if (!data) throw refusal("invalid_request", call, "the input has messages");
    const said = data.messages.findLast(({ role }) => role === "user");
    const text = said === undefined ? "" : textOf(said);
    return { asked: data.messages.map(textOf), text, most: data.max_tokens };
  }
  if (call.kind === "complete") {
    const { data } = completeInput.safeParse(call.input);
    if (!data) throw refusal("invalid_request", call, "the input has a prompt");
    return { asked: [data.prompt], text: data.prompt, most: data.max_tokens };
  }
  throw refusal("not_supported", call, `no ${call.kind} here, only chat and complete`);
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => typeof part.text === "string" ? part.text : "").join("") ?? "";
}

/** With the white space around them, so that together they are the text. */
function wordsOf(text: string): string[] {
  return text.match(/\s*\S+(?:\s+$)?/g) ?? [];
}

function refusal(
  code: "not_found" | "invalid_request" | "not_supported",
  { model }: ModelCall,
  detail: string,
): FileError {
  const extra = { asked: false, retryable: false };
  return new FileError(code, "ask", `${ECHO}/${model}`, { detail, extra });
}
