/** Spans to OpenTelemetry, by its API alone: what keeps and sends them is Deno's own, which `OTEL_DENO=true` switches on. */
import {
  type Context,
  ROOT_CONTEXT,
  type Span as ApiSpan,
  type SpanContext as ApiContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import type { Span, SpanContext, SpanStart, Tracer } from "../core/tracer.ts";

const KINDS: Readonly<Record<SpanStart["kind"], SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  consumer: SpanKind.CONSUMER,
};

export function openTelemetry(version: string): Tracer {
  const tracer = trace.getTracer("agentd", version);
  return {
    start(name, of) {
      // Deno has begun a span for the request already: it becomes ours, and Deno ends it.
      const theirs = of.kind === "server" ? trace.getActiveSpan() : undefined;
      if (theirs) return adopted(theirs, name, of);
      const span = tracer.startSpan(name, {
        kind: KINDS[of.kind],
        attributes: { ...of.attributes },
        links: (of.links ?? []).map((link) => ({ context: remote(link) })),
      }, contextOf(of.parent));
      return spanOf(span, () => span.end());
    },
  };
}

function adopted(span: ApiSpan, name: string, { attributes }: SpanStart): Span {
  span.updateName(name);
  span.setAttributes({ ...attributes });
  return spanOf(span, () => {});
}

function spanOf(span: ApiSpan, end: () => void): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  let over = false;
  return {
    context: { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
    set: (name, value) => void span.setAttribute(name, value),
    end(error) {
      if (over) return;
      over = true;
      if (error) {
        span.setAttribute("error.type", error.code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      end();
    },
  };
}

/** Never the context that happens to be active: a tick is not a part of the request that set it off by chance. */
function contextOf(parent: SpanContext | undefined): Context {
  return parent ? trace.setSpanContext(ROOT_CONTEXT, remote(parent)) : ROOT_CONTEXT;
}

function remote({ traceId, spanId, sampled }: SpanContext): ApiContext {
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: true };
}
