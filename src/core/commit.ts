/** The one commit of a try that succeeded, and what is told after it. */
import type { HookResult } from "./host.ts";
import type { Batch, Row } from "./storage.ts";
import type { Effects } from "./effects.ts";
import type { Live } from "./live.ts";
import type { Try } from "./try.ts";
import type { TickResult } from "./agent.ts";
import type { StreamEvent } from "../fs/file.ts";
import type { Trigger } from "./trigger.ts";
import { blobKeys, largeRows } from "./blob.ts";
import { causeOf } from "./trigger.ts";
import { commitRecord, nextTurn } from "./turn.ts";
import { decodeJson, encodeJson, encodeText } from "./code.ts";
import { idsOf, resultOf } from "./result.ts";
import { joinBatches } from "./txn.ts";
import { key } from "./keys.ts";
import { pages } from "./pages.ts";
import { recordRow, trajectoryRecord } from "./trajectory.ts";

/** Ids marked by `ctx.markSeen` that are remembered; older ones are swept some time later. */
export const MARKS_KEPT = 100_000;

/** The commit of a try, as far as it follows from what the handler did. */
export interface Plan {
  readonly kept: ReturnType<typeof keptRows>;
  readonly tick: TickResult;
  readonly record: StreamEvent;
  readonly put: readonly Row[];
}

/** Touches no row: what goes wrong here is a failed try like any other. */
export function planTry(t: Omit<Try, "deps">, result: HookResult): Plan {
  const { live, envelope, effects } = t;
  const kept = keptRows(live, effects, result.state);
  const pending: Row[] = result.pending
    ? [{ key: key.pending(envelope.id), value: encodeJson(envelope.source) }]
    : [];
  const tick = resultOf(effects, live.backend.now() - t.startedMs, {
    success: true,
    should_hibernate: result.should_hibernate,
    bytes: kept.batch.put.reduce((sum, row) => sum + row.value.length, 0),
  });
  const record = recordOf(live, effects, tick, t.trigger, result.state);
  try {
    return { kept, tick, record, put: [...pending, recordRow(live.trajectory, record)] };
  } catch (error) {
    live.trajectory.takeBack(record);
    throw error;
  }
}

/** All that the handler did, the removal of its envelope and the record of it. Rejects with `conflict` when others changed what it had read. */
export async function commitTry(t: Try, result: HookResult, plan: Plan): Promise<void> {
  const { live, entry, envelope, effects, deps } = t;
  const { kept, tick, record, put } = plan;
  // Asked before the turn is looked at, which nobody may change between the look and the commit.
  if (entry.tries) await effects.outside.known();
  const remove = await live.inbox.rowsOf(entry);
  const along: Batch = { check: [], remove: [...remove, ...effects.outside.rows()], put };
  await commitRecord(
    live,
    record,
    {
      ...nextTurn(live, entry, effects),
      failures: 0,
      last_at: live.backend.now(),
      last_cause: causeOf(t.trigger),
    },
    joinBatches(kept.batch, along),
  );
  kept.committed();
  live.justWoken = false;
  live.unclean = false;
  live.inbox.leave(entry);
  live.ledger.endTick(envelope.id);
  announce(live, effects, record, deps.onAlarm);
  const ids = idsOf(effects.frame);
  if (kept.changed) live.trace.add({ type: "state_change", ...ids, bytes: result.state.length });
  live.trace.add({ type: "tick_end", ...ids, success: true, duration_ms: tick.duration_ms });
  live.finished.tell({ envelope: envelope.id, result: tick, final: true, pending: result.pending });
  const words = result.should_hibernate ? [...effects.after, "hibernate" as const] : effects.after;
  if (words.length > 0) deps.onControl(live, words);
  prune(live, effects).catch(deps.onError);
}

/** What a hook outside a tick (`onCreate`, `onSleep`) did, in a commit of its own. */
export async function commitHook(
  live: Live,
  effects: Effects,
  state: string | undefined,
  trigger: Trigger,
  onAlarm: (dueMs: number) => void,
): Promise<void> {
  const kept = keptRows(live, effects, state);
  const durationMs = live.backend.now() - effects.frame.now;
  const tick = resultOf(effects, durationMs, { success: true, bytes: 0 });
  const record = recordOf(live, effects, tick, trigger, state ?? live.state);
  const along = joinBatches(kept.batch, {
    check: [],
    remove: effects.outside.rows(),
    put: [recordRow(live.trajectory, record)],
  });
  const turn = { ...nextTurn(live, undefined, effects), ticks: live.turn.ticks };
  await commitRecord(live, record, turn, along);
  kept.committed();
  announce(live, effects, record, onAlarm);
}

/** The rows of everything that a handler did, and the state that it left. */
function keptRows(live: Live, effects: Effects, state: string | undefined) {
  const changed = state !== undefined && state !== live.state;
  const stateRows = changed ? largeRows(key.state, encodeText(state), live.newBlobId) : [];
  const put: Row[] = [...stateRows];
  for (const { n, row } of effects.sends) {
    put.push(...largeRows(key.send(n), encodeJson(row), live.newBlobId));
  }
  for (const event of effects.events) put.push(live.outbox.row(event));
  for (const { to, seq } of effects.replies) {
    put.push({ key: key.reply(to, seq), value: encodeJson({ seq }) });
  }
  const own: Batch = {
    check: changed ? [{ key: key.state, value: live.stateBytes }] : [],
    remove: changed ? blobKeys(live.stateBytes) : [],
    put,
  };
  return {
    changed,
    batch: joinBatches(own, effects.txn.batch()),
    /** The new state is the committed one from now on. */
    committed() {
      if (!changed) return;
      live.state = state;
      live.stateBytes = stateRows[0]!.value;
    },
  };
}

function recordOf(
  live: Live,
  effects: Effects,
  tick: TickResult,
  trigger: Trigger,
  after: string | undefined,
): StreamEvent {
  return live.trajectory.add(trajectoryRecord({
    effects,
    bought: live.ledger.of(effects.frame.envelopeId),
    tick,
    outcome: "committed",
    codeDigest: live.record.code_digest,
    trigger,
    at: live.backend.now(),
    before: live.state,
    after,
  }));
}

/** After the commit, everything that waited for it. */
function announce(
  live: Live,
  effects: Effects,
  record: StreamEvent,
  onAlarm: (dueMs: number) => void,
): void {
  for (const event of effects.events) live.outbox.announce(event);
  for (const { to, payload } of effects.replies) live.replied.tell({ to, payload });
  for (const due of effects.alarms) onAlarm(due);
  if (effects.sends.length > 0) live.sends.push(effects.sends);
  live.trajectory.announce(record);
}

async function prune(live: Live, effects: Effects): Promise<void> {
  const { retention } = live.record.limits;
  await live.outbox.prune(retention.outbox);
  await live.trajectory.prune(retention.trajectory);
  const every = MARKS_KEPT / 2;
  if (Math.floor(effects.marks / every) > Math.floor(effects.firstMark / every)) {
    await sweepMarks(live);
  }
}

/** Forgets ids that were marked more than `MARKS_KEPT` marks ago. */
async function sweepMarks(live: Live): Promise<void> {
  const cut = live.turn.marks - MARKS_KEPT;
  for await (const rows of pages(live.storage, "mark/")) {
    const remove = rows
      .filter((row) => decodeJson<{ n: number }>(row.value).n < cut)
      .map((row) => row.key);
    if (remove.length > 0) await live.storage.commit({ check: [], remove, put: [] });
  }
}
