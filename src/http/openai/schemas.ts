/** What is answered in OpenAI's shapes, for the document. */
import { z } from "zod";
import { named } from "../schemas.ts";

const count = z.int().min(0);
const model = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: count.meta({ description: "Seconds since 1970; 0: not known." }),
  owned_by: z.string().meta({ description: "`agentd` for an agent, else who sells the model." }),
});
export const MODEL = named("Model", model);
export const MODEL_LIST = named(
  "ModelList",
  z.object({ object: z.literal("list"), data: z.array(model) }),
);

const usage = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  cost_micro_usd: count.optional(),
}).optional().meta({ description: "Absent: nobody has counted, as with an agent." });
const more = z.record(z.string(), z.json()).meta({
  description: "The job or the envelope, what it cost, and who answered.",
});
const head = { id: z.string(), created: count, model: z.string() };
const choice = { index: count, finish_reason: z.string(), logprobs: z.null() };

export const CHAT_COMPLETION = named(
  "ChatCompletion",
  z.object({
    ...head,
    object: z.literal("chat.completion"),
    choices: z.array(z.object({
      ...choice,
      message: z.object({
        role: z.literal("assistant"),
        content: z.string().nullable(),
        refusal: z.null(),
        tool_calls: z.array(z.json()).optional(),
      }),
    })),
    usage,
    agentd: more,
  }),
);
export const TEXT_COMPLETION = named(
  "Completion",
  z.object({
    ...head,
    object: z.literal("text_completion"),
    choices: z.array(z.object({ ...choice, text: z.string() })),
    usage,
    agentd: more,
  }),
);
export const EMBEDDINGS = named(
  "Embeddings",
  z.object({
    object: z.literal("list"),
    model: z.string(),
    data: z.array(z.object({
      object: z.literal("embedding"),
      index: count,
      embedding: z.union([z.array(z.number()), z.string()]),
    })),
    usage,
    agentd: more,
  }),
);
