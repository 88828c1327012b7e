/** `{{secret:NAME}}` in header values and the body becomes the secret, just before it is sent to a host that it is bound to. */
import type { AgentId } from "../../core/id.ts";
import type { Endpoint } from "../../core/hosts.ts";
import type { Header } from "../../core/net.ts";
import type { Secrets } from "../../core/secrets.ts";
import { refusal } from "../../fs/tree.ts";
import { mustBeHeader, type WebRequest } from "./request.ts";

const REFERENCE = /\{\{secret:([A-Z][A-Z0-9_]{0,63})\}\}/g;
const encoder = new TextEncoder();

/** A request with its secrets in it; it is never kept. */
export interface Filled {
  readonly headers: readonly Header[];
  readonly body: Uint8Array | undefined;
  /** Names of headers with a secret in them. */
  readonly secretHeaders: ReadonlySet<string>;
  readonly hasSecretBody: boolean;
}

/** @throws FileError `not_found`, `permission_denied` for a secret that this agent may not send there; `invalid_request` */
export function filled(
  secrets: Secrets,
  agent: AgentId,
  request: WebRequest,
  host: Endpoint,
): Filled {
  const put = (text: string) =>
    text.replaceAll(REFERENCE, (_, name) => secrets.use(name, { mount: "/http", agent, host }));
  const secretHeaders = new Set<string>();
  const headers = request.headers.map(([name, text]): Header => {
    const value = put(whole(text));
    if (value !== text) secretHeaders.add(name);
    mustBeHeader(name, value);
    return [name, value];
  });
  const { body } = request;
  const text = body === undefined ? undefined : put(whole(body));
  return {
    headers,
    body: text === undefined ? bytesOf(request.body_base64) : encoder.encode(text),
    secretHeaders,
    hasSecretBody: text !== body,
  };
}

/** What looks like a reference and is none would be sent as it is, and nobody would know why it does not work. */
function whole(text: string): string {
  if (!text.replaceAll(REFERENCE, "").includes("{{secret:")) return text;
  throw refusal("invalid_request", "a secret is referred to as {{secret:NAME}}, in capitals");
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function bytesOf(base64: string | undefined): Uint8Array | undefined {
  if (base64 === undefined) return undefined;
  const digits = base64.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor(digits.length * 6 / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    held = (held << 6 | BASE64.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits & 0xff;
    }
  }
  return bytes;
}
