/** What went wrong with a model call, as one of the closed list: from what the SDK throws and what the server says. */
import type { APIError } from "openai/error";
import { type Code, type ErrorExtra, FileError } from "../../fs/error.ts";

/** Of a server's words, no more is passed on. */
const MAX_WORDS = 300;
/** Some servers repeat the key that they refuse, or most of it. */
const KEY_LIKE = /\b(?:sk|pk|key|bearer)[-_ ][\w*.\-]{6,}/gi;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

export interface FailureContext {
  /** What was asked for, as its caller would say it: `ollama/llama3`. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly key?: (() => string | undefined) | undefined;
  now(): number;
}

/** The failure to tell; the reason of the signal where the caller has left. */
export function failureOf(error: unknown, context: FailureContext): unknown {
  if (context.signal.aborted) return context.signal.reason;
  const own = ownIn(error);
  if (own) return own;
  if (error instanceof SyntaxError) return garbage(context.what);
  const api = error as Partial<APIError> | undefined;
  // Duck-typed: the SDK is loaded when it is first needed, its classes with it.
  if (error instanceof Error && "status" in error && "headers" in error) {
    return told(api as APIError, context);
  }
  return new FileError("internal", "ask", context.what, { cause: error });
}

/** An answer that is none: not JSON, or without what an answer has. */
export function garbage(what: string): FileError {
  return new FileError("provider_unavailable", "ask", what, {
    detail: "the server answers, but not as an OpenAI-compatible model server does",
    extra: { retryable: false },
  });
}

/** A status that says no, where the server's words do not matter. */
export function refusedWith(status: number, what: string): FileError {
  const kind = kindOf(status, "", undefined);
  const extra = { status, retryable: RETRYABLE.includes(kind) };
  return new FileError(kind, "ask", what, { detail: `${SENTENCES[kind]} (HTTP ${status})`, extra });
}

/** One of ours, which the SDK may have wrapped. */
function ownIn(error: unknown): FileError | undefined {
  let at = error;
  for (let depth = 0; depth < 4 && at instanceof Error; depth++) {
    if (at instanceof FileError) return at;
    at = at.cause;
  }
  return undefined;
}

/** A refusal of the server; in the middle of a stream it comes without a status, or with one as its code. */
function told(error: APIError, context: FailureContext): FileError {
  const code = error.code as unknown;
  const status = error.status ?? (typeof code === "number" ? code : undefined);
  const kind = kindOf(status, String(code ?? ""), error.type);
  const words = wordsOf(error, context.key?.());
  const after = retryAfterMs(error.headers, context.now());
  const extra: ErrorExtra = {
    ...(status === undefined ? {} : { status }),
    ...(after === undefined ? {} : { retry_after_ms: after }),
    retryable: RETRYABLE.includes(kind),
  };
  const detail = [SENTENCES[kind], words && `the server says: ${words}`].filter(Boolean).join("; ");
  return new FileError(kind, "ask", context.what, { detail, extra });
}

const RETRYABLE: readonly Code[] = ["provider_unavailable", "rate_limited", "timeout"];
const SENTENCES: Partial<Record<Code, string>> = {
  auth_required: "the key is missing, wrong, or not good for this; an operator sets another one",
  insufficient_credits: "the account has no credit left",
  timeout: "the model server waited too long",
  rate_limited: "too many requests for this account",
  not_found: "the server has no such model, or no such way to ask",
  provider_unavailable: "the model server failed",
  too_large: "the request is larger than the server takes",
  invalid_request: "the server refuses the request",
};

function kindOf(status: number | undefined, code: string, type: string | undefined): Code {
  if (code === "insufficient_quota" || type === "insufficient_quota") return "insufficient_credits";
  if (code === "model_not_found") return "not_found";
  switch (status) {
    case 401:
    case 403:
      return "auth_required";
    case 402:
      return "insufficient_credits";
    case 404:
      return "not_found";
    case 408:
      return "timeout";
    case 413:
      return "too_large";
    case 429:
      return "rate_limited";
    case 409:
    case 425:
    case undefined:
      return "provider_unavailable";
    default:
      return status >= 400 && status < 500 ? "invalid_request" : "provider_unavailable";
  }
}

/** The server's words, cut and without anything that looks like a key. */
function wordsOf({ error, message }: APIError, key: string | undefined): string {
  const said = (error as { message?: unknown } | undefined)?.message ?? message;
  // Its last part may be what a cut has left of a key, so the key goes first.
  const plain = String(said).replaceAll(key || "\0", "[key]").replace(KEY_LIKE, "[key]")
    .replace(/\s+/g, " ").trim();
  return plain.length > MAX_WORDS ? `${plain.slice(0, MAX_WORDS)}…` : plain;
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date. */
function retryAfterMs(headers: Headers | undefined, nowMs: number): number | undefined {
  const ms = headers?.get("retry-after-ms"), after = headers?.get("retry-after");
  const value = ms
    ? Number(ms)
    : !after
    ? NaN
    : /^[\d.]+$/.test(after)
    ? Number(after) * 1000
    : Date.parse(after) - nowMs;
  if (Number.isNaN(value)) return undefined;
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(value)));
}
