/** What a request can cost at the most, before anybody is asked: its bytes and its limits, times the price. */
import type { ComputeRequest, ModelInfo, TokenPrice } from "../../core/compute.ts";
import { encodeText } from "../../core/code.ts";
import type { Json } from "../../core/envelope.ts";
import { isFree, maxCostOf } from "../../core/price.ts";
import { mediaParts } from "./request.ts";

/** What a chat's template adds around each message, and around them all. */
const TOKENS_A_MESSAGE = 16;
const TOKENS_A_REQUEST = 64;
/** Models are compared by answers of this length where the request says none. */
const TYPICAL_OUTPUT_TOKENS = 1_000;

/** How large a request is. Undefined: not bounded by what it says. */
export interface Size {
  /** No more than this: a token is at least a byte. */
  readonly inputTokens: number | undefined;
  /** Of one answer, as the request limits it. */
  readonly outputTokens: number | undefined;
  /** How many answers it asks for. */
  readonly answers: number;
}

type Asked = Pick<ComputeRequest, "kind" | "input">;

/** Limits of an answer's length, as model servers name them. */
export const LIMIT_FIELDS = ["max_tokens", "max_completion_tokens"] as const;

export function sizeOf(request: Asked): Size {
  const bytes = encodeText(JSON.stringify(request.input)).length;
  switch (request.kind) {
    case "chat":
    case "complete": {
      const input = request.input as { readonly [field: string]: Json };
      const messages = Array.isArray(input["messages"]) ? input["messages"].length : 0;
      // What an image comes to in tokens is not in its bytes.
      const isText = mediaParts(request).length === 0;
      return {
        inputTokens: isText ? bytes + messages * TOKENS_A_MESSAGE + TOKENS_A_REQUEST : undefined,
        outputTokens: outputLimit(input),
        answers: Math.max(1, count(input["n"]) ?? 1, count(input["best_of"]) ?? 1),
      };
    }
    case "embeddings":
      return { inputTokens: bytes + TOKENS_A_REQUEST, outputTokens: 0, answers: 1 };
    default:
      return { inputTokens: undefined, outputTokens: undefined, answers: 1 };
  }
}

function outputLimit(input: { readonly [field: string]: Json }): number | undefined {
  const limits = LIMIT_FIELDS.flatMap((name) => count(input[name]) ?? []);
  return limits.length > 0 ? Math.max(...limits) : undefined;
}

function count(value: Json | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Undefined: nobody can say. */
export function mostItCosts(
  model: Pick<ModelInfo, "price" | "max_output_tokens" | "context_tokens">,
  size: Size,
): number | undefined {
  if (isFree(model.price)) return 0;
  const output = size.outputTokens ?? model.max_output_tokens ?? model.context_tokens;
  if (!model.price || size.inputTokens === undefined || output === undefined) return undefined;
  return maxCostOf(model.price, size.inputTokens, times(output, size.answers));
}

/** What the question alone costs at the most; undefined where nobody can say. */
export function mostInputCosts(price: TokenPrice | undefined, size: Size): number | undefined {
  if (isFree(price)) return 0;
  if (!price || size.inputTokens === undefined) return undefined;
  return maxCostOf(price, size.inputTokens, 0);
}

/** For comparing models: the same tokens at each one's price. Undefined: its price is not known. */
export function comparedCost(price: TokenPrice | undefined, size: Size): number | undefined {
  return price &&
    maxCostOf(
      price,
      size.inputTokens ?? 0,
      times(size.outputTokens ?? TYPICAL_OUTPUT_TOKENS, size.answers),
    );
}

function times(tokens: number, answers: number): number {
  return Math.min(tokens * answers, Number.MAX_SAFE_INTEGER);
}
