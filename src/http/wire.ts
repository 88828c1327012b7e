/** Requests to a server: the token, the query, and every failure as the error it was. */
import type { Backend } from "../core/backend.ts";
import { FileError } from "../fs/error.ts";
import { errorOf } from "./codes.ts";

/** As much of `fetch` as is needed, so that a socket, or the application itself, can stand in its place. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export interface WireOptions {
  readonly url: string;
  readonly token?: string;
  readonly fetch?: Fetch;
  readonly timer?: Backend["timer"];
}

export interface Ask {
  /** The verb, as an error tells it. */
  readonly op: string;
  /** Encoded, below the server's address. */
  readonly path: string;
  /** What the error names; `path` if absent. */
  readonly named?: string;
  readonly method?: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is sent as it comes. */
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array>;
  /** The body's media type. */
  readonly type?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Wire {
  /** The response, if it is a good one. @throws FileError */
  send(ask: Ask): Promise<Response>;
  /** The body of a good response, which is JSON. @throws FileError */
  json(ask: Ask): Promise<unknown>;
  readonly timer: Backend["timer"];
}

export function createWire({ url, token, fetch: given, timer }: WireOptions): Wire {
  const over: Fetch = given ?? ((to, init) => fetch(to, init));

  async function send(ask: Ask): Promise<Response> {
    const { op, path, named = path, method = "GET", body, type, signal } = ask;
    const headers: Record<string, string> = { ...ask.headers };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (type !== undefined) headers["content-type"] = type;
    let response: Response;
    try {
      response = await over(url + path + queryText(ask.query), {
        method,
        headers,
        redirect: "error",
        ...(body === undefined ? {} : { body: body as BodyInit }),
        // Without it, the platform refuses a body that is a stream.
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      throw failure(error, op, named, url, signal);
    }
    if (response.ok) return response;
    throw await refusalOf(response, op, named);
  }

  return {
    send,
    async json(ask) {
      const response = await send(ask);
      try {
        return await response.json();
      } catch (cause) {
        const detail = `${url} did not answer with JSON; is it an agentd server?`;
        throw new FileError("provider_unavailable", ask.op, ask.named ?? ask.path, {
          detail,
          cause,
        });
      }
    },
    timer: timer ?? ((delayMs, fire) => {
      const timer = setTimeout(fire, delayMs);
      return () => clearTimeout(timer);
    }),
  };
}

function queryText(query: Ask["query"] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return "";
  return "?" + new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
}

/** Why there is no response. An error that `fetch` made of its own is its caller's to understand. */
function failure(
  error: unknown,
  op: string,
  named: string,
  url: string,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) {
    return new FileError("interrupted", op, named, { detail: "the signal aborted", cause: error });
  }
  if (!(error instanceof TypeError)) return error;
  return unavailable(op, named, `no answer from ${url}: ${error.message}`, error);
}

export function unavailable(op: string, named: string, detail: string, cause: unknown): FileError {
  return new FileError("provider_unavailable", op, named, { detail, cause });
}

/** A body that breaks off is no end of it. */
export async function* chunksOf({ body }: Response, url: string): AsyncGenerator<Uint8Array> {
  try {
    if (body) yield* body;
  } catch (cause) {
    throw unavailable("read", url, "the connection ended before the answer did", cause);
  }
}

/** The error that a response tells of; what is no answer of ours is told by its status. */
export async function refusalOf(response: Response, op: string, named: string): Promise<FileError> {
  const text = await response.text().catch(() => "");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch { /* not ours: something stands in between */ }
  return errorOf(body, op, named) ??
    new FileError("provider_unavailable", op, named, {
      detail: `the answer was ${response.status} ${response.statusText}`.trim() +
        "; is something else listening there?",
    });
}
