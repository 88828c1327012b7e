/** What a try comes to: its result, and how a failure is told. */
import { codeOf, FileError } from "../fs/error.ts";
import type { Failure, TickResult, Usage } from "./agent.ts";
import type { Effects, TickFrame } from "./effects.ts";
import { type EnvelopeId, isoTime, type TickId } from "./id.ts";

/** The fields by which trace events name a tick. */
export function idsOf(frame: TickFrame) {
  return { tick_id: frame.tickId, envelope_id: frame.envelopeId };
}

/** What is told of an error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof FileError) {
    const { code, detail, message, extra } = error;
    const stack = extra?.stack;
    return { code, message: detail ?? message, ...(Array.isArray(stack) ? { stack } : {}) };
  }
  return {
    code: codeOf(error) === "internal" ? "agent_error" : codeOf(error),
    message: error instanceof Error ? error.message : String(error),
  };
}

export function outcomeOf(
  failure: Failure,
): "timeout" | "stalled" | "out_of_memory" | "rolled_back" {
  if (failure.code === "timeout") return failure.message.includes("stall") ? "stalled" : "timeout";
  return failure.code === "out_of_memory" ? "out_of_memory" : "rolled_back";
}

export function resultOf(
  effects: Effects,
  durationMs: number,
  more: {
    readonly success: boolean;
    readonly bytes: number;
    readonly should_hibernate?: boolean;
    readonly error?: Failure;
  },
): TickResult {
  const { usage } = effects.txn;
  const next = effects.alarms.length > 0 ? Math.min(...effects.alarms) : undefined;
  return {
    tick_id: effects.frame.tickId,
    envelope_id: effects.frame.envelopeId,
    success: more.success,
    duration_ms: durationMs,
    usage: {
      compute_ms: durationMs,
      storage_reads: usage.reads,
      storage_writes: usage.writes,
      storage_bytes_written: more.success ? usage.bytesWritten + more.bytes : 0,
      messages_sent: effects.sends.length,
      api_calls: effects.calls.length,
    },
    messages_sent: more.success ? effects.sends.length : 0,
    events_emitted: more.success ? effects.events.length : 0,
    ...(next === undefined ? {} : { next_alarm: isoTime(next) }),
    ...(more.error ? { error: more.error } : {}),
    should_hibernate: more.should_hibernate ?? false,
  };
}

const NO_USAGE: Usage = {
  compute_ms: 0,
  storage_reads: 0,
  storage_writes: 0,
  storage_bytes_written: 0,
  messages_sent: 0,
  api_calls: 0,
};

/** The result of an envelope whose handler was not run. */
export function notRun(tickId: TickId, envelopeId: EnvelopeId, error: Failure): TickResult {
  return {
    tick_id: tickId,
    envelope_id: envelopeId,
    success: false,
    duration_ms: 0,
    usage: NO_USAGE,
    messages_sent: 0,
    events_emitted: 0,
    error,
    should_hibernate: false,
  };
}
