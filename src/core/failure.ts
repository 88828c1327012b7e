/** What becomes of an envelope whose try failed: another try later, or the dead letters; and of one that expired. */
import type { Failure, TickResult } from "./agent.ts";
import type { StreamEvent } from "../fs/file.ts";
import type { Envelope } from "./envelope.ts";
import type { Live } from "./live.ts";
import type { Phase, Tries, Turn } from "./record.ts";
import type { Try } from "./try.ts";
import type { Waiting } from "./queue.ts";
import { causeOf, type Trigger } from "./trigger.ts";
import { commitRecord, commitTurn } from "./turn.ts";
import { workedWith } from "./daily.ts";
import { encodeJson } from "./code.ts";
import { idsOf, notRun, outcomeOf, resultOf } from "./result.ts";
import { isoTime } from "./id.ts";
import { newTickId } from "./frame.ts";
import { blobKeys } from "./blob.ts";
import { HELD, letGo, parkingOf } from "./parked.ts";
import { key } from "./keys.ts";
import { MAX_FAILED } from "./dead.ts";
import { recordRow, trajectoryRecord } from "./trajectory.ts";

/** Errors that an envelope keeps: the last so many. */
const MAX_ERRORS = 10;

/** How many tries an envelope gets. */
export function maxTries(live: Live): number {
  return live.record.limits.retry_ms.length + 1;
}

/** A try that failed leaves its record and its count, and the envelope waits; after the last one it is given up. One that needs a person's yes does not count. */
export async function failTry(t: Try, failure: Failure): Promise<void> {
  const { live, entry, effects, tries } = t;
  const now = live.backend.now();
  const tick = resultOf(effects, now - t.startedMs, { success: false, error: failure, bytes: 0 });
  const record = live.trajectory.add(trajectoryRecord({
    effects,
    bought: live.ledger.of(effects.frame.envelopeId),
    tick,
    outcome: outcomeOf(failure),
    codeDigest: live.record.code_digest,
    trigger: t.trigger,
    at: now,
    before: live.state,
    after: undefined,
  }));
  const ids = idsOf(effects.frame);
  live.trace.add({ type: "error", ...ids, ...failure });
  live.trace.add({
    type: "tick_end",
    ...ids,
    success: false,
    duration_ms: tick.duration_ms,
    error: failure,
  });
  const parking = parkingOf(effects.asked, failure, tries);
  const counted: Tries = {
    ...tries,
    ...(parking ? { n: tries.n - 1, waits: parking } : {}),
    errors: [...tries.errors, { ...failure, at: isoTime(now) }].slice(-MAX_ERRORS),
  };
  if (!parking && tries.n >= maxTries(live)) {
    entry.tries = counted;
    return await giveUp(live, entry, t.envelope, { tick, record, failure, trigger: t.trigger });
  }
  const due = parking?.until ?? now + live.record.limits.retry_ms[tries.n - 1]!;
  const turn: Turn = {
    ...live.turn,
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    worked: workedWith(live, effects.frame.tickId),
    last_at: now,
    last_cause: causeOf(t.trigger),
    last_error: { ...failure, at: isoTime(now) },
  };
  await commitRecord(live, record, turn, {
    check: [],
    remove: [],
    put: [
      { key: key.tries(entry.n), value: encodeJson(counted) },
      { key: key.retry(due, entry.n), value: HELD },
      recordRow(live.trajectory, record),
    ],
  });
  entry.tries = counted;
  live.unclean = false;
  live.inbox.queue.hold(entry);
  live.trajectory.announce(record);
  live.finished.tell({ envelope: t.envelope.id, result: tick, final: false, pending: false });
  t.deps.onRetry(due);
  // The answer may have come while the try still ran.
  if (parking) await letGo(live, parking.approval);
}

/** The last try of an envelope, where it was run. */
interface LastTry {
  readonly tick: TickResult;
  readonly record: StreamEvent;
  readonly failure: Failure;
  readonly trigger: Trigger;
}

