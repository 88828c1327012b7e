/** Names, times and amounts, each refused where it enters if it is malformed; nothing malformed reaches storage. */
import { FileError } from "../fs/error.ts";

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** `^[a-z0-9][a-z0-9_-]{0,62}$` */
export type AgentId = Brand<string, "AgentId">;
/** 1–128 of `[A-Za-z0-9._:-]`; ours are `env_` + UUIDv7. */
export type EnvelopeId = Brand<string, "EnvelopeId">;
/** `tick_` + UUIDv7. */
export type TickId = Brand<string, "TickId">;
/** Milliseconds since the Unix epoch, an integer. In JSON: ISO 8601 in UTC with milliseconds. */
export type Timestamp = Brand<number, "Timestamp">;
/** A non-negative safe integer; 1 = $0.000001. In JSON: the integer, in fields that end in `_micro_usd`. */
export type MicroUsd = Brand<number, "MicroUsd">;

const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const ENVELOPE_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** Names of files beside the envelopes of `/deadletter`, and of directories. */
const NOT_ENVELOPE_IDS: ReadonlySet<string> = new Set([".", "..", "list", "count", "ctl"]);
/** Ids that only the runtime and its drivers give. */
const RESERVED = ["alarm:", "approval:", "job:", "msg:", "nostr:", "hook:", "tick_"];
/** The last instant that a JavaScript date can name. */
const MAX_TIMESTAMP = 8_640_000_000_000_000;

function refuse(what: string, value: unknown, rule: string): FileError {
  const shown = typeof value === "string" ? value.slice(0, 140) : String(value).slice(0, 140);
  return new FileError("invalid_request", `parse ${what}`, shown, { detail: rule });
}

/** @throws FileError `invalid_request` */
export function agentId(value: unknown): AgentId {
  if (typeof value === "string" && AGENT_ID.test(value)) return value as AgentId;
  throw refuse(
    "agent id",
    value,
    'an agent id is 1 to 63 of a-z, 0-9, "_" and "-", and begins with a letter or digit',
  );
}

/** @throws FileError `invalid_request` */
export function envelopeId(value: unknown): EnvelopeId {
  if (typeof value === "string" && ENVELOPE_ID.test(value) && !NOT_ENVELOPE_IDS.has(value)) {
    return value as EnvelopeId;
  }
  throw refuse(
    "envelope id",
    value,
    'an envelope id is 1 to 128 of A-Z, a-z, 0-9, ".", "_", ":" and "-", and none of . .. list count ctl',
  );
}

/** An envelope id from outside the runtime, which may not pose as one of its own. @throws FileError `invalid_request` */
export function foreignEnvelopeId(value: unknown): EnvelopeId {
  const id = envelopeId(value);
  const prefix = RESERVED.find((p) => id.startsWith(p));
  if (prefix) {
    throw refuse("envelope id", value, `ids that begin with "${prefix}" belong to the runtime`);
  }
  return id;
}

/** @throws FileError `invalid_request` */
export function timestamp(value: unknown): Timestamp {
  const ms = typeof value === "string" ? Date.parse(value) : value;
  if (typeof ms === "number" && Number.isSafeInteger(ms) && Math.abs(ms) <= MAX_TIMESTAMP) {
    return ms as Timestamp;
  }
  throw refuse("timestamp", value, "a time is ISO 8601 or integer milliseconds since 1970");
}

/** `2026-01-02T03:04:05.006Z` */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastIso = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastIso;
}

/** A tick tells its time in many places, and many ticks run in one millisecond. */
let lastMs = 0;
let lastIso = "1970-01-01T00:00:00.000Z";

/** @throws FileError `invalid_request` */
export function microUsd(value: unknown): MicroUsd {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    return value as MicroUsd;
  }
  throw refuse("amount", value, "an amount is a non-negative integer of micro-USD");
}

/** RFC 9562 UUID, version 7, from a time in milliseconds and ten random bytes. */
export function uuidv7(ms: number, random: Uint8Array): string {
  const b = new Uint8Array(16);
  for (let i = 5, t = ms; i >= 0; i--, t = Math.floor(t / 256)) b[i] = t % 256;
  b.set(random.subarray(0, 10), 6);
  return formatUuid(b, 7);
}

/** The time in a UUID of version 7, or in an id that ends in one: milliseconds since the Unix epoch. */
export function timeOfUuid(id: string): number {
  return parseInt(id.slice(-36).replace("-", "").slice(0, 12), 16);
}

/** RFC 9562 UUID, version 4, from sixteen random bytes. */
export function uuidv4(random: Uint8Array): string {
  return formatUuid(Uint8Array.from(random.subarray(0, 16)), 4);
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

function formatUuid(b: Uint8Array, version: number): string {
  b[6] = (b[6]! & 0x0f) | (version << 4);
  b[8] = (b[8]! & 0x3f) | 0x80;
  let out = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out += "-";
    out += HEX[b[i]!];
  }
  return out;
}
