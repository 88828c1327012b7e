/** What a hook's sender sent, as an envelope. */
import { digest } from "../../core/code.ts";
import type { EnvelopeInput, Json, Payload } from "../../core/envelope.ts";
import { envelopeId } from "../../core/id.ts";
import { parseJson } from "../../core/strange.ts";
import { FileError } from "../../fs/error.ts";
import type { Claim } from "./verify.ts";

const JSON_TYPE = /^application\/(?:.*\+)?json$/;
const FORM_TYPE = "application/x-www-form-urlencoded";
/** A delivery's name that can stand in an envelope id as it is. */
const PLAIN_ID = /^[A-Za-z0-9._:-]{1,64}$/;
const MAX_EVENT_CHARS = 200;

/** @throws FileError `invalid_request`: it says that it is JSON and is not */
export function messageOf(
  name: string,
  { id, event, signed }: Claim,
  body: Uint8Array,
  contentType: string | null,
): EnvelopeInput {
  // What has no name of its own is named by what was signed, its time included where there is one.
  const delivery = id !== undefined && PLAIN_ID.test(id) ? id : digest(id ?? signed);
  return {
    id: envelopeId(`hook:${name}:${delivery}`),
    payload: payloadOf(body, contentType),
    metadata: {
      extra: {
        hook: name,
        ...(event === undefined ? {} : { event: event.slice(0, MAX_EVENT_CHARS) }),
        ...(id === undefined ? {} : { delivery: id.slice(0, MAX_EVENT_CHARS) }),
      },
    },
  };
}

function payloadOf(body: Uint8Array, contentType: string | null): Payload {
  const type = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  const text = utf8(body);
  if (text === undefined) {
    if (JSON_TYPE.test(type)) throw invalid("the body is not UTF-8");
    return { kind: "binary", data: body.toBase64(), ...(type ? { type } : {}) };
  }
  if (JSON_TYPE.test(type)) return { kind: "json", data: parsed(text) };
  if (type === FORM_TYPE) {
    // GitHub's other way to send its JSON.
    const payload = new URLSearchParams(text).get("payload");
    if (payload !== null) return { kind: "json", data: parsed(payload) };
  }
  return { kind: "text", text };
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw invalid(`the body is not JSON: ${String((error as Error).message).slice(0, 200)}`);
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function invalid(detail: string): FileError {
  return new FileError("invalid_request", "read", "hook", { detail });
}
