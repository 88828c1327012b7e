/** Spans of work and how they hang together (W3C Trace Context). Who keeps them is the door's; by default nobody does. */
import type { Metadata } from "./envelope.ts";

/** Where a span stands: enough to be named from another process. */
export interface SpanContext {
  /** 32 hex digits, not all 0. */
  readonly traceId: string;
  /** 16 hex digits, not all 0. */
  readonly spanId: string;
  /** Its trace is kept. */
  readonly sampled: boolean;
}

export type SpanValue = string | number | boolean;

export interface SpanStart {
  /** `server`: answers a request. `consumer`: takes up what was left for it earlier. */
  readonly kind: "internal" | "server" | "consumer";
  readonly parent?: SpanContext | undefined;
  /** Spans that it follows from without being a part of them. */
  readonly links?: readonly SpanContext[];
  readonly attributes?: Readonly<Record<string, SpanValue>>;
}

export interface Span {
  readonly context: SpanContext;
  set(name: string, value: SpanValue): void;
  /** Once; what comes later counts nothing. With an error, the span has failed. */
  end(error?: { readonly code: string; readonly message: string }): void;
}

export interface Tracer {
  /** `name` is one of few: no ids in it. */
  start(name: string, of: SpanStart): Span;
}

/** The trace that an envelope belongs to, as its metadata tell it. */
export interface TraceMark {
  readonly trace_id?: string;
  readonly traceparent?: string;
}

/** What an envelope's metadata say of the trace from which it came. */
export function traceMark({ trace_id, extra }: Metadata): TraceMark | undefined {
  const traceparent = extra?.["traceparent"];
  const mark = {
    ...(trace_id === undefined ? {} : { trace_id }),
    ...(typeof traceparent === "string" ? { traceparent } : {}),
  };
  return Object.keys(mark).length ? mark : undefined;
}

/** The same metadata, which belong to the trace `context` unless they name another one. */
export function inTrace(metadata: Metadata, context: SpanContext): Metadata {
  const own = traceMark(metadata);
  if (own?.traceparent !== undefined) return metadata;
  const trace_id = own?.trace_id ?? context.traceId;
  return {
    ...metadata,
    trace_id,
    extra: { ...metadata.extra, traceparent: traceparentOf(context) },
  };
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = /^0+$/;

/** A `traceparent`; undefined for what is none. A version that we do not know is read as far as we know it, as the standard says. */
export function parseTraceparent(text: unknown): SpanContext | undefined {
  if (typeof text !== "string" || text.length > 512) return undefined;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(text.trim()) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more)) return undefined;
  if (NO_TRACE.test(traceId!) || NO_TRACE.test(spanId!)) return undefined;
  return { traceId: traceId!, spanId: spanId!, sampled: (parseInt(flags!, 16) & 1) === 1 };
}

export function traceparentOf({ traceId, spanId, sampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
