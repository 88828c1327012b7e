/** A tick: one envelope, one handler call, one commit. All that it does stands afterwards, or none of it. */
import { codeOf, FileError, hasCode } from "../fs/error.ts";
import type { Failure, TickResult } from "./agent.ts";
import type { Envelope, Json } from "./envelope.ts";
import type { AgentHost, Hook, HookResult } from "./host.ts";
import type { Trigger } from "./trigger.ts";
import type { Live } from "./live.ts";
import type { Batch, Row } from "./storage.ts";
import type { Tries, Turn } from "./record.ts";
import type { Waiting } from "./queue.ts";
import type { ControlWord } from "./view.ts";
import { beginEffects, type Effects, type TickFrame } from "./effects.ts";
import { MAX_FAILED } from "./dead.ts";
import { blobKeys, largeRows } from "./blob.ts";
import { decodeJson, encodeJson, encodeText } from "./code.ts";
import { isoTime, type TickId, type Timestamp, uuidv7 } from "./id.ts";
import { key } from "./keys.ts";
import { joinBatches } from "./txn.ts";
import { trajectoryRecord } from "./trajectory.ts";
import { senderOf } from "./envelope.ts";

/** A tick that lost to other writers so often in a row makes them wait. */
const MAX_CONFLICTS = 3;
/** How long `onError` may take. */
const ON_ERROR_MS = 5_000;
/** Ids marked by `ctx.markSeen` that are remembered, and how often the older ones are swept. */
export const MARKS_KEPT = 100_000;

export interface TickDeps {
  readonly host: AgentHost;
  readonly onAlarm: (dueMs: number) => void;
  readonly onRetry: (dueMs: number) => void;
  readonly onError: (error: unknown) => void;
  /** Words that the agent wrote to its own `/ctl`, and a wish to hibernate, after the commit. */
  readonly onControl: (live: Live, words: readonly ControlWord[]) => void;
  readonly onTick: () => void;
}

/** Takes the next envelope of an agent through its try. The caller sees to it that no other tick of the agent runs. */
export async function runTick(live: Live, deps: TickDeps): Promise<void> {
  const entry = live.inbox.queue.next();
  if (!entry) return;
  live.inTick = entry;
  live.lastActive = live.backend.now();
  try {
    if (entry.expires !== undefined && entry.expires <= live.backend.now()) {
      return await expire(live, entry);
    }
    const envelope = await live.inbox.load(entry);
    const tries = await beginTries(live, entry);
    if (!tries) return await giveUp(live, entry, envelope, deps, undefined);
    await tryTick(live, entry, envelope, tries, deps);
  } finally {
    live.inTick = undefined;
    live.effects = undefined;
    live.lastActive = live.backend.now();
    deps.onTick();
  }
}

/** How many tries an envelope gets. */
function maxTries(live: Live): number {
  return live.record.limits.retry_ms.length + 1;
}

/** The try that begins now; undefined when all of them ended with the process. */
async function beginTries(live: Live, entry: Waiting): Promise<Tries | undefined> {
  const before = entry.tries;
  const tries: Tries = {
    n: (before?.n ?? 0) + 1,
    now: before?.now ?? live.backend.now(),
    errors: before?.errors ?? [],
  };
  if (tries.n > maxTries(live)) return undefined;
  if (live.unclean) {
    // Whatever killed the process may have been this envelope: its try is counted before it can do it again.
    const row = { key: key.tries(entry.n), value: encodeJson(tries) };
    await live.storage.commit({ check: [], remove: [], put: [row] });
    entry.tries = tries;
  }
  return tries;
}

async function tryTick(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  tries: Tries,
  deps: TickDeps,
): Promise<void> {
  for (let conflicts = 0;; conflicts++) {
    const frame: TickFrame = {
      tickId: `tick_${uuidv7(live.backend.now(), live.backend.random(10))}` as TickId,
      envelopeId: envelope.id,
      attempt: tries.n,
      now: tries.now,
      source: envelope.source,
    };
    const done = await oneRun(live, entry, envelope, frame, tries, deps);
    if (done) return;
    if (conflicts + 1 >= MAX_CONFLICTS && !live.exclusive) {
      let release = () => {};
      live.exclusive = new Promise((resolve) => (release = resolve));
      try {
        await live.changing.catch(() => {});
        await tryTick(live, entry, envelope, tries, deps);
      } finally {
        live.exclusive = undefined;
        release();
      }
      return;
    }
  }
}

