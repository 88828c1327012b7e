/** Is a message signed with a hook's secret? Every answer takes the same work, so that the time tells nothing. */
import { joined } from "../bytes.ts";
import type { HookConfig } from "./hook.ts";

export interface Delivery {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** What a hook's scheme says of a message, before anything of it is believed. */
export interface Claim {
  /** Signatures that may be the right one. */
  readonly signatures: readonly Uint8Array<ArrayBuffer>[];
  readonly signed: Uint8Array<ArrayBuffer>;
  /** Its own name for the delivery. */
  readonly id: string | undefined;
  readonly event: string | undefined;
  /** When it says it was sent, milliseconds since 1970; undefined: the hook asks for no time. */
  readonly sentMs: number | undefined;
}

const SIGNATURE_BYTES = 32;
/** Senders that change their secret sign with both for a while. */
const MAX_SIGNATURES = 8;
const encoder = new TextEncoder();

export function importSecret(secret: string): Promise<CryptoKey> {
  const usages: KeyUsage[] = ["verify", "sign"];
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, usages);
}

export function claimOf(config: HookConfig, { headers, body }: Delivery): Claim {
  if (config.scheme === "github") {
    return {
      signatures: githubSignatures(headers.get("x-hub-signature-256")),
      signed: body as Uint8Array<ArrayBuffer>,
      id: headers.get("x-github-delivery") ?? undefined,
      event: headers.get("x-github-event") ?? undefined,
      sentMs: undefined,
    };
  }
  const { signature_header, id_header, event_header, timestamp_header } = config;
  const get = (name: string | undefined) => name && (headers.get(name) ?? undefined);
  const id = get(id_header);
  const timestamp = get(timestamp_header);
  const template = config.signed ?? (timestamp_header ? "{timestamp}.{body}" : "{body}");
  return {
    signatures: signaturesIn(headers.get(signature_header)),
    signed: filled(template, { id: id ?? "", timestamp: timestamp ?? "" }, body),
    id,
    event: get(event_header),
    sentMs: timestamp_header === undefined ? undefined : timeOf(timestamp),
  };
}

/** `sha256=<hex>`, and nothing else. */
function githubSignatures(header: string | null): Uint8Array<ArrayBuffer>[] {
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(header ?? "")?.[1];
  return hex === undefined ? [] : [Uint8Array.fromHex(hex)];
}

/** Hex or base64, bare or behind a word and `=`, one or a few behind commas or blanks. */
export function signaturesIn(header: string | null): Uint8Array<ArrayBuffer>[] {
  const found: Uint8Array<ArrayBuffer>[] = [];
  for (const part of (header ?? "").split(/[\s,]+/).slice(0, 2 * MAX_SIGNATURES)) {
    const bytes = signatureIn(part) ?? signatureIn(part.replace(/^[A-Za-z0-9_-]{1,16}=/, ""));
    if (bytes && found.length < MAX_SIGNATURES) found.push(bytes);
  }
  return found;
}

function signatureIn(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.fromHex(text);
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
    return bytes.length === SIGNATURE_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function filled(
  template: string,
  values: { readonly id: string; readonly timestamp: string },
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const [before, after] = template.split("{body}").map((text) =>
    encoder.encode(
      text.replace(/\{(id|timestamp)\}/g, (_, name: keyof typeof values) => values[name]),
    )
  );
  return joined([before!, body, after!]);
}

/** NaN for what is no time. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return NaN;
  if (!/^[0-9]{1,15}$/.test(text)) return Date.parse(text);
  const n = Number(text);
  // Seconds reach this far only after the year 5000.
  return n < 100_000_000_000 ? n * 1000 : n;
}

/** @param toleranceMs how far the time of sending may be off; undefined: the hook asks for no time */
export async function isSigned(
  key: CryptoKey,
  { signatures, signed, sentMs }: Claim,
  nowMs: number,
  toleranceMs: number | undefined,
): Promise<boolean> {
  let right = false;
  // Without a signature the work is done all the same.
  const tried = signatures.length ? signatures : [new Uint8Array(SIGNATURE_BYTES)];
  for (const signature of tried) {
    const fits = await crypto.subtle.verify("HMAC", key, signature, signed);
    right ||= fits && signatures.length > 0;
  }
  if (toleranceMs === undefined) return right;
  return right && Math.abs(nowMs - (sentMs ?? NaN)) <= toleranceMs;
}
