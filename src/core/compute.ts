/** Model calls: what is asked for, what comes back, and what those who sell them must be able to do. The shapes are those of chat completions, so that what people have works. */
import { z } from "zod";
import type { Json } from "./envelope.ts";

export const COMPUTE_KINDS = [
  "chat",
  "complete",
  "embeddings",
  "image_generate",
  "image_analyze",
  "transcribe",
  "speak",
] as const;
/** `custom:<name>` is a provider's own. */
export type ComputeKind = typeof COMPUTE_KINDS[number] | `custom:${string}`;

export const MAX_TIMEOUT_MS = 24 * 3_600_000;
export const DEFAULT_TIMEOUT_MS = 120_000;

const toolCall = z.looseObject({
  id: z.string(),
  type: z.literal("function").default("function"),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});
export type ToolCall = z.infer<typeof toolCall>;

const message = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() })), z.null()]).optional(),
  tool_calls: z.array(toolCall).optional(),
  tool_call_id: z.string().optional(),
  name: z.string().optional(),
});
export type ChatMessage = z.infer<typeof message>;

const tool = z.looseObject({
  type: z.literal("function"),
  function: z.looseObject({
    name: z.string(),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
});
export type Tool = z.infer<typeof tool>;

/** What is not named here goes to the model server as it is (`top_p`, `seed`, `stop` …). */
export const chatInput = z.looseObject({
  messages: z.array(message).min(1),
  tools: z.array(tool).optional(),
  temperature: z.number().optional(),
  max_tokens: z.int().positive().optional(),
  response_format: z.looseObject({ type: z.string() }).optional(),
});
export type ChatInput = z.infer<typeof chatInput>;

export const completeInput = z.looseObject({
  prompt: z.string(),
  temperature: z.number().optional(),
  max_tokens: z.int().positive().optional(),
});
export type CompleteInput = z.infer<typeof completeInput>;

export const embeddingsInput = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ texts: z.array(z.string()).min(1) }),
]);
export type EmbeddingsInput = z.infer<typeof embeddingsInput>;

const kind = z.union(
  [z.enum(COMPUTE_KINDS), z.templateLiteral(["custom:", z.string().min(1)])],
  `one of ${COMPUTE_KINDS.join(", ")}, or custom:NAME`,
);

/** What is written to `/compute/new`. `input` is checked by its kind. */
export const computeRequest = z.strictObject({
  model: z.string().min(1).max(256),
  kind,
  input: z.json(),
  stream: z.boolean().default(false),
  notify: z.boolean().default(true),
  timeout_ms: z.int().positive().max(MAX_TIMEOUT_MS).optional(),
  idempotency_key: z.string().min(1).max(256).optional(),
  max_cost_micro_usd: z.int().nonnegative().optional(),
});
export type ComputeRequest = z.infer<typeof computeRequest>;

export interface TokenUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
}

export type ComputeOutput =
  /** chat and complete */
  | {
    readonly text: string;
    readonly tool_calls?: readonly ToolCall[];
    readonly finish_reason: string;
  }
  /** embeddings, in the order of the texts */
  | { readonly embeddings: readonly (readonly number[])[] }
  | Json;

export interface ComputeResponse {
  readonly job_id: string;
  readonly output: ComputeOutput;
  readonly usage?: TokenUsage;
  readonly cost_micro_usd: number;
  readonly latency_ms: number;
  readonly provider_id: string;
  readonly model: string;
}

/** A part of a chat's answer as it comes. */
export interface Delta {
  readonly content?: string;
  /** As chat completions stream them: by `index`, arguments in pieces. */
  readonly tool_calls?: readonly Json[];
}

/** An event of `jobs/<id>/stream`. The one with a finish reason is the last. */
export interface ComputeChunk {
  readonly job_id: string;
  readonly seq: number;
  readonly delta: Delta;
  readonly finish_reason?: string;
  readonly usage?: TokenUsage;
}

/** Micro-USD for a million tokens. Both 0: free. */
export interface TokenPrice {
  readonly input_micro_usd_per_mtok: number;
  readonly output_micro_usd_per_mtok: number;
}

export interface ModelInfo {
  readonly id: string;
  readonly kinds: readonly ComputeKind[];
  /** Undefined: not known, which never counts as free. */
  readonly price: TokenPrice | undefined;
  readonly context_tokens?: number;
  /** The most that one answer may have, where the model says so. */
  readonly max_output_tokens?: number;
  /** Undefined: not known. */
  readonly tools?: boolean;
  /** Lower is better, where a list ranks it. */
  readonly rank?: number;
}

export interface ProviderInfo {
  readonly id: string;
  /** `local`: on this machine and free. `cloud`: by key. `builtin`: no model. */
  readonly type: "local" | "cloud" | "builtin";
  readonly about: string;
  /** Where it is, without any credential. */
  readonly url?: string;
  /** Chosen only where a request or the policy names it. */
  readonly by_name_only: boolean;
  /** Measured, over the last answers. */
  readonly first_token_ms?: number;
  readonly tokens_per_second?: number;
}

export interface ProviderHealth {
  readonly status: "up" | "down" | "unknown";
  /** ISO 8601 of the last look; null before the first. */
  readonly checked_at: string | null;
  /** Why it is down. Without secrets. */
  readonly error?: string;
}

/** One call of a model, as its provider gets it: checked, priced, allowed. */
export interface ModelCall {
  readonly job_id: string;
  readonly model: string;
  readonly kind: ComputeKind;
  readonly input: ChatInput | CompleteInput | EmbeddingsInput | Json;
  readonly stream: boolean;
  /** What it may cost at the most; it is stopped where it would cost more. */
  readonly max_cost_micro_usd: number;
}

/** What comes back while a call runs. Resolves or throws as its receiver has taken it in; a provider waits for it, so that nobody runs ahead. */
export interface CallSink {
  delta(delta: Delta): Promise<void>;
}

/** What a call came to. `usage` undefined: the server did not say. */
export interface CallResult {
  readonly output: ComputeOutput;
  readonly usage: TokenUsage | undefined;
  /** The model that answered, as the server names it. */
  readonly model: string;
}

/**
 * One vendor of model calls. `info`, `health` and `models` answer from memory at once: who sells looks itself up in the background.
 * Costs are computed by the caller, from `usage` and the model's price.
 */
export interface ComputeProvider {
  readonly id: string;
  info(): ProviderInfo;
  health(): ProviderHealth;
  models(): readonly ModelInfo[];
  /**
   * Runs a call to its end. Aborting the signal ends it at the server too. Rejects with `provider_unavailable` (cannot be
   * reached, died, answered 5xx or garbage), `rate_limited` (`extra.retry_after_ms` where told), `timeout`, `not_found` (no such model),
   * `auth_required`, `invalid_request` (what the server refuses, with its words), `too_large`. `extra.asked: false` where the
   * server has certainly not begun; `extra.retryable` where another try may do.
   */
  submit(call: ModelCall, sink: CallSink, signal: AbortSignal): Promise<CallResult>;
  /** Looks again now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** The providers of a runtime; what is found on the machine comes and goes. */
export interface ComputeProviders {
  list(): readonly ComputeProvider[];
  get(id: string): ComputeProvider | undefined;
  /** Looks for all anew, and resolves when each was looked at. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}
