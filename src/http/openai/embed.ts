/** Embeddings in OpenAI's shape. */
import type { ComputeResponse } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import { FileError } from "../../fs/error.ts";
import { usageOf } from "./answer.ts";
import type { EmbeddingAsk } from "./ask.ts";
import type { Outcome } from "./run.ts";

export function embeddingsInput({ input }: EmbeddingAsk): Json {
  return typeof input === "string" ? { text: input } : { texts: input };
}

export function embeddingsAnswer(ask: EmbeddingAsk, response: ComputeResponse, outcome: Outcome) {
  const { embeddings } = response.output as { readonly embeddings?: readonly number[][] };
  if (!embeddings) {
    throw new FileError("provider_unavailable", "ask", ask.model, {
      detail: "the model answered with something else than embeddings",
    });
  }
  const asked = ask.encoding_format === "base64"
    ? asBase64
    : (numbers: readonly number[]) => numbers;
  const data = embeddings.map((numbers, index) => ({
    object: "embedding",
    index,
    embedding: asked(numbers),
  }));
  return {
    object: "list",
    data,
    model: ask.model,
    ...usageOf(outcome),
    agentd: outcome.more,
  };
}

/** 32-bit floats, little-endian: what their SDKs ask for by themselves. */
function asBase64(numbers: readonly number[]): string {
  const bytes = new DataView(new ArrayBuffer(numbers.length * 4));
  for (const [n, number] of numbers.entries()) bytes.setFloat32(n * 4, number, true);
  return new Uint8Array(bytes.buffer).toBase64();
}
