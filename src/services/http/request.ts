/** A request as it is written to `/http/new`: checked before anything is counted or sent. */
import { z } from "zod";
import type { Json } from "../../core/envelope.ts";
import type { Endpoint } from "../../core/hosts.ts";
import { refusal } from "../../fs/tree.ts";
import { fitting, jsonOf } from "../common/json.ts";
import { MAX_BYTES, METHODS } from "./policy.ts";

export const MAX_REQUEST_BYTES = 12 * 1024 * 1024;
const MAX_URL = 8 * 1024;
const MAX_HEADERS = 64;
const MAX_HEADER_CHARS = 32 * 1024;
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_TIMEOUT_MS = 10 * 60_000;
const MAX_KEY = 255;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
// deno-lint-ignore no-control-regex -- what would end a header, or hide in it
const NOT_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
/** They belong to the connection, which is not the agent's. */
const NOT_GIVEN: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

const schema = z.strictObject({
  method: z.string().default("GET"),
  url: z.string().max(MAX_URL),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])).default({}),
  body: z.string().exactOptional(),
  body_base64: z.base64().exactOptional(),
  timeout_ms: z.int().min(1).max(MAX_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  max_bytes: z.int().min(1).max(MAX_BYTES).exactOptional(),
  idempotency_key: z.string().min(1).max(MAX_KEY).exactOptional(),
  wait: z.boolean().default(false),
  notify: z.boolean().default(true),
});

/** What is sent; plain JSON, so that a job can keep it. */
export interface WebRequest {
  readonly method: string;
  /** As the URL standard writes it. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly body_base64?: string;
  readonly max_bytes?: number;
}

export interface Written {
  readonly request: WebRequest;
  readonly timeoutMs: number;
  readonly idempotencyKey: string | undefined;
  readonly wait: boolean;
  readonly notify: boolean;
}

/** @throws FileError `invalid_request` */
export function requestOf(data: Uint8Array): Written {
  const hint = 'a request is { "method", "url", "headers"?, "body"? }';
  const given = fitting(schema, jsonOf(data, hint));
  const method = given.method.toUpperCase();
  if (!METHODS.some((known) => known === method)) {
    throw refusal("invalid_request", `method: it is one of ${METHODS.join(", ")}`);
  }
  const { body, body_base64, max_bytes } = given;
  if (body !== undefined && body_base64 !== undefined) {
    throw refusal("invalid_request", "body and body_base64 are two ways to say the same: give one");
  }
  if (isRepeatable(method) && (body ?? body_base64) !== undefined) {
    throw refusal("invalid_request", `body: a ${method} request has none`);
  }
  return {
    request: {
      method,
      url: urlOf(given.url).href,
      headers: headersOf(given.headers),
      ...(body === undefined ? {} : { body }),
      ...(body_base64 === undefined ? {} : { body_base64 }),
      ...(max_bytes === undefined ? {} : { max_bytes }),
    },
    timeoutMs: given.timeout_ms,
    idempotencyKey: given.idempotency_key,
    wait: given.wait,
    notify: given.notify,
  };
}

/** As `outside` compares requests. */
export function orderOf({ request, timeoutMs, wait }: Written): Json {
  return { ...request, timeout_ms: timeoutMs, wait } as unknown as Json;
}

/** Asked twice, it does no more than asked once. */
export function isRepeatable(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/**
 * An address that may be asked.
 * @param base where a server sent it on from: what servers say is not told in part, since half a secret is not known again
 * @throws FileError `invalid_request`
 */
export function urlOf(text: string, base?: string): URL {
  const refuse = (why: string) => refusal("invalid_request", `url: ${why}`);
  if (/\{\{secret:|%7b%7bsecret:/i.test(text)) {
    throw refuse("a secret is put into a header or the body, not into an address, which is told");
  }
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw refuse(
      `${base ? "what it redirects to" : JSON.stringify(text.slice(0, 80))} is no address`,
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refuse("only http and https are spoken");
  }
  // Told apart by the text too: an empty user name leaves no other trace.
  if (url.username !== "" || url.password !== "" || hasUserInfo(text)) {
    throw refuse("an address holds no user name and no password; put them into a header");
  }
  url.hash = "";
  return url;
}

function hasUserInfo(text: string): boolean {
  return /^\s*[a-z]+:[\\/]*[^\\/?#]*@/i.test(text);
}

export function endpointOf(url: URL): Endpoint {
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port);
  return { scheme, host: url.hostname.replace(/^\[|\]$/g, ""), port };
}

function headersOf(given: Readonly<Record<string, string | string[]>>): [string, string][] {
  const headers = Object.entries(given).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name.toLowerCase(), value])
  );
  if (headers.length > MAX_HEADERS) {
    throw refusal("invalid_request", `headers: at most ${MAX_HEADERS}, not ${headers.length}`);
  }
  const length = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (length > MAX_HEADER_CHARS) {
    throw refusal("invalid_request", `headers: at most ${MAX_HEADER_CHARS} characters in all`);
  }
  for (const [name, value] of headers) mustBeHeader(name, value);
  return headers;
}

/** @throws FileError `invalid_request`, which does not tell the value */
export function mustBeHeader(name: string, value: string): void {
  const refuse = (why: string) =>
    refusal("invalid_request", `headers: ${JSON.stringify(name.slice(0, 80))} ${why}`);
  if (!HEADER_NAME.test(name)) throw refuse("is no name of a header");
  if (NOT_GIVEN.has(name)) throw refuse("is set by the runtime alone");
  if (NOT_IN_VALUE.test(value)) throw refuse("has a line break or control character in its value");
}
