/** The one wire form of everything that reaches an agent, and the gate through which it is sealed. */
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import {
  type AgentId,
  type EnvelopeId,
  envelopeId,
  foreignEnvelopeId,
  isoTime,
  type Timestamp,
  timestamp,
} from "./id.ts";

/** Where an envelope came from. */
export type Source =
  | { readonly kind: "http"; readonly principal: string }
  | { readonly kind: "websocket"; readonly connection: string }
  | { readonly kind: "nostr"; readonly pubkey: string; readonly relay?: string }
  | { readonly kind: "scheduler"; readonly alarm_id: string }
  | { readonly kind: "agent"; readonly agent_id: AgentId }
  | { readonly kind: "webhook"; readonly name: string }
  | { readonly kind: "manual"; readonly invoker: string }
  | { readonly kind: "system"; readonly reason?: string };

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export type Payload =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly data: Json }
  /** `data` is base64. */
  | { readonly kind: "binary"; readonly data: string; readonly type?: string }
  | { readonly kind: "agent_message"; readonly from: AgentId; readonly data: Json }
  | { readonly kind: "nostr_event"; readonly event: Json }
  | { readonly kind: "tick" };

export interface Metadata {
  readonly trace_id?: string;
  /** The envelope that this one answers or follows from. */
  readonly parent_id?: EnvelopeId;
  readonly expires_at?: Timestamp;
  readonly extra?: { readonly [name: string]: Json };
}

export interface Envelope {
  readonly id: EnvelopeId;
  readonly timestamp: Timestamp;
  readonly source: Source;
  readonly payload: Payload;
  readonly metadata: Metadata;
}

/** What a sender gives; the rest is filled in by `seal`. */
export interface EnvelopeInput {
  readonly id?: EnvelopeId;
  readonly payload: Payload;
  readonly metadata?: Metadata;
}

/** A sealed envelope has at most so many bytes of JSON. */
export const MAX_ENVELOPE_BYTES = 16 * 1024 * 1024;

const json = z.json() as z.ZodType<Json>;
const parsed = <T>(parse: (value: unknown) => T) =>
  z.unknown().transform((value, ctx) => {
    try {
      return parse(value);
    } catch (error) {
      ctx.addIssue({ code: "custom", message: (error as FileError).detail ?? String(error) });
      return z.NEVER;
    }
  });
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const payloadSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text: z.string() }),
  z.strictObject({ kind: z.literal("json"), data: json }),
  z.strictObject({
    kind: z.literal("binary"),
    data: z.string().regex(BASE64, "not base64"),
    type: z.string().max(255).optional(),
  }),
]);

/** An envelope as a sender writes it. */
export const envelopeSchema = z.strictObject({
  id: parsed(foreignEnvelopeId).optional().meta({
    description: "1 to 128 of `A-Za-z0-9._:-`. Sent twice under one id, it takes effect once.",
  }),
  timestamp: z.unknown().optional().meta({ description: "The runtime's to say; not taken." }),
  source: z.unknown().optional().meta({ description: "The runtime's to say; not taken." }),
  payload: z.unknown().meta({
    description: "Text, JSON, or an object of a known `kind`: text, json or binary.",
  }),
  metadata: z.strictObject({
    trace_id: z.string().min(1).max(128).optional(),
    parent_id: parsed(envelopeId).optional().meta({ description: "What this one answers." }),
    expires_at: parsed(timestamp).optional().meta({
      description: "ISO 8601 or milliseconds since 1970; past it, it is not ticked.",
    }),
    extra: z.record(z.string(), json).optional(),
  }).optional(),
});

/**
 * An envelope from outside: an object with `payload`. `id`, `metadata` are kept; `timestamp` and `source` are the runtime's to say and
 * are not taken from a sender. A payload without a known `kind` is a payload of its own: text for a string, else JSON.
 * @throws FileError `invalid_request`
 */
export function parseEnvelope(value: unknown): EnvelopeInput {
  const result = envelopeSchema.safeParse(value);
  if (!result.success) throw refused("envelope", result.error);
  const { id, payload, metadata } = result.data;
  return {
    ...(id === undefined ? {} : { id }),
    payload: parsePayload(payload),
    ...(metadata ? { metadata: dropUndefined(metadata) as Metadata } : {}),
  };
}

const KINDS = ["text", "json", "binary", "agent_message", "nostr_event", "tick"];

/** What a person or an agent sends: one of the payload kinds in full, else any text or JSON as it is. @throws FileError `invalid_request` */
export function parsePayload(value: unknown): Payload {
  if (typeof value === "string") return { kind: "text", text: value };
  const kind = (value as { kind?: unknown } | null | undefined)?.kind;
  if (typeof kind === "string" && KINDS.includes(kind) && !Array.isArray(value)) {
    const full = payloadSchema.safeParse(value);
    if (full.success) return dropUndefined(full.data) as Payload;
    throw refused("payload", full.error);
  }
  const data = json.safeParse(value);
  if (!data.success) throw refused("payload", data.error);
  return { kind: "json", data: data.data };
}

function refused(what: string, error: z.ZodError): FileError {
  const issue = error.issues[0];
  const where = issue?.path.length ? `${issue.path.join(".")}: ` : "";
  return new FileError("invalid_request", "parse", what, {
    detail: where + (issue?.message ?? "not what is expected"),
    cause: error,
  });
}

function dropUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Partial<T>;
}

/** The sender, whose envelopes are ticked in the order in which they were accepted. */
export function senderOf(source: Source): string {
  switch (source.kind) {
    case "http":
      return `http:${source.principal}`;
    case "websocket":
      return `websocket:${source.connection}`;
    case "nostr":
      return `nostr:${source.pubkey}`;
    case "scheduler":
      return `scheduler:${source.alarm_id}`;
    case "agent":
      return `agent:${source.agent_id}`;
    case "webhook":
      return `webhook:${source.name}`;
    case "manual":
      return `manual:${source.invoker}`;
    case "system":
      return "system";
  }
}

/** An envelope as JSON: its times are ISO 8601. */
export function envelopeToJson(e: Envelope): Json {
  const { expires_at, ...metadata } = e.metadata;
  return {
    id: e.id,
    timestamp: isoTime(e.timestamp),
    source: e.source as unknown as Json,
    payload: e.payload as unknown as Json,
    metadata: {
      ...metadata,
      ...(expires_at === undefined ? {} : { expires_at: isoTime(expires_at) }),
    } as Json,
  };
}