/** One run of the handler and its commit. False: others changed what it had read, and it runs again. */
async function oneRun(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  frame: TickFrame,
  tries: Tries,
  deps: TickDeps,
): Promise<boolean> {
  const started = live.backend.now();
  const firstOutbox = live.outbox.nextSeq;
  const effects = beginEffects(live, frame);
  live.effects = effects;
  const trigger = triggerOf(envelope, entry.n, tries.now);
  const ids = { tick_id: frame.tickId, envelope_id: frame.envelopeId };
  live.trace.add({
    type: "tick_start",
    ...ids,
    cause: causeOf(trigger, envelope),
    attempt: frame.attempt,
  });
  let result: HookResult | undefined;
  let failure: Failure | undefined;
  try {
    result = await runHooks(live, effects, trigger, deps);
  } catch (error) {
    failure = failureOf(error);
  }
  effects.end();
  if (failure || !result) {
    live.outbox.nextSeq = firstOutbox;
    await fail(live, entry, envelope, effects, tries, failure!, trigger, started, deps);
    return true;
  }
  try {
    await succeed(live, entry, envelope, effects, result, trigger, started, deps);
    return true;
  } catch (error) {
    live.outbox.nextSeq = firstOutbox;
    if (hasCode(error, "conflict")) return false;
    throw error;
  }
}

async function runHooks(
  live: Live,
  effects: Effects,
  trigger: Trigger,
  deps: TickDeps,
): Promise<HookResult> {
  const stop = live.backend.timer(live.record.limits.max_tick_ms, () => effects.abort.abort());
  try {
    const instance = await wake(live, deps.host);
    let state = live.state;
    let first: HookResult | undefined;
    if (live.justWoken && instance.hooks.includes("onWake")) {
      first = await runHook(live, effects, "onWake", state);
      state = first.state;
    }
    const last = await runHook(live, effects, "onTrigger", state, trigger);
    return {
      ...last,
      should_hibernate: last.should_hibernate || first?.should_hibernate === true,
    };
  } catch (error) {
    await runOnError(live, effects, error);
    await throwAway(live);
    throw error;
  } finally {
    stop();
  }
}

/** Loads the agent's code if it is not loaded. */
export async function wake(live: Live, host: AgentHost) {
  if (live.instance?.alive) return live.instance;
  live.instance = await host.start(
    { kind: "builtin", name: live.record.agent.name },
    live.record.limits,
  );
  live.justWoken = true;
  return live.instance;
}

/** After a failed try nothing of the instance is trusted. */
async function throwAway(live: Live): Promise<void> {
  const instance = live.instance;
  live.instance = undefined;
  await instance?.stop().catch(() => {});
}

/** Runs one hook of the loaded code on the effects of a tick. */
export async function runHook(
  live: Live,
  effects: Effects,
  hook: Hook,
  state: string | undefined,
  trigger?: Trigger,
): Promise<HookResult> {
  const { frame } = effects;
  return await live.instance!.run({
    hook,
    agent: { id: live.id, name: live.record.name, config: live.record.config },
    tick: {
      id: frame.tickId,
      envelope_id: frame.envelopeId,
      attempt: frame.attempt,
      now: frame.now,
    },
    state,
    ...(trigger ? { trigger } : {}),
    limits: live.record.limits,
  }, effects.port);
}

/** The author's `onError` may log; whatever else it does is dropped with the try. */
async function runOnError(live: Live, effects: Effects, error: unknown): Promise<void> {
  const instance = live.instance;
  if (!instance?.alive || !instance.hooks.includes("onError") || effects.abort.signal.aborted) {
    return;
  }
  const abort = new AbortController();
  const stop = live.backend.timer(ON_ERROR_MS, () => abort.abort());
  const { frame } = effects;
  try {
    await instance.run({
      hook: "onError",
      agent: { id: live.id, name: live.record.name, config: live.record.config },
      tick: {
        id: frame.tickId,
        envelope_id: frame.envelopeId,
        attempt: frame.attempt,
        now: frame.now,
      },
      state: live.state,
      error: failureOf(error),
      limits: live.record.limits,
    }, { ...effects.port, signal: abort.signal });
  } catch (again) {
    effects.port.log("error", `onError failed: ${failureOf(again).message}`);
  } finally {
    stop();
  }
}

