/** What an assistant is told at its creation: whom it asks, what it is there for, and how far one answer may go. */
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import { MAX_TIMEOUT_MS } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";

const DEFAULT_MAX_STEPS = 20;
const DEFAULT_MAX_ANSWER_MS = 30 * 60_000;
const DEFAULT_CONVERSATION_BYTES = 64 * 1024;
const DEFAULT_RESULT_BYTES = 8 * 1024;
const DEFAULT_WATCH_MS = 30_000;

/** A prompt goes along with every call. */
const MAX_PROMPT_BYTES = 256 * 1024;
/** The state has at most 8 MiB, and more than the conversation is in it. */
const MAX_CONVERSATION_BYTES = 2 * 1024 * 1024;
const MIN_CONVERSATION_BYTES = 2 * 1024;
const MIN_RESULT_BYTES = 256;

const DEFAULT_MAX_TOKENS = 4_096;

const configSchema = z.strictObject({
  /** What it is and what it is there for. */
  prompt: z.string().max(MAX_PROMPT_BYTES).default("You are a helpful assistant."),
  /** Without one, the first that can chat, one with tool calls before the others. */
  model: z.string().min(1).max(256).optional(),
  /** Model calls for one answer. */
  max_steps: z.int().min(1).max(1_000).default(DEFAULT_MAX_STEPS),
  /** Of one model call's answer. What it may cost at the most, and so what is reserved, follows from it. */
  max_tokens: z.int().positive().default(DEFAULT_MAX_TOKENS),
  temperature: z.number().min(0).max(2).optional(),
  /** What one model call may cost at the most. */
  max_step_cost_micro_usd: z.int().nonnegative().optional(),
  step_timeout_ms: z.int().positive().max(MAX_TIMEOUT_MS).optional(),
  /** From a message to its answer, without the time in which a person is waited for. */
  max_answer_ms: z.int().positive().max(MAX_TIMEOUT_MS).default(DEFAULT_MAX_ANSWER_MS),
  /** What of the conversation is kept and goes along with every call. */
  max_conversation_bytes: z.int().min(MIN_CONVERSATION_BYTES).max(MAX_CONVERSATION_BYTES)
    .default(DEFAULT_CONVERSATION_BYTES),
  /** What of a file the model gets at once. */
  max_result_bytes: z.int().min(MIN_RESULT_BYTES).max(MAX_CONVERSATION_BYTES)
    .default(DEFAULT_RESULT_BYTES),
  max_watch_ms: z.int().positive().max(5 * 60_000).default(DEFAULT_WATCH_MS),
});
export type Config = z.infer<typeof configSchema>;

/** @throws FileError `invalid_request` that names the field */
export function configOf(json: Json): Config {
  const { data, error } = configSchema.safeParse(json ?? {});
  if (data) return data;
  const { path, message } = error.issues[0]!;
  const fields = Object.keys(configSchema.shape).join(", ");
  throw new FileError("invalid_request", "read", "config", {
    detail: `${path.join(".") || "an assistant's config"}: ${message}; its fields are ${fields}`,
  });
}