/** The envelope goes to the dead letters and the agent goes on; where too many were given up, the agent has failed. */
export async function giveUp(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  last?: LastTry,
): Promise<void> {
  const now = live.backend.now();
  const failure: Failure = last?.failure ?? {
    code: "interrupted",
    message: "the whole process ended during each of its tries",
  };
  const tries = entry.tries?.n ?? maxTries(live);
  const errors = [
    ...entry.tries?.errors ?? [],
    ...(last ? [] : [{ ...failure, at: isoTime(now) }]),
  ];
  const full = await live.dead.countFailed() >= MAX_FAILED;
  const failures = live.turn.failures + (full ? 0 : 1);
  const phase = failedPhase(live, failure, failures, full, now);
  // An agent that keeps the envelope tries it once more after it was resumed.
  const again = { ...entry.tries, n: tries - 1, now: entry.tries?.now ?? now, errors };
  const letter = full ? undefined : await live.dead.rows({
    envelope,
    reason: "failed",
    tries,
    errors,
  });
  const remove = full ? [] : await live.inbox.rowsOf(entry);
  // Nothing is waited for from here to the commit, so that nobody's turn in between is overwritten.
  const turn: Turn = {
    ...live.turn,
    inbox: Math.max(live.turn.inbox, entry.n + 1),
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    failures,
    ...(last ? { worked: workedWith(live, last.tick.tick_id) } : {}),
    last_at: now,
    last_cause: last ? causeOf(last.trigger) : live.turn.last_cause,
    last_error: { ...failure, at: isoTime(now) },
  };
  const along = {
    check: [],
    remove,
    put: [
      ...letter?.rows ?? [],
      ...(last ? [recordRow(live.trajectory, last.record)] : []),
      ...(phase ? [{ key: key.phase, value: encodeJson(phase) }] : []),
      ...(full ? [{ key: key.tries(entry.n), value: encodeJson(again) }] : []),
    ],
  };
  if (last) await commitRecord(live, last.record, turn, along);
  else await commitTurn(live, turn, along);
  letter?.added();
  live.unclean = false;
  if (full) entry.tries = again;
  else {
    live.inbox.leave(entry);
    live.ledger.endTick(envelope.id);
    live.meter.envelope("given_up");
  }
  if (last) live.trajectory.announce(last.record);
  const why = failure.message;
  if (!full) {
    live.trace.add({
      type: "lifecycle",
      envelope_id: envelope.id,
      state: "dead_letter",
      tries,
      why,
    });
  }
  if (phase) {
    live.phase = phase;
    live.trace.add({ type: "lifecycle", state: "failed", why: phase.why });
  }
  const result = last?.tick ?? notRun(newTickId(live), envelope.id, failure);
  live.finished.tell({ envelope: envelope.id, result, final: true, pending: false });
}

/** Why the agent ticks no more, if it does not. */
function failedPhase(
  live: Live,
  failure: Failure,
  failures: number,
  full: boolean,
  now: number,
): Phase | undefined {
  if (full) {
    const why =
      `${MAX_FAILED} dead letters are kept and this would be one more; replay or discard some, then resume`;
    return { phase: "failed", since: now, why };
  }
  if (failures < live.record.limits.max_consecutive_failures) return undefined;
  const why = `${failures} envelopes were given up in a row; the last: ${failure.message}`;
  return { phase: "failed", since: now, why };
}

/** An envelope past its `expires_at` is not ticked. */
export async function expire(live: Live, entry: Waiting): Promise<void> {
  const calls = await live.storage.list({ prefix: key.calls(entry.id) });
  const remove = [
    ...await live.inbox.rowsOf(entry),
    ...calls.flatMap((row) => [row.key, ...blobKeys(row.value)]),
  ];
  const turn: Turn = { ...live.turn, inbox: Math.max(live.turn.inbox, entry.n + 1) };
  await commitTurn(live, turn, { check: [], remove, put: [] });
  live.inbox.leave(entry);
  live.meter.envelope("expired");
  live.trace.add({ type: "expired", envelope_id: entry.id, expires_at: isoTime(entry.expires!) });
  const error: Failure = { code: "timeout", message: "it expired before it was ticked" };
  live.finished.tell({
    envelope: entry.id,
    result: notRun(newTickId(live), entry.id, error),
    final: true,
    pending: false,
  });
}
