/** Bytes of a command's output as events: text where it is text, whole characters across chunks, without any known secret. */
import type { OutputStream } from "../../core/containers.ts";
import type { Redactor } from "../../core/redact.ts";

/** What is not told yet, in base64: small, and kept with how far the output was taken in. */
export interface Rest {
  /** What may be the beginning of a secret. */
  readonly held: string;
  /** The beginning of a character. */
  readonly cut: string;
}

export const NO_REST: Rest = { held: "", cut: "" };

export interface Told {
  readonly stream: OutputStream;
  readonly data: string;
  readonly encoding?: "base64";
}

/** Undefined `told`: all of it waits for more. */
export interface Step {
  readonly told: Told | undefined;
  readonly rest: Rest;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The next bytes of a stream. `last`: no more come, and nothing waits. */
export function step(
  redactor: Redactor,
  stream: OutputStream,
  before: Rest,
  bytes: Uint8Array,
  last = false,
): Step {
  const secrets = redactor.stream({ eager: true, held: Uint8Array.fromBase64(before.held) });
  const shown = [Uint8Array.fromBase64(before.cut), secrets.push(bytes)];
  if (last) shown.push(secrets.end());
  const all = joined(shown);
  const whole = last ? all.length : wholeLength(all);
  const text = textOf(all.subarray(0, whole));
  const end = text === undefined ? all.length : whole;
  const rest = { held: secrets.held.toBase64(), cut: all.subarray(end).toBase64() };
  if (end === 0) return { told: undefined, rest };
  const told: Told = text === undefined
    ? { stream, data: all.toBase64(), encoding: "base64" }
    : { stream, data: text };
  return { told, rest };
}

export function bytesOf({ data, encoding }: Pick<Told, "data" | "encoding">): Uint8Array {
  return encoding === "base64" ? Uint8Array.fromBase64(data) : encoder.encode(data);
}

const encoder = new TextEncoder();

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Without a character at the end that is only begun. */
function wholeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const some = parts.filter(({ length }) => length > 0);
  if (some.length === 1) return some[0]!;
  const whole = new Uint8Array(some.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of some) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
