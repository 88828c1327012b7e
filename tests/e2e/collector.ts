/** Takes spans as a collector of OpenTelemetry does (OTLP over HTTP, as JSON), as much of it as a test needs. */

export interface GotSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** Of strings, numbers and booleans. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0: none, 1: ok, 2: an error. */
  readonly status: number;
}

export interface Collector {
  readonly url: string;
  /** The first span that fits, whether it has come already or comes. */
  span(fits: (span: GotSpan) => boolean): Promise<GotSpan>;
  all(): readonly GotSpan[];
  close(): Promise<void>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: GotSpan["links"];
  readonly attributes?: readonly Attribute[];
  readonly status?: { readonly code?: number };
}
interface Sent {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

export function collector(): Collector {
  const spans: GotSpan[] = [];
  const waiting = new Set<() => void>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const sent: Sent = await request.json();
      for (const { scopeSpans } of sent.resourceSpans ?? []) {
        for (const scope of scopeSpans) spans.push(...scope.spans.map(got));
      }
      for (const look of waiting) look();
      return Response.json({});
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    all: () => spans,
    span(fits) {
      const { promise, resolve } = Promise.withResolvers<GotSpan>();
      const look = () => {
        const found = spans.find(fits);
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
      return promise;
    },
    close: () => server.shutdown(),
  };
}

function got(span: SentSpan): GotSpan {
  return {
    name: span.name,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? "",
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
    attributes: Object.fromEntries(
      (span.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
    ),
    status: span.status?.code ?? 0,
  };
}