async function succeed(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  effects: Effects,
  result: HookResult,
  trigger: Trigger,
  started: number,
  deps: TickDeps,
): Promise<void> {
  const { frame, txn } = effects;
  const changed = result.state !== live.state;
  const stateRows = changed ? largeRows(key.state, encodeText(result.state), live.newBlobId) : [];
  const put: Row[] = [...stateRows];
  for (const { n, row } of effects.sends) {
    put.push(...largeRows(key.send(n), encodeJson(row), live.newBlobId));
  }
  for (const event of effects.events) put.push(live.outbox.row(event));
  for (const { to, seq } of effects.replies) {
    put.push({ key: key.reply(to, seq), value: encodeJson({ seq }) });
  }
  if (result.pending) {
    put.push({ key: key.pending(envelope.id), value: encodeJson(envelope.source) });
  }
  const now = live.backend.now();
  const tick = resultOf(effects, now - started, {
    success: true,
    should_hibernate: result.should_hibernate,
    bytes: put.reduce((sum, row) => sum + row.value.length, 0),
  });
  const record = live.trajectory.add(trajectoryRecord({
    effects,
    tick,
    outcome: "committed",
    codeDigest: live.record.code_digest,
    trigger,
    at: now,
    before: live.state,
    after: result.state,
  }));
  put.push(live.trajectory.row(record));
  const turn: Turn = {
    ...nextTurn(live, entry, effects),
    failures: 0,
    last_at: now,
    last_cause: causeOf(trigger, envelope),
  };
  const turnBytes = encodeJson(turn);
  put.push({ key: key.turn, value: turnBytes });
  const own: Batch = {
    check: [
      { key: key.turn, value: live.turnBytes },
      ...(changed ? [{ key: key.state, value: live.stateBytes }] : []),
    ],
    remove: [
      ...await live.inbox.rowsOf(entry),
      ...(changed ? blobKeys(live.stateBytes) : []),
    ],
    put,
  };
  await live.storage.commit(joinBatches(own, txn.batch()));
  live.turn = turn;
  live.turnBytes = turnBytes;
  if (changed) {
    live.state = result.state;
    live.stateBytes = stateRows[0]!.value;
  }
  live.justWoken = false;
  live.unclean = false;
  live.inbox.leave(entry);
  announce(live, effects, deps);
  live.trajectory.announce(record);
  if (changed) {
    live.trace.add({ type: "state_change", ...idsOf(frame), bytes: result.state.length });
  }
  live.trace.add({
    type: "tick_end",
    ...idsOf(frame),
    success: true,
    duration_ms: tick.duration_ms,
  });
  live.finished.tell({ envelope: envelope.id, result: tick, final: true, pending: result.pending });
  const words = result.should_hibernate ? [...effects.after, "hibernate" as const] : effects.after;
  if (words.length > 0) deps.onControl(live, words);
  prune(live, effects).catch(deps.onError);
}

/** After the commit, everything that waited for it. */
function announce(live: Live, effects: Effects, deps: TickDeps): void {
  for (const event of effects.events) live.outbox.announce(event);
  for (const { to, payload } of effects.replies) live.replied.tell({ to, payload });
  for (const due of effects.alarms) deps.onAlarm(due);
  if (effects.sends.length > 0) live.sends.push(effects.sends);
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
  for (let after: string | undefined;;) {
    const rows = await live.storage.list({
      prefix: "mark/",
      limit: 256,
      ...(after === undefined ? {} : { after }),
    });
    const remove = rows
      .filter((row) => decodeJson<{ n: number }>(row.value).n < cut)
      .map((row) => row.key);
    if (remove.length > 0) await live.storage.commit({ check: [], remove, put: [] });
    if (rows.length < 256) return;
    after = rows.at(-1)!.key;
  }
}

