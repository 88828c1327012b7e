/** A server's list of its models, and what it says of them. Servers add fields of their own; those that are known are read. */
import { z } from "zod";
import type { ComputeKind, ModelInfo } from "../../core/compute.ts";
import type { Fetch } from "./carrier.ts";
import { refusedWith } from "./failure.ts";

export type Query = Readonly<Record<string, string>>;

/** The list as it is, with the headers it came with. Asked for without the SDK, which nobody needs to load who looks around and calls no model. */
export async function listed(
  carry: Fetch,
  url: string,
  query: Query,
  signal: AbortSignal,
): Promise<{ readonly body: unknown; readonly headers: Headers }> {
  const at = new URL(`${url}/models`);
  for (const [name, value] of Object.entries(query)) at.searchParams.set(name, value);
  const response = await carry(at, { headers: { accept: "application/json" }, signal });
  if (response.ok) return { body: await response.json(), headers: response.headers };
  await response.body?.cancel();
  throw refusedWith(response.status, at.origin);
}

const number = z.number().int().positive().optional().catch(undefined);
const text = z.string().optional().catch(undefined);

const row = z.looseObject({
  id: z.string().min(1).max(256),
  // vLLM, OpenRouter, others
  max_model_len: number,
  context_length: number,
  max_context_length: number,
  // Anthropic
  max_input_tokens: number,
  max_tokens: number,
  // llama.cpp
  meta: z.looseObject({ n_ctx: number, n_ctx_train: number }).optional().catch(undefined),
  // OpenRouter
  top_provider: z.looseObject({ max_completion_tokens: number }).optional().catch(undefined),
  supported_parameters: z.array(z.string()).optional().catch(undefined),
  pricing: z.looseObject({ prompt: text, completion: text, request: text }).optional()
    .catch(undefined),
});
export type ListedModel = z.infer<typeof row>;

const list = z.looseObject({ data: z.array(z.unknown()) });

/** Of a list, no more models are taken. */
const MAX_MODELS = 5_000;
const EMBEDS = /embed|\bbge-|\be5-|\bgte-/i;
/** Models of other kinds, which no provider sells yet. */
const OTHER =
  /whisper|\btts\b|-tts|dall-e|image|moderation|realtime|audio|transcribe|\bsora|diffusion|rerank/i;

/** Undefined for what is no list of models. Rows that name no model are left out. */
export function listIn(body: unknown): ListedModel[] | undefined {
  const { data } = list.safeParse(body);
  if (data === undefined) return undefined;
  const rows = data.data.slice(0, MAX_MODELS).flatMap((one) => {
    const { data } = row.safeParse(one);
    return data === undefined ? [] : [data];
  });
  // A list in which no row is one is another API's.
  return rows.length === 0 && data.data.length > 0 ? undefined : rows;
}

/** By its name, since the protocol does not say. Empty: of a kind that is not sold. */
export function kindsOf(id: string): readonly ComputeKind[] {
  if (EMBEDS.test(id)) return ["embeddings"];
  return OTHER.test(id) ? [] : ["chat", "complete"];
}

/** What is known of a model but its price. */
export function factsOf(model: ListedModel): Omit<ModelInfo, "price" | "kinds"> {
  const context_tokens = model.meta?.n_ctx ?? model.max_model_len ?? model.context_length ??
    model.max_context_length ?? model.max_input_tokens ?? model.meta?.n_ctx_train;
  const max_output_tokens = model.top_provider?.max_completion_tokens ?? model.max_tokens;
  return {
    id: model.id,
    ...(context_tokens === undefined ? {} : { context_tokens }),
    ...(max_output_tokens === undefined ? {} : { max_output_tokens }),
    ...(model.supported_parameters === undefined
      ? {}
      : { tools: model.supported_parameters.includes("tools") }),
  };
}
