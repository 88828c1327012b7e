/** Bytes that were sent, as an envelope: what they are is said by their type, or looked at where nobody said it. */
import { type EnvelopeInput, parseEnvelope } from "../../core/envelope.ts";
import { parseJson } from "../../core/strange.ts";
import { jsonOf, textOf } from "./json.ts";

const JSON_LIKE = /^(?:application|text)\/(?:[^;]*\+)?json$/;
const TEXT_LIKE = /^(?:text\/.*|application\/(?:.*\+)?xml|application\/(?:x-)?(?:ndjson|yaml))$/;
/** What `curl -d` says of whatever its user typed; it is looked at, never URL-decoded. */
const FORM = "application/x-www-form-urlencoded";

/**
 * An object with `payload` is an envelope; all else is a payload.
 * @throws FileError `invalid_request`
 */
export function envelopeOf(bytes: Uint8Array, type: string | undefined): EnvelopeInput {
  const essence = /^[^;]*/.exec(type ?? "")![0].trim().toLowerCase() || undefined;
  if (bytes.length === 0) return parseEnvelope({ payload: "" });
  if (essence === undefined) return looked(bytes) ?? binary(bytes);
  if (JSON_LIKE.test(essence)) return ofJson(jsonOf(bytes, "its type says JSON"));
  if (TEXT_LIKE.test(essence)) return parseEnvelope({ payload: textOf(bytes) });
  if (essence === FORM) return looked(bytes) ?? parseEnvelope({ payload: textOf(bytes) });
  return binary(bytes, essence);
}

/** JSON if it is an object or an array, else text; undefined if it is neither. */
function looked(bytes: Uint8Array): EnvelopeInput | undefined {
  let text: string;
  try {
    text = textOf(bytes);
  } catch {
    return undefined;
  }
  const value = /^\s*[[{]/.test(text) ? parsed(text) : undefined;
  return value === undefined ? parseEnvelope({ payload: text }) : ofJson(value);
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function ofJson(value: unknown): EnvelopeInput {
  const isEnvelope = typeof value === "object" && value !== null && Object.hasOwn(value, "payload");
  return parseEnvelope(isEnvelope ? value : { payload: value });
}

function binary(bytes: Uint8Array, type?: string): EnvelopeInput {
  const payload = { kind: "binary", data: bytes.toBase64(), ...(type ? { type } : {}) };
  return parseEnvelope({ payload });
}