async function fail(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  effects: Effects,
  tries: Tries,
  failure: Failure,
  trigger: Trigger,
  started: number,
  deps: TickDeps,
): Promise<void> {
  const { frame } = effects;
  const now = live.backend.now();
  const tick = resultOf(effects, now - started, { success: false, error: failure, bytes: 0 });
  const record = live.trajectory.add(trajectoryRecord({
    effects,
    tick,
    outcome: outcomeOf(failure),
    codeDigest: live.record.code_digest,
    trigger,
    at: now,
    before: live.state,
    after: undefined,
  }));
  live.trace.add({ type: "error", ...idsOf(frame), code: failure.code, message: failure.message });
  live.trace.add({
    type: "tick_end",
    ...idsOf(frame),
    success: false,
    duration_ms: tick.duration_ms,
    error: failure,
  });
  const counted: Tries = {
    ...tries,
    errors: [...tries.errors, { ...failure, at: isoTime(now) }].slice(-10),
  };
  const last = tries.n >= maxTries(live);
  if (last) {
    entry.tries = counted;
    await giveUp(live, entry, envelope, deps, { tick, record, failure, trigger });
    return;
  }
  const due = now + live.record.limits.retry_ms[tries.n - 1]!;
  const turn: Turn = {
    ...live.turn,
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    last_at: now,
    last_cause: causeOf(trigger, envelope),
    last_error: { ...failure, at: isoTime(now) },
  };
  await commitTurn(live, turn, {
    check: [],
    remove: [],
    put: [
      { key: key.tries(entry.n), value: encodeJson(counted) },
      { key: key.retry(due, entry.n), value: encodeText("{}") },
      live.trajectory.row(record),
    ],
  });
  entry.tries = counted;
  live.unclean = false;
  live.inbox.queue.hold(entry);
  live.trajectory.announce(record);
  live.finished.tell({ envelope: envelope.id, result: tick, final: false, pending: false });
  deps.onRetry(due);
}

/** After its last try an envelope goes to the dead letters and the agent goes on; too many of them, and it fails. */
async function giveUp(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  deps: TickDeps,
  done: {
    readonly tick: TickResult;
    readonly record: ReturnType<Live["trajectory"]["add"]>;
    readonly failure: Failure;
    readonly trigger: Trigger;
  } | undefined,
): Promise<void> {
  const now = live.backend.now();
  const failure: Failure = done?.failure ?? {
    code: "interrupted",
    message: "the whole process ended during each of its tries",
  };
  const tries = entry.tries?.n ?? maxTries(live);
  const errors = done ? entry.tries?.errors ?? [] : [
    ...entry.tries?.errors ?? [],
    { ...failure, at: isoTime(now) },
  ];
  const full = await live.dead.countFailed() >= MAX_FAILED;
  const failures = live.turn.failures + (full ? 0 : 1);
  const why = full
    ? `${MAX_FAILED} dead letters are kept and this would be one more; replay or discard some, then resume`
    : failures >= live.record.limits.max_consecutive_failures
    ? `${failures} envelopes were given up in a row; the last: ${failure.message}`
    : undefined;
  const turn: Turn = {
    ...live.turn,
    inbox: Math.max(live.turn.inbox, entry.n + 1),
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    failures,
    last_at: now,
    last_cause: done ? causeOf(done.trigger, envelope) : live.turn.last_cause,
    last_error: { ...failure, at: isoTime(now) },
  };
  const turnBytes = encodeJson(turn);
  const phase = { phase: "failed" as const, since: now, why: why ?? "" };
  const batch: Batch = {
    check: [{ key: key.turn, value: live.turnBytes }],
    remove: full ? [] : await live.inbox.rowsOf(entry),
    put: [
      { key: key.turn, value: turnBytes },
      ...(done ? [live.trajectory.row(done.record)] : []),
      ...(why ? [{ key: key.phase, value: encodeJson(phase) }] : []),
      ...(full && entry.tries
        ? [{ key: key.tries(entry.n), value: encodeJson({ ...entry.tries, n: tries - 1, errors }) }]
        : []),
    ],
  };
  if (full) await live.storage.commit(batch);
  else await live.dead.add({ envelope, reason: "failed", tries, errors }, batch);
  live.turn = turn;
  live.turnBytes = turnBytes;
  live.unclean = false;
  if (why) live.phase = phase;
  if (!full) live.inbox.leave(entry);
  else if (entry.tries) entry.tries = { ...entry.tries, n: tries - 1, errors };
  if (done) live.trajectory.announce(done.record);
  if (why) live.trace.add({ type: "lifecycle", state: "failed", why });
  if (!full) {
    live.trace.add({
      type: "lifecycle",
      envelope_id: envelope.id,
      state: "dead_letter",
      tries,
      why: failure.message,
    });
  }
  const result: TickResult = done?.tick ?? {
    tick_id: `tick_${uuidv7(now, live.backend.random(10))}` as TickId,
    envelope_id: envelope.id,
    success: false,
    duration_ms: 0,
    usage: NO_USAGE,
    messages_sent: 0,
    events_emitted: 0,
    error: failure,
    should_hibernate: false,
  };
  live.finished.tell({ envelope: envelope.id, result, final: true, pending: false });
}

const NO_USAGE = {
  compute_ms: 0,
  storage_reads: 0,
  storage_writes: 0,
  storage_bytes_written: 0,
  messages_sent: 0,
  api_calls: 0,
};

