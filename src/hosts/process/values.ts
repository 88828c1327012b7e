/** What crosses the pipe beside frames: JSON as bytes, errors, and the limits that both sides keep. */
import { type Code, type ErrorExtra, FileError, isCode } from "../../fs/error.ts";
import type { Json } from "../../core/envelope.ts";
import { cut } from "../log.ts";
import { MAX_JSON_DEPTH } from "../plain.ts";
import { breach } from "./wire.ts";

/** Calls of one hook that may be on their way; the next one waits. */
export const MAX_CALLS = 256;
/** Bodies of calls that may be on their way, together; the next one waits. */
export const MAX_CALL_BYTES = 32 * 1024 * 1024;
/** The body of one call: a payload as large as an envelope may be, and room for what the engine refuses in its own words. */
export const MAX_BODY_BYTES = 17 * 1024 * 1024;
/** Files that one hook may hold open. */
export const MAX_HANDLES = 256;
/** Log entries of one hook; what comes after them is dropped. */
export const MAX_LOGS = 1_000;
/** Messages of one hook that came to nothing: dropped entries, words for a hook that is over. More are a flood. */
export const MAX_IDLE_MESSAGES = 100_000;
/** A bundled module. */
export const MAX_CODE_BYTES = 16 * 1024 * 1024;
/** A name, a path or an expression in a call; each has a smaller limit of its own where it is used. */
export const MAX_TEXT_CHARS = 16 * 1024;
const MAX_DETAIL_CHARS = 10 * 1024;
const MAX_EXTRA_CHARS = 16 * 1024;

const { parse, stringify } = JSON;
const encoder = new TextEncoder();

export function jsonBytes(value: unknown): Uint8Array {
  return encoder.encode(stringify(value));
}

/** @throws breach if the bytes are not JSON */
export function jsonValue(body: Uint8Array | undefined): Json {
  try {
    return parse(bytesText(body));
  } catch {
    throw breach("a body that is not JSON");
  }
}

/**
 * JSON that a stranger wrote. The depth is looked at before it is taken apart: a parser needs far more memory for each level than the byte that opens it.
 * @throws breach
 */
export function strangeJson(body: Uint8Array | undefined): Json {
  if (body && !isShallow(body)) throw breach(`JSON of more than ${MAX_JSON_DEPTH} levels`);
  return jsonValue(body);
}

const QUOTE = 0x22, BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b], CLOSING = [0x5d, 0x7d];

function isShallow(json: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (byte === QUOTE) inText = !inText;
    else if (inText) i += byte === BACKSLASH ? 1 : 0;
    else if (byte === OPENING[0] || byte === OPENING[1]) {
      if (++depth > MAX_JSON_DEPTH) return false;
    } else if (byte === CLOSING[0] || byte === CLOSING[1]) depth--;
  }
  return true;
}

/** @throws TypeError if the bytes are not UTF-8 */
export function bytesText(body: Uint8Array | undefined): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
}

/** A refusal as it is told over the pipe. */
export function errorJson(error: unknown): Json {
  if (!(error instanceof FileError)) {
    return { code: "internal", op: "use", path: "" };
  }
  const { code, op, path, detail, extra } = error;
  const told = extra && stringify(extra).length <= MAX_EXTRA_CHARS ? { extra } : {};
  return {
    code,
    op: cut(op, 200),
    path: cut(path, MAX_TEXT_CHARS),
    ...(detail === undefined ? {} : { detail: cut(detail, MAX_DETAIL_CHARS) }),
    ...told as { extra?: Json },
  };
}

/** The refusal that was told. Whatever it says is taken as text and nothing else. */
export function errorOf(value: unknown): FileError {
  const told = (value ?? {}) as Record<string, unknown>;
  const code: Code = isCode(told.code) ? told.code : "internal";
  const { detail, extra } = told;
  return new FileError(code, textOr(told.op, "use"), textOr(told.path, ""), {
    ...(typeof detail === "string" ? { detail } : {}),
    ...(typeof extra === "object" && extra !== null ? { extra: extra as ErrorExtra } : {}),
  });
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** The agent's thread is gone without a word: its heap was full, or it ended itself by force. */
export const EXIT_ENDED = 75;
/** The agent's thread failed. */
export const EXIT_FAULT = 76;
