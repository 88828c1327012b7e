/** An answer as an agent gets it: `{ status, headers, body | body_base64, truncated }`, without any known secret. */
import type { Json } from "../../core/envelope.ts";
import type { HttpAnswer } from "../../core/net.ts";
import type { Redactor } from "../../core/redact.ts";

export interface Told {
  readonly answer: HttpAnswer;
  /** Of the body. */
  readonly maxBytes: number;
  /** Where it came from, if that is elsewhere than was asked. */
  readonly url?: string | undefined;
  /** Why a redirect was not followed. */
  readonly redirect?: string | undefined;
}

export function answerOf(redactor: Redactor, told: Told): Json {
  const { answer, maxBytes, url, redirect } = told;
  const stream = redactor.stream();
  // More than `maxBytes` was read, so that no secret is cut in two by the end of what is shown.
  const body = joined([stream.push(answer.body), stream.end(answer.truncated)]);
  const truncated = answer.truncated || body.length > maxBytes;
  const shown = body.subarray(0, maxBytes);
  const text = textOf(shown, answer, truncated);
  return redactor.json({
    status: answer.status,
    headers: headersOf(answer),
    ...(text === undefined ? { body_base64: base64Of(shown) } : { body: text }),
    truncated,
    ...(url === undefined ? {} : { url }),
    ...(redirect === undefined ? {} : { redirect }),
  });
}

/** Once there, a text; more often, a list. */
function headersOf({ headers }: HttpAnswer): { [name: string]: string | string[] } {
  const byName = new Map<string, string[]>();
  for (const [name, value] of headers) byName.set(name, [...byName.get(name) ?? [], value]);
  return Object.fromEntries(
    [...byName].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
  );
}

/** The body as text, where it says that it is text, or says nothing and is UTF-8. */
function textOf(
  bytes: Uint8Array,
  { headers }: HttpAnswer,
  truncated: boolean,
): string | undefined {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1] ?? "utf-8";
  try {
    const decoder = new TextDecoder(charset, { fatal: true });
    const text = decoder.decode(bytes, { stream: truncated });
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64Of(bytes: Uint8Array): string {
  const out: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const three = bytes[i]! << 16 | (bytes[i + 1] ?? 0) << 8 | (bytes[i + 2] ?? 0);
    const digit = (shift: number) => DIGITS[three >> shift & 63]!;
    out.push(
      digit(18) + digit(12) + (i + 1 < bytes.length ? digit(6) : "=") +
        (i + 2 < bytes.length ? digit(0) : "="),
    );
  }
  return out.join("");
}
