/** One record a try: what came in, what was called, what changed, what it cost; small enough for a row. */
import type { TickResult } from "./agent.ts";
import type { StreamEvent } from "../fs/file.ts";
import type { Effects } from "./effects.ts";
import type { Numbered } from "./numbered.ts";
import type { Row } from "./storage.ts";
import type { Trigger } from "./trigger.ts";
import { digest } from "./code.ts";
import { isoTime } from "./id.ts";
import { patchOf } from "./patch.ts";

/** A record has at most so many bytes; larger parts are told by their digest. */
export const MAX_RECORD_BYTES = 256 * 1024;
/** States beyond it are told by their digest: the cost of a tick must not grow with the square of its state. */
const MAX_PATCH_BYTES = 64 * 1024;

export interface RecordInput {
  readonly effects: Effects;
  readonly tick: TickResult;
  readonly outcome: "committed" | "rolled_back" | "timeout" | "stalled" | "out_of_memory";
  readonly codeDigest: string;
  readonly trigger: Trigger;
  /** Milliseconds. */
  readonly at: number;
  readonly before: string | undefined;
  /** The new state; undefined where nothing was kept. */
  readonly after: string | undefined;
  /** What the tick has bought, over all its tries. */
  readonly bought: { readonly reserved: number; readonly spent: number };
}

export function trajectoryRecord(input: RecordInput): { type: string; [field: string]: unknown } {
  const { effects, tick } = input;
  const record: { type: string; [field: string]: unknown } = {
    type: "tick",
    timestamp: isoTime(input.at),
    tick_id: tick.tick_id,
    envelope_id: tick.envelope_id,
    attempt: effects.frame.attempt,
    outcome: input.outcome,
    code_digest: input.codeDigest,
    trigger: input.trigger,
    calls: effects.calls,
    messages: effects.sends.map(({ row }) => ({ to: row.to, id: row.id, data: row.data })),
    events: effects.events.map(({ seq, type }) => ({ seq, type })),
    state_changes: changes(input.before, input.after),
    logs: effects.logs,
    usage: tick.usage,
    duration_ms: tick.duration_ms,
    cost_micro_usd: input.bought.spent,
    // Of jobs that go on: what they come to is told by their own ends.
    reserved_micro_usd: input.bought.reserved,
    ...(tick.error ? { error: tick.error } : {}),
  };
  return record;
}

/** The row of a record, which is cut to what a row may have. Secrets are out of it by then: half of one would not be known again. */
export function recordRow(trajectory: Numbered, record: StreamEvent): Row {
  const row = trajectory.row(record);
  if (row.value.length <= MAX_RECORD_BYTES) return row;
  fit(record as StreamEvent & { [field: string]: unknown });
  return trajectory.row(record);
}

/** RFC 6902 JSON Patch from the state before to the state after. */
function changes(before: string | undefined, after: string | undefined): unknown {
  if (after === undefined || after === before) return [];
  if ((before?.length ?? 0) + after.length > MAX_PATCH_BYTES) {
    return { before: before === undefined ? null : digest(before), after: digest(after) };
  }
  if (before === undefined) return [{ op: "add", path: "", value: JSON.parse(after) }];
  return patchOf(JSON.parse(before), JSON.parse(after));
}

const LARGE_PARTS = ["trigger", "messages", "state_changes", "calls", "logs", "events"] as const;

function fit(record: { [field: string]: unknown }): void {
  let size = JSON.stringify(record).length;
  for (const part of LARGE_PARTS) {
    if (size * 3 <= MAX_RECORD_BYTES) return;
    const text = JSON.stringify(record[part]);
    if (text.length < 1024) continue;
    record[part] = { digest: digest(text), bytes: text.length, cut: text.slice(0, 512) };
    size = JSON.stringify(record).length;
  }
}
