/** Carries one exchange to a model server: with the key and nowhere else, bounded in bytes, and never waiting for ever. What the SDK calls `fetch`. */
import { FileError } from "../../fs/error.ts";

/** As much of `fetch` as is used; what runtimes add to it differs. */
export type Fetch = (input: string | URL | Request, init?: FetchInit) => Promise<Response>;
export interface FetchInit {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit | null;
  readonly redirect?: "manual";
  readonly signal?: AbortSignal | null;
}

/** What of the world a seller of model calls needs; a backend's clock and timers serve. */
export interface SellerWorld {
  readonly fetch: Fetch;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs `fire` once, not before `delayMs` have passed; the answer cancels it. */
  timer(delayMs: number, fire: () => void): () => void;
}

export interface CarrierOptions {
  readonly world: SellerWorld;
  /** Asked for at each exchange, and kept nowhere. */
  readonly key?: (() => string | undefined) | undefined;
  /** How the key is sent, and what goes with it; `authorization` by default. */
  readonly keyHeaders?: KeyHeaders | undefined;
  /** A time without any byte after which an exchange is given up. */
  readonly stallMs: number;
  /** The most that an answer may have, on the wire. */
  readonly maxBytes: number;
}

export type KeyHeaders = (key: string) => Readonly<Record<string, string>>;

/** The wire form of 100,000 streamed tokens and more, or of 2,000 embeddings. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** A model that is being loaded, or that reads a long prompt, says nothing for a while. */
export const STALL_MS = 120_000;
/** Of a refusal, more is not read. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/** They have no body, and a `Response` with such a status takes none. */
const BODILESS = [204, 205, 304];
/** How runtimes say that no connection came about; the server has not seen the request then. */
const NOT_CONNECTED =
  /\(Connect\)|connection refused|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|dns error/i;

/**
 * A `fetch` for one server. Rejects with a `FileError`: `provider_unavailable` (with `asked: false` where there was no connection),
 * `timeout`, `too_large`; or with the reason of the caller's signal.
 */
export function carrier(options: CarrierOptions): Fetch {
  // Some runtimes refuse to be called as a method of something else.
  const { fetch } = options.world;
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const ends = new AbortController();
    const leave = () => ends.abort(init.signal?.reason);
    if (init.signal?.aborted) leave();
    init.signal?.addEventListener("abort", leave, { once: true });
    const done = () => init.signal?.removeEventListener("abort", leave);
    try {
      const response = await watched(options, url, ends, () =>
        fetch(url, {
          method: init.method ?? "GET",
          headers: headersOf(init.headers, options),
          ...(init.body === undefined ? {} : { body: init.body }),
          redirect: "manual",
          signal: ends.signal,
        }));
      mustBeFinal(response, url);
      if (!response.body || BODILESS.includes(response.status)) {
        done();
        // An answer that has none is an empty one to the SDK, which takes a stream for granted.
        return response.ok ? new Response("", { headers: response.headers }) : response;
      }
      const body = bounded(options, response, url, ends, done);
      return new Response(body, { status: response.status, headers: response.headers });
    } catch (error) {
      done();
      ends.abort(error);
      throw error;
    }
  };
}

/** What the SDK adds of its own (what machine this is, what the environment says) does not leave the house. */
function headersOf(
  asked: HeadersInit | undefined,
  { key: keyOf, keyHeaders = bearer }: CarrierOptions,
): Headers {
  const given = new Headers(asked), headers = new Headers();
  for (const name of ["accept", "content-type"]) {
    const value = given.get(name);
    if (value !== null) headers.set(name, value);
  }
  const key = keyOf?.();
  for (const [name, value] of Object.entries(key === undefined ? {} : keyHeaders(key))) {
    headers.set(name, value);
  }
  return headers;
}

function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

/** One step of an exchange: ended when nothing comes for too long, and its failure told as one of ours. */
async function watched<T>(
  { world, stallMs }: CarrierOptions,
  url: URL,
  ends: AbortController,
  step: () => Promise<T>,
): Promise<T> {
  const cancel = world.timer(stallMs, () =>
    ends.abort(
      new FileError("timeout", "ask", url.origin, {
        detail: `the model server sent nothing for ${stallMs} ms`,
        extra: { retryable: true },
      }),
    ));
  try {
    return await step();
  } catch (error) {
    if (ends.signal.aborted) throw ends.signal.reason;
    throw broken(error, url);
  } finally {
    cancel();
  }
}

function broken(error: unknown, url: URL): FileError {
  const said = [error, (error as { cause?: unknown } | undefined)?.cause].map(String).join(" ");
  if ((error as { name?: unknown } | undefined)?.name === "NotCapable") {
    return new FileError("provider_unavailable", "ask", url.origin, {
      detail: "the program has no permission to reach this address; start it with --allow-net",
      extra: { asked: false },
    });
  }
  return NOT_CONNECTED.test(said)
    ? new FileError("provider_unavailable", "ask", url.origin, {
      detail: "nobody answers at this address; is the model server running?",
      extra: { asked: false, retryable: true },
    })
    : new FileError("provider_unavailable", "ask", url.origin, {
      detail: "the connection to the model server broke",
      extra: { retryable: true },
    });
}

/** Who follows a redirect gives the key to whom it points to. */
function mustBeFinal(response: Response, url: URL): void {
  const { status, type, headers } = response;
  if (type !== "opaqueredirect" && (status < 300 || status >= 400 || status === 304)) return;
  const to = headers.get("location");
  const place = to && URL.canParse(to, url) ? ` to ${new URL(to, url).origin}` : "";
  throw new FileError("provider_unavailable", "ask", url.origin, {
    detail:
      `the server redirects${place}, which is not followed; set the address of the API itself`,
    extra: { asked: false, retryable: false },
  });
}

/** Bytes are read as they are wanted, and the time counts only while they are waited for. */
function bounded(
  options: CarrierOptions,
  response: Response,
  url: URL,
  ends: AbortController,
  done: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = response.body!.getReader();
  const limit = response.ok ? options.maxBytes : Math.min(options.maxBytes, MAX_REFUSAL_BYTES);
  let bytes = 0;
  const leave = (reason: unknown) => {
    done();
    ends.abort(reason);
    reader.cancel().catch(() => {});
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done: ended, value } = await watched(options, url, ends, () => reader.read());
        if (ended) {
          done();
          return controller.close();
        }
        bytes += value.length;
        if (bytes > limit && !response.ok) {
          controller.close();
          return leave(undefined);
        }
        if (bytes > limit) throw tooLarge(url, limit);
        controller.enqueue(value);
      } catch (error) {
        leave(error);
        controller.error(error);
      }
    },
    cancel: leave,
  }, { highWaterMark: 0 });
}

function tooLarge(url: URL, limit: number): FileError {
  return new FileError("too_large", "ask", url.origin, {
    detail: `the answer has more than ${limit} bytes; ask for less (max_tokens, fewer texts)`,
    extra: { limit_bytes: limit },
  });
}
