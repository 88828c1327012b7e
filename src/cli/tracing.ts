/** Does somebody trace? Deno says so by a provider of the API's, without any permission to look at the environment. */
import type { Tracer } from "../core/tracer.ts";

/** Where OpenTelemetry's API finds who implements it. */
const API = Symbol.for("opentelemetry.js.api.1");

/** The tracer where `OTEL_DENO=true` was said at the start; undefined, and nothing loaded, where it was not. */
export async function tracerOf(version: string): Promise<Tracer | undefined> {
  const { trace } = (globalThis as { [API]?: { trace?: unknown } })[API] ?? {};
  if (trace === undefined) return undefined;
  return (await import("./opentelemetry.ts")).openTelemetry(version);
}
