/** What OpenAI's clients ask: their bodies, and what of them is for this door and not for the model. */
import { z } from "zod";
import { MAX_TIMEOUT_MS } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import { FileError } from "../../fs/error.ts";
import { named } from "../schemas.ts";

const model = z.string().min(1).max(512).meta({
  description: "`agent:<id>` is an agent; any other name is a model, which an agent pays for.",
});
/** What an SDK does not say is sometimes sent as null. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish();
const tokens = maybe(z.int().positive());
const ours = {
  max_cost_micro_usd: maybe(z.int().nonnegative()).meta({
    description: "What it may cost at the most. 1 is $0.000001.",
  }),
  timeout_ms: maybe(z.int().positive().max(MAX_TIMEOUT_MS)),
};
const asked = {
  model,
  stream: maybe(z.boolean()),
  stream_options: maybe(z.looseObject({ include_usage: maybe(z.boolean()) })),
  n: maybe(z.int()),
  max_tokens: tokens,
  ...ours,
};

const part = z.looseObject({ type: z.string() });
const message = z.looseObject({
  role: z.string(),
  content: maybe(z.union([z.string(), z.array(part)])),
});
export type Message = z.infer<typeof message>;

export const CHAT = named(
  "ChatCompletionRequest",
  z.looseObject({
    ...asked,
    messages: z.array(message).min(1),
    max_completion_tokens: tokens,
  }).meta({ description: "What is not named here goes to the model as it is." }),
);
export const COMPLETION = named(
  "CompletionRequest",
  z.looseObject({ ...asked, prompt: z.union([z.string(), z.array(z.string()).length(1)]) }),
);
export const EMBEDDING = named(
  "EmbeddingRequest",
  z.object({
    model,
    input: z.union([z.string(), z.array(z.string()).min(1)]),
    encoding_format: maybe(z.enum(["float", "base64"])),
    user: maybe(z.string()),
    ...ours,
  }),
);

type Of<T> = T extends { readonly schema: z.ZodType<infer U> } ? U : never;
export type ChatAsk = Of<typeof CHAT>;
export type CompletionAsk = Of<typeof COMPLETION>;
export type EmbeddingAsk = Of<typeof EMBEDDING>;

/** Fields that are no part of a model's input. */
const DOORS_OWN: ReadonlySet<string> = new Set([
  "model",
  "stream",
  "stream_options",
  "n",
  "max_completion_tokens",
  ...Object.keys(ours),
]);

/** The input for a model. One limit of tokens, whatever it was called. */
export function chatInput(ask: ChatAsk): Json {
  const max = ask.max_completion_tokens ?? ask.max_tokens;
  return { ...forModel(ask), ...(max == null ? {} : { max_tokens: max }) } as Json;
}

export function completeInput(ask: CompletionAsk): Json {
  return { ...forModel(ask), prompt: promptOf(ask) } as Json;
}

export function promptOf({ prompt }: CompletionAsk): string {
  return typeof prompt === "string" ? prompt : prompt[0]!;
}

function forModel(ask: { readonly [name: string]: unknown }): { [name: string]: unknown } {
  return Object.fromEntries(
    Object.entries(ask).filter(([name, value]) => value !== null && !DOORS_OWN.has(name)),
  );
}

/** One answer to one request. @throws FileError `invalid_request` */
export function checkOne({ n }: { readonly n?: number | null | undefined }): void {
  if (n != null && n !== 1) throw wrong("n", "a request has one answer; ask again for another");
}

export function wrong(field: string, detail: string): FileError {
  return new FileError("invalid_request", "ask", field, { detail, extra: { field } });
}
