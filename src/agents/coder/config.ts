/** What a coder is told at its creation: whom it asks, where it runs what it gets, and how far one task may go. */
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import { MAX_TIMEOUT_MS } from "../../core/compute.ts";
import {
  type Command,
  command,
  containerRequest,
  limits,
  MAX_COMMANDS,
} from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import { type Language, languageOf } from "./languages.ts";

const DEFAULT_ATTEMPTS = 4;
const DEFAULT_MAX_TOKENS = 4_096;
const DEFAULT_ANSWER_MS = 30 * 60_000;
const DEFAULT_OUTPUT_BYTES = 4 * 1024;
const DEFAULT_TASKS = 3;
/** A program that does not end is found out after this. */
const DEFAULT_TEST_SECS = 60;
/** Goes along with every call. */
const MAX_PROMPT_BYTES = 64 * 1024;

/** What is not said is left to the policy; only the time is shorter than is usual. */
const testLimits = containerRequest.shape.limits.unwrap().extend({
  max_time_secs: limits.shape.max_time_secs.unwrap().default(DEFAULT_TEST_SECS),
});

const schema = z.strictObject({
  /** Without one, the first that can chat. */
  model: z.string().min(1).max(256).optional(),
  /** Without one, that of the language, or the provider's own choice. */
  image: z.string().min(1).max(256).optional(),
  /** Python where neither this nor the image says it. */
  language: z.string().min(1).max(64).optional(),
  /** One command, or several in their order: all have to end with 0. Without them, those of the language. */
  test: z.union([z.string().min(1), z.array(command).min(1).max(MAX_COMMANDS)]).optional(),
  /** What else it should know, in words for the model. */
  prompt: z.string().max(MAX_PROMPT_BYTES).optional(),
  max_attempts: z.int().min(1).max(50).default(DEFAULT_ATTEMPTS),
  /** Of one task, for models and containers together. */
  max_cost_micro_usd: z.int().nonnegative().optional(),
  /** Of one model call's answer. */
  max_tokens: z.int().positive().default(DEFAULT_MAX_TOKENS),
  temperature: z.number().min(0).max(2).optional(),
  step_timeout_ms: z.int().positive().max(MAX_TIMEOUT_MS).optional(),
  /** From a message to its answer. */
  max_answer_ms: z.int().positive().max(MAX_TIMEOUT_MS).default(DEFAULT_ANSWER_MS),
  /** What of a test's output the model gets to see, and whoever asked. */
  max_output_bytes: z.int().min(256).max(64 * 1024).default(DEFAULT_OUTPUT_BYTES),
  /** Tasks at a time; others wait. */
  max_tasks: z.int().min(1).max(20).default(DEFAULT_TASKS),
  /** Of a session in which a test runs. */
  limits: testLimits.prefault({}),
});

export type Config = Omit<z.infer<typeof schema>, "language" | "test"> & {
  readonly language: Language;
  readonly test: readonly Command[];
};

/** @throws FileError `invalid_request` that names the field */
export function configOf(json: Json): Config {
  const { data, error } = schema.safeParse(json ?? {});
  if (error) {
    const { path, message } = error.issues[0]!;
    const fields = Object.keys(schema.shape).join(", ");
    throw new FileError("invalid_request", "read", "config", {
      detail: `${path.join(".") || "a coder's config"}: ${message}; its fields are ${fields}`,
    });
  }
  const language = languageOf(data.language, data.image);
  const { test = language.test } = data;
  const image = data.image ?? language.image;
  return {
    ...data,
    ...(image === undefined ? {} : { image }),
    language,
    test: typeof test === "string" ? [test] : test,
  };
}
