/** What is written to `/compute/new`, checked: the request, and its input by its kind. */
import type { ZodType } from "zod";
import {
  chatInput,
  completeInput,
  type ComputeKind,
  type ComputeRequest,
  computeRequest,
  embeddingsInput,
} from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import { FileError } from "../../fs/error.ts";
import { refusal } from "../../fs/tree.ts";
import { fitting, jsonOf } from "../common/json.ts";

const MAX_DEPTH = 200;
/** Kinds whose input is known here; what the others take is their provider's affair. */
const INPUTS: Readonly<Partial<Record<ComputeKind, ZodType>>> = {
  chat: chatInput,
  complete: completeInput,
  embeddings: embeddingsInput,
};

/** @throws FileError `invalid_request` with the first thing that is wrong */
export function requestOf(bytes: Uint8Array): ComputeRequest {
  const hint = "a request is { model, kind, input }";
  const given = jsonOf(bytes, hint);
  mustBeShallow(given);
  const request = fitting(computeRequest, given);
  const schema = INPUTS[request.kind];
  return schema ? { ...request, input: inputOf(schema, request.input) } : request;
}

/** What walks over a request, here and behind, does so by calling itself. */
function mustBeShallow(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) {
      throw refusal("invalid_request", `a request is nested at most ${MAX_DEPTH} deep`);
    }
    level = level.flatMap((one) =>
      typeof one === "object" && one !== null ? Object.values(one) : []
    );
  }
}

function inputOf(schema: ZodType, input: Json): Json {
  try {
    return fitting(schema, input) as Json;
  } catch (error) {
    const { detail } = error as FileError;
    throw refusal("invalid_request", `input: ${detail}`);
  }
}

interface Part {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The parts of a chat's messages that are no text: images, sound, files. */
export function mediaParts({ kind, input }: Pick<ComputeRequest, "kind" | "input">): Part[] {
  if (kind !== "chat") return [];
  const { messages } = input as { messages: { content?: unknown }[] };
  return messages.flatMap(({ content }) =>
    Array.isArray(content) ? (content as Part[]).filter(({ type }) => type !== "text") : []
  );
}

/** What a part refers to: its URL, or nothing if it brings its data along. */
export function urlOf(part: Part): string | undefined {
  const value = part[part.type];
  const url = typeof value === "object" && value !== null
    ? (value as { url?: unknown }).url
    : value;
  return typeof url === "string" ? url : undefined;
}
