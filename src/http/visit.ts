/** One request as every route is given it. */
import type { Principal } from "../core/runtime.ts";
import type { SpanContext } from "../core/tracer.ts";
import type { Peer } from "./auth.ts";
import type { Target } from "./target.ts";

export interface Visit {
  readonly request: Request;
  readonly target: Target;
  readonly principal: Principal;
  /** Where it came from. */
  readonly peer: Peer;
  /** What is done for it belongs to this trace; undefined where nobody traces and the caller names none. */
  readonly trace: SpanContext | undefined;
  /** Aborts when the server stops: watches and waits end. */
  readonly stopping: AbortSignal;
}

/** Answers are the caller's alone and may change at any time. */
const FRESH = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

export function json(value: unknown, status = 200, more: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", ...FRESH, ...more },
  });
}

/** What a file's call or a service has already written as JSON. */
export function jsonBytes(bytes: Uint8Array, status = 200): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    status,
    headers: { "content-type": "application/json", ...FRESH },
  });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
}
