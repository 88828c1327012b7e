/** One run of a handler as it is told to who counts and who traces. */
import type { Failure } from "./agent.ts";
import type { Effects } from "./effects.ts";
import type { Envelope } from "./envelope.ts";
import type { Live } from "./live.ts";
import type { TickOutcome } from "./meter.ts";
import { parseTraceparent, type SpanContext } from "./tracer.ts";

export interface RunWatch {
  /** What is done in the run is a part of. */
  readonly context: SpanContext | undefined;
  end(outcome: TickOutcome, failure?: Failure): void;
}

export function watchRun(
  live: Live,
  envelope: Envelope,
  { frame }: Effects,
): RunWatch {
  const { meter, tracer } = live;
  const counted = meter.tick();
  if (!tracer) return { context: undefined, end: counted };
  const origin = originOf(envelope);
  const span = tracer.start("tick", {
    kind: "consumer",
    // A part of its sender's trace, and linked to the very span that sent it, which may have ended long ago.
    ...(origin ? { parent: origin, links: [origin] } : {}),
    attributes: {
      "agentd.agent": live.id,
      "agentd.tick_id": frame.tickId,
      "agentd.envelope_id": envelope.id,
      "agentd.attempt": frame.attempt,
      "agentd.source": envelope.source.kind,
      ...(envelope.metadata.trace_id ? { "agentd.trace_id": envelope.metadata.trace_id } : {}),
    },
  });
  return {
    context: span.context,
    end(outcome, failure) {
      counted(outcome);
      span.set("agentd.outcome", outcome);
      span.end(failure);
    },
  };
}

/** The span from which an envelope came, where its sender told it. */
function originOf({ metadata }: Envelope): SpanContext | undefined {
  return parseTraceparent(metadata.extra?.["traceparent"]);
}
