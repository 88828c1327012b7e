/** A tick: one envelope, one handler call, one commit. All that it does stands afterwards, or none of it. */
import { FileError, hasCode } from "../fs/error.ts";
import type { Failure } from "./agent.ts";
import type { HookResult } from "./host.ts";
import type { Envelope } from "./envelope.ts";
import type { Live } from "./live.ts";
import type { Tries } from "./record.ts";
import type { Waiting } from "./queue.ts";
import { beginEffects } from "./gather.ts";
import { causeOf, triggerOf } from "./trigger.ts";
import { commitTry, type Plan, planTry } from "./commit.ts";
import { dropDrafts } from "./blob.ts";
import { encodeJson } from "./code.ts";
import { expire, failTry, giveUp, maxTries } from "./failure.ts";
import { mustHaveTickRoom } from "./quota.ts";
import { newTickId } from "./frame.ts";
import { failureOf, idsOf, outcomeOf } from "./result.ts";
import { key } from "./keys.ts";
import { runTrigger } from "./hooks.ts";
import { STOPPED, type TickDeps, type Try } from "./try.ts";
import { watchRun } from "./run_watch.ts";
import { traceMark } from "./tracer.ts";

/** A tick that lost to other writers so often in a row makes them wait. */
const MAX_CONFLICTS = 3;
/** One that lost so often does not lose to others: what it takes for the rows is not what stands in them. */
const MAX_RUNS = 100;
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
    if (!tries) return await giveUp(live, entry, envelope);
    await tryTick(live, entry, envelope, tries, deps);
  } finally {
    live.inTick = undefined;
    live.effects = undefined;
    live.lastActive = live.backend.now();
    deps.onTick();
  }
}

/** The try that begins now; undefined when all of them ended with the process. */
async function beginTries(live: Live, entry: Waiting): Promise<Tries | undefined> {
  const before = entry.tries;
  const tries: Tries = {
    ...before,
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

/** Runs until a commit stands or the try has failed; to lose against another writer is no failure. */
async function tryTick(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  tries: Tries,
  deps: TickDeps,
): Promise<void> {
  let release = () => {};
  try {
    for (let conflicts = 1; !await oneRun(live, entry, envelope, tries, deps); conflicts++) {
      if (conflicts === MAX_RUNS) throw lostTooOften(live);
      if (conflicts === MAX_CONFLICTS) {
        live.exclusive = new Promise((resolve) => (release = resolve));
      }
    }
  } finally {
    live.exclusive = undefined;
    release();
  }
}

function lostTooOften({ id }: Live): FileError {
  return new FileError("internal", "tick", `/agents/${id}`, {
    detail: `its rows were changed by others in ${MAX_RUNS} runs in a row; it is opened again`,
  });
}

/** One run of the handler and its commit. False: others changed what it had read. */
async function oneRun(
  live: Live,
  entry: Waiting,
  envelope: Envelope,
  tries: Tries,
  deps: TickDeps,
): Promise<boolean> {
  const firstOutbox = live.outbox.nextSeq;
  const effects = beginEffects(live, {
    tickId: newTickId(live),
    envelopeId: envelope.id,
    attempt: tries.n,
    now: tries.now,
    source: envelope.source,
    trace: traceMark(envelope.metadata),
  });
  const trigger = triggerOf(envelope, entry.n, tries.now);
  const startedMs = live.backend.now();
  const t: Try = { live, entry, envelope, tries, trigger, effects, startedMs, deps };
  const watched = watchRun(live, envelope, effects);
  effects.span = watched.context;
  live.effects = effects;
  live.trace.add({
    type: "tick_start",
    ...idsOf(effects.frame),
    cause: causeOf(trigger),
    attempt: tries.n,
  });
  let done: { readonly result: HookResult; readonly plan: Plan } | undefined;
  let failure: Failure | undefined;
  try {
    const result = await runTrigger(live, effects, trigger, deps.host);
    const asked = mustHaveTickRoom(live, effects, result.state);
    if (asked) await asked;
    done = { result, plan: planTry(t, result) };
  } catch (error) {
    failure = live.redactor.json(failureOf(error));
  }
  const stopped = effects.abort.signal.reason === STOPPED;
  effects.end();
  if (!done) {
    live.outbox.nextSeq = firstOutbox;
    watched.end(stopped ? "stopped" : outcomeOf(failure!), failure);
    if (stopped) return true;
    await dropDrafts(live.storage, effects.txn.batch());
    await failTry(t, failure!);
    return true;
  }
  try {
    await commitTry(t, done.result, done.plan);
    watched.end("committed");
    return true;
  } catch (error) {
    live.outbox.nextSeq = firstOutbox;
    // After any other fault nobody knows whether the commit stands; what it left is swept at the next start.
    const conflicts = hasCode(error, "conflict");
    watched.end(conflicts ? "conflict" : "error", live.redactor.json(failureOf(error)));
    if (!conflicts) throw error;
    await dropDrafts(live.storage, effects.txn.batch());
    return false;
  }
}