/** An envelope past its `expires_at` is not ticked. */
async function expire(live: Live, entry: Waiting): Promise<void> {
  const turn: Turn = { ...live.turn, inbox: Math.max(live.turn.inbox, entry.n + 1) };
  await commitTurn(live, turn, { check: [], remove: await live.inbox.rowsOf(entry), put: [] });
  live.inbox.leave(entry);
  live.trace.add({ type: "expired", envelope_id: entry.id, expires_at: isoTime(entry.expires!) });
  live.finished.tell({
    envelope: entry.id,
    result: {
      tick_id: `tick_${uuidv7(live.backend.now(), live.backend.random(10))}` as TickId,
      envelope_id: entry.id,
      success: false,
      duration_ms: 0,
      usage: NO_USAGE,
      messages_sent: 0,
      events_emitted: 0,
      error: { code: "timeout", message: "expired before it was ticked" },
      should_hibernate: false,
    },
    final: true,
    pending: false,
  });
}

/** Commits a new turn with what goes along. */
export async function commitTurn(live: Live, turn: Turn, along: Batch): Promise<void> {
  const turnBytes = encodeJson(turn);
  await live.storage.commit({
    check: [{ key: key.turn, value: live.turnBytes }, ...along.check],
    remove: along.remove,
    put: [...along.put, { key: key.turn, value: turnBytes }],
  });
  live.turn = turn;
  live.turnBytes = turnBytes;
}

/** The turn after a tick that commits. */
export function nextTurn(live: Live, entry: Waiting | undefined, effects: Effects): Turn {
  return {
    ...live.turn,
    ticks: live.turn.ticks + 1,
    inbox: Math.max(live.turn.inbox, (entry?.n ?? 0) + 1),
    outbox: live.outbox.nextSeq,
    send: live.turn.send + effects.sends.length,
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    marks: effects.marks,
    version: live.instance?.version ?? live.turn.version,
  };
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

function idsOf(frame: TickFrame) {
  return { tick_id: frame.tickId, envelope_id: frame.envelopeId };
}

function failureOf(error: unknown): Failure {
  if (error instanceof FileError) {
    return { code: error.code, message: error.detail ?? error.message };
  }
  return {
    code: codeOf(error) === "internal" ? "agent_error" : codeOf(error),
    message: error instanceof Error ? error.message : String(error),
  };
}

function outcomeOf(failure: Failure): "timeout" | "stalled" | "out_of_memory" | "rolled_back" {
  if (failure.code === "timeout") return failure.message.includes("stall") ? "stalled" : "timeout";
  return failure.code === "out_of_memory" ? "out_of_memory" : "rolled_back";
}

function causeOf(trigger: Trigger, envelope: Envelope): string {
  return `${trigger.type} ${senderOf(envelope.source)}`;
}

/** What an agent sees of an envelope. */
export function triggerOf(envelope: Envelope, seq: number, now: number): Trigger {
  const { source, payload } = envelope;
  const meta = { envelope_id: envelope.id, source, seq, created_at: envelope.timestamp };
  if (source.kind === "manual") return { type: "manual", meta, invoker: source.invoker };
  if (source.kind === "scheduler" && payload.kind === "json") {
    const alarm = payload.data as { scheduled_for: number; payload: Json };
    return {
      type: "alarm",
      meta,
      alarm_id: source.alarm_id,
      payload: alarm.payload,
      scheduled_for: alarm.scheduled_for as Timestamp,
      fired_at: Math.max(now, alarm.scheduled_for) as Timestamp,
    };
  }
  if (source.kind === "system" && payload.kind === "json") {
    const { event, ...data } = payload.data as { event?: string; [name: string]: Json | undefined };
    return { type: "event", meta, event: event ?? "system", data: data as Json };
  }
  return {
    type: "message",
    meta,
    payload,
    text: textOf(envelope),
    from: source.kind === "agent" ? source.agent_id : senderOf(source),
    ...(envelope.metadata.parent_id ? { parent_id: envelope.metadata.parent_id } : {}),
  };
}

/** A message as text: what it says, or its JSON. */
function textOf({ payload }: Envelope): string {
  if (payload.kind === "text") return payload.text;
  if (payload.kind === "binary") return payload.data;
  if (payload.kind === "nostr_event") return JSON.stringify(payload.event);
  if (payload.kind === "tick") return "";
  return typeof payload.data === "string" ? payload.data : JSON.stringify(payload.data);
}
