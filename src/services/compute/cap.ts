/** How long an answer may become for what is reserved: told to the server, and counted here should it not listen. */
import type { Delta, ModelInfo, TokenPrice } from "../../core/compute.ts";
import { encodeText } from "../../core/code.ts";
import type { Json } from "../../core/envelope.ts";
import { isFree, outputTokensFor } from "../../core/price.ts";
import { LIMIT_FIELDS, type Size } from "./estimate.ts";

/** So many bytes are a token at least, by this count: few languages have longer ones on average. */
const BYTES_A_TOKEN = 8;

export interface Cap {
  /** Tokens of all answers together; Infinity where nothing is paid for them, or nobody knows what. */
  readonly tokens: number;
  /** The request's input, with a limit that the money sets where its own is wider. */
  readonly input: Json;
  /** Whether the money sets the limit. */
  readonly isTighter: boolean;
}

/** Undefined: the money does not pay for one token of an answer. */
export function capOf(
  input: Json,
  size: Size,
  { price, model, amountMicroUsd }: {
    readonly price: TokenPrice | null;
    readonly model: Pick<ModelInfo, "max_output_tokens"> | undefined;
    readonly amountMicroUsd: number;
  },
): Cap | undefined {
  if (price === null || isFree(price)) return { tokens: Infinity, input, isTighter: false };
  const tokens = outputTokensFor(price, size.inputTokens ?? 0, amountMicroUsd);
  const each = Number.isFinite(tokens) ? Math.floor(tokens / size.answers) : tokens;
  const wanted = size.outputTokens ?? model?.max_output_tokens ?? Infinity;
  if (tokens < 0 || (each < 1 && wanted > 0)) return undefined;
  if (wanted <= each || each === Infinity) return { tokens, input, isTighter: false };
  return { tokens, input: limited(input, each), isTighter: true };
}

function limited(input: Json, tokens: number): Json {
  const fields = input as { [field: string]: Json };
  const own = LIMIT_FIELDS.filter((name) => typeof fields[name] === "number");
  const names = own.length > 0 ? own : [LIMIT_FIELDS[0]];
  const limits = names.map((name) => [name, Math.min(number(fields[name]), tokens)]);
  return { ...fields, ...Object.fromEntries(limits) };
}

function number(value: Json | undefined): number {
  return typeof value === "number" ? value : Infinity;
}

/** Counts an answer as it comes; the answer says whether it is still within so many tokens. */
export function counter(tokens: number): (delta: Delta) => boolean {
  let parts = 0, bytes = 0;
  return ({ content = "", tool_calls = [] }) => {
    // Servers stream a token at a time, or several: never a part of one.
    parts++;
    bytes += encodeText(content).length;
    if (tool_calls.length > 0) bytes += encodeText(argumentsOf(tool_calls)).length;
    return Math.max(parts, Math.ceil(bytes / BYTES_A_TOKEN)) <= tokens;
  };
}

function argumentsOf(calls: readonly Json[]): string {
  return calls.map((call) => {
    const { function: part } = call as { function?: { name?: unknown; arguments?: unknown } };
    return `${part?.name ?? ""}${part?.arguments ?? ""}`;
  }).join("");
}
