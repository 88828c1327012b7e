/** The web as agents reach it: one connection a request, to an address that was looked at, and nothing that is not asked for. */
import type { HttpAnswer, HttpProvider, HttpRequest } from "../../core/net.ts";
import { rangeOf } from "./addresses.ts";
import { readBody } from "./body.ts";
import { type ConnectOptions, connectTo, platformResolve, type Resolve } from "./connect.ts";
import { broken, givenUp, reasonOf, within } from "./fault.ts";
import { answerHead, requestHead } from "./head.ts";
import { readerOf } from "./reader.ts";

export type { Resolve } from "./connect.ts";

export interface HttpClientOptions {
  /** The platform's own if absent. */
  readonly resolve?: Resolve;
  /** Certificates, in PEM, that are trusted besides the platform's. */
  readonly caCerts?: readonly string[];
}

export function httpClient(options: HttpClientOptions = {}): HttpProvider {
  const { resolve = platformResolve, caCerts = [] } = options;
  return {
    exchange: (request) => exchange(request, { resolve, caCerts }),
    range: rangeOf,
  };
}

async function exchange(request: HttpRequest, options: ConnectOptions): Promise<HttpAnswer> {
  const { to, privateAddresses, signal } = request;
  const conn = await connectTo(to, privateAddresses, signal, options).catch((error) => {
    throw signal.aborted ? givenUp(to.host, signal.reason) : error;
  });
  try {
    return await within(signal, spoken(conn, request));
  } catch (error) {
    signal.throwIfAborted();
    throw broken(to.host, reasonOf(error));
  } finally {
    close(conn);
  }
}

async function spoken(conn: Deno.Conn, request: HttpRequest): Promise<HttpAnswer> {
  // A server may answer, and hang up, before it has read all: its answer counts.
  const sending = send(conn, requestHead(request), request.body);
  sending.catch(() => {});
  const reader = readerOf(conn);
  const head = await answerHead(reader);
  const { body, truncated } = await readBody(reader, head, request.method, request.maxBytes);
  return {
    ...head,
    headers: head.headers.filter(([name]) => !OF_CODING.has(name)),
    body,
    truncated,
  };
}

/** They tell of the body as it came, which nobody gets. */
const OF_CODING: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
]);

async function send(conn: Deno.Conn, head: Uint8Array, body?: Uint8Array): Promise<void> {
  for (const part of body ? [head, body] : [head]) {
    for (let at = 0; at < part.length;) at += await conn.write(part.subarray(at));
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It has gone already.
  }
}
