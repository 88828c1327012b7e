/** Bytes that somebody sent, as a message: what they are is said by their type, or looked at where nobody said it. */
import { FileError } from "../fs/error.ts";
import type { Json } from "./envelope.ts";
import { parseJson } from "./strange.ts";

/** An envelope from outside, or what is to be the payload of one; its fields are not looked at. */
export type Body = { [field: string]: Json };

const JSON_TYPE = /^(?:application\/(?:.*\+)?json|text\/json)$/;
const TEXT_TYPE = /^(?:text\/.*|application\/(?:.*\+)?xml|application\/(?:x-)?(?:ndjson|yaml))$/;
/** What `curl -d` says of whatever its user typed; it is looked at, never URL-decoded. */
const FORM_TYPE = "application/x-www-form-urlencoded";
const strict = new TextDecoder("utf-8", { fatal: true });

/**
 * An object with `payload` is an envelope; all else is a payload.
 * @throws FileError `invalid_request`: it is not what its type says
 */
export function bodyOf(bytes: Uint8Array, contentType: string | null | undefined): Body {
  if (bytes.length === 0) return { payload: "" };
  const [type, charset] = typeAndCharset(contentType ?? "");
  if (JSON_TYPE.test(type)) return envelopeIn(parsedJson(textOf(bytes, charset)));
  if (TEXT_TYPE.test(type)) return { payload: textOf(bytes, charset) };
  if (type === FORM_TYPE) return typed(textOf(bytes, charset));
  if (type === "") {
    const text = utf8(bytes);
    if (text !== undefined) return typed(text);
  }
  const data = bytes.toBase64();
  return { payload: type ? { kind: "binary", data, type } : { kind: "binary", data } };
}

/** JSON if it is an object or array, else text. */
function typed(text: string): Body {
  if (/^\s*[{[]/.test(text)) {
    try {
      return envelopeIn(parseJson(text));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return { payload: text };
}

function envelopeIn(value: Json): Body {
  return isObject(value) && Object.hasOwn(value, "payload") ? value : { payload: value };
}

export function isObject(value: Json): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsedJson(text: string): Json {
  try {
    return parseJson(text);
  } catch (cause) {
    const reason = String((cause as Error).message).slice(0, 200);
    throw invalid(`its type says JSON; this is no JSON: ${reason}`, cause);
  }
}

function typeAndCharset(contentType: string): [type: string, charset: string] {
  const [type, ...parameters] = contentType.split(";").map((part) => part.trim());
  const charset = parameters.find((part) => /^charset=/i.test(part));
  return [type!.toLowerCase(), charset?.slice("charset=".length).replaceAll('"', "") || "utf-8"];
}

function textOf(bytes: Uint8Array, charset: string): string {
  try {
    if (charset === "utf-8") return strict.decode(bytes);
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid(`it is not ${charset.slice(0, 40)} text`, cause);
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function invalid(detail: string, cause: unknown): FileError {
  return new FileError("invalid_request", "send", "/inbox", { detail, cause });
}
