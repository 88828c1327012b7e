/**
 * Effects outside, each at most once: looked up in the tick's records and in the journal, paid from the budget, asked of a person where it must be, and
 * recorded in the commit that begins it. The promise of `outside.ts` is kept here.
 */
import { FileError, hasCode } from "../fs/error.ts";
import type { Effects } from "./effects.ts";
import type { Json } from "./envelope.ts";
import type { Live } from "./live.ts";
import type { Batch } from "./storage.ts";
import type { Tries } from "./record.ts";
import type { Order, Outside, Performed, Terms } from "./outside.ts";
import type { Claim } from "./calls.ts";
import { answerOf } from "./calls.ts";
import { approvalRequired, questionDigest } from "./approvals.ts";
import { digest, encodeJson } from "./code.ts";
import { type Ending, refusalOf, wasNotAsked } from "./ending.ts";
import { exportOf } from "./live.ts";
import { joinBatches } from "./txn.ts";
import { key } from "./keys.ts";
import type { Held } from "./ledger.ts";
import { type Journaled, mustBeSame } from "./journal.ts";
import { WHOLE_AGENT } from "./budget.ts";

const NOTHING: Batch = { check: [], remove: [], put: [] };

/** An order as it goes through: where it is recorded, and by what it is known. */
interface Course {
  readonly order: Order;
  readonly text: string;
  readonly digest: string;
  readonly effects: Effects | undefined;
  readonly claim: Claim | undefined;
  readonly journal: (Journaled & { readonly fresh: Batch }) | undefined;
}

/** What is held for an order until it has begun. */
interface Hold {
  readonly held: Held | undefined;
  readonly batch: Batch;
  undo(): void;
}

/** @param inTick the running tick of the agent, for the agent itself; undefined for others */
export function outsideOf(live: Live, inTick: (() => Effects) | undefined): Outside {
  return {
    submit: (order, terms) =>
      once(live, inTick, order, async (course) => {
        const wanted = await terms();
        const hold = await holdFor(live, course, wanted);
        const { mount } = order;
        const job = live.jobs.make({
          mount,
          terms: wanted,
          held: hold.held?.id,
          envelope: course.effects?.frame.envelopeId,
        });
        const answer = wanted.answer(job.id);
        await commitOrUndo(live, course, hold, { answer }, job.batch);
        job.start();
        return answer;
      }),
    perform: (order, terms, run) =>
      once(live, inTick, order, async (course) => {
        const hold = await holdFor(live, course, await terms());
        await commitOrUndo(live, course, hold, undefined, NOTHING);
        // It may outlast the tick that waits for it, and must not lose the agent that knows of it.
        live.uses++;
        try {
          return await performed(live, course, hold, run);
        } finally {
          live.uses--;
        }
      }),
  };
}

/** The answer of before, or of the one that does the same now, or of `begin`. */
async function once(
  live: Live,
  inTick: (() => Effects) | undefined,
  order: Order,
  begin: (course: Course) => Promise<Json>,
): Promise<Json> {
  const text = canonical(order.request);
  const requestDigest = digest(text);
  const effects = inTick?.();
  const claim = await effects?.outside.claim(order.path, requestDigest);
  try {
    return await claimed(live, { order, text, digest: requestDigest, effects, claim }, begin);
  } catch (error) {
    if (claim) effects?.outside.release(claim.at);
    throw error;
  }
}

async function claimed(
  live: Live,
  course: Omit<Course, "journal">,
  begin: (course: Course) => Promise<Json>,
): Promise<Json> {
  const { order, effects, claim } = course;
  if (claim?.row?.ending) return answerOf(claim.row, order.path);
  const id = order.idempotency &&
    live.journal.idOf(order.idempotency.scope, order.idempotency.key);
  const known = id ?? claim?.at;
  for (let row = claim?.row;;) {
    const same = known === undefined ? undefined : live.doing.get(known);
    if (same) {
      mustBeSame(same.digest, course.digest, order.path);
      const answer = await same.answer;
      // What an earlier try did has its record where this one looks for it.
      const kept = row && claim && await effects?.outside.again(claim.at);
      if (!kept?.ending) await keep(live, effects, claim, { answer });
      return answer;
    }
    if (!row || !claim) break;
    // It may have ended, or been taken back, since the records of this envelope were read.
    row = await effects?.outside.again(claim.at);
    if (row) return answerOf(row, order.path);
  }
  const answer = journaled(live, course, id, begin);
  if (known !== undefined) {
    live.doing.set(known, { digest: course.digest, answer });
    const over = () => {
      live.doing.delete(known);
    };
    answer.then(over, over);
  }
  return await answer;
}

async function journaled(
  live: Live,
  course: Omit<Course, "journal">,
  id: string | undefined,
  begin: (course: Course) => Promise<Json>,
): Promise<Json> {
  for (let runs = 1;; runs++) {
    try {
      return await journaledOnce(live, course, id, begin);
    } catch (error) {
      if (runs === MAX_RUNS || !(error instanceof Error && lost.has(error))) throw error;
    }
  }
}

async function journaledOnce(
  live: Live,
  course: Omit<Course, "journal">,
  id: string | undefined,
  begin: (course: Course) => Promise<Json>,
): Promise<Json> {
  const { order, effects, claim } = course;
  let journal: Course["journal"];
  if (id !== undefined) {
    const found = await live.journal.get(id, course.digest, order.path);
    if ("answer" in found) {
      await keep(live, effects, claim, found);
      return found.answer;
    }
    const { path } = order;
    const { key } = order.idempotency!;
    journal = { id, digest: course.digest, path, key, fresh: found.fresh };
  }
  if (effects) await effects.outside.mustBeForeseen(order.path, course.digest);
  try {
    return await begin({ ...course, journal });
  } catch (error) {
    if (effects && claim && !effects.outside.has(claim.at)) {
      await noteRefused(live, effects, course);
    }
    throw error;
  } finally {
    if (journal) cleanup(live).catch(() => {});
  }
}

/** What is refused before anybody was asked leaves no record of an answer, but is no new request to the next try, which may have it. */
async function noteRefused(
  live: Live,
  effects: Effects,
  { order, digest }: Pick<Course, "order" | "digest">,
): Promise<void> {
  if (effects.over) return;
  const first = firstTry(live, effects);
  try {
    await commit(live, joinBatches(effects.outside.refuse(order.path, digest), first));
    if (first !== NOTHING) begun(live, effects);
  } catch {
    // The refusal is what its caller is told; where it could not be noted, the next try may have to be replayed.
  }
}

async function cleanup(live: Live): Promise<void> {
  await exportOf(live);
  await live.journal.cleanup();
}

/** The tick's record of an answer that was not made for it. */
async function keep(
  live: Live,
  effects: Effects | undefined,
  claim: Claim | undefined,
  ending: Ending,
): Promise<void> {
  if (!effects || !claim || effects.over) return;
  const record = effects.outside.record(claim.at, ending);
  const first = firstTry(live, effects);
  effects.outside.recorded(record);
  await commit(live, joinBatches(record, first));
  if (first !== NOTHING) begun(live, effects);
}

/** Takes the money, and a person's yes where one is needed. @throws FileError `budget_exceeded`, `approval_required` */
async function holdFor(live: Live, course: Course, terms: Terms): Promise<Hold> {
  const { order, effects } = course;
  const amount = terms.maxCostMicroUsd;
  if (amount === 0) return { held: undefined, batch: NOTHING, undo() {} };
  const hold = live.ledger.reserve({
    mount: order.mount,
    tick: effects?.frame.envelopeId,
    amount,
    reason: terms.reason,
  });
  if (amount <= thresholdOf(live, order.mount)) return hold;
  try {
    return { ...hold, batch: joinBatches(hold.batch, await approved(live, course, terms)) };
  } catch (error) {
    hold.undo();
    throw error;
  }
}

function thresholdOf(live: Live, mount: string): number {
  const budgets = live.record.budgets ?? {};
  return Math.min(
    ...[mount, WHOLE_AGENT].map((at) => budgets[at]?.approval_threshold_micro_usd ?? Infinity),
  );
}

/** What uses up the yes that a person gave to this very request. */
async function approved(live: Live, course: Course, terms: Terms): Promise<Batch> {
  const { order } = course;
  const asked = questionDigest(order.mount, "call", order.path, course.text);
  const known = await live.approvals.find(asked);
  if (known?.state === "approved") return live.approvals.use(known);
  const question = known ?? await live.approvals.ask({
    mount: order.mount,
    path: order.path,
    op: "call",
    request: course.text,
    digest: asked,
    amountMicroUsd: terms.maxCostMicroUsd,
    reason: terms.reason,
    envelopeId: course.effects?.frame.envelopeId ?? null,
  });
  course.effects?.asked.push(question);
  throw approvalRequired(question);
}

/** The commit in which an effect begins: money, record, journal, and what goes along. */
async function commitOrUndo(
  live: Live,
  course: Course,
  hold: Hold,
  ending: Ending | undefined,
  along: Batch,
): Promise<void> {
  const { effects, claim, journal } = course;
  if (effects?.over) {
    hold.undo();
    throw isOver(course.order.path);
  }
  const record = effects && claim ? effects.outside.record(claim.at, ending) : NOTHING;
  const entry = !journal ? NOTHING : joinBatches(
    journal.fresh,
    ending ? live.journal.complete(journal, ending) : live.journal.begin(journal),
  );
  const first = effects ? firstTry(live, effects) : NOTHING;
  // Known before it stands: a tick that does not wait for it takes it away with its commit.
  effects?.outside.recorded(record);
  try {
    await commit(live, [hold.batch, record, entry, first, along].reduce(joinBatches));
  } catch (error) {
    hold.undo();
    if (claim) effects?.outside.forget(claim.at);
    if (hasCode(error, "conflict")) lost.add(error as Error);
    throw error;
  }
  if (effects && first !== NOTHING) begun(live, effects);
}

/** Refusals of a commit that another one came before: nothing has begun, and what stands now says what to do. */
const lost = new WeakSet<Error>();
const MAX_RUNS = 100;

function isOver(path: string): FileError {
  return new FileError("not_ready", "call", path, {
    detail: "the tick that asked for this has ended; nothing was done",
    extra: { asked: false },
  });
}

/** Runs it, and commits how it ended and what it cost before anybody sees it. */
async function performed(
  live: Live,
  course: Course,
  { held }: Hold,
  run: () => Promise<Performed>,
): Promise<Json> {
  const { effects, claim, journal } = course;
  const ended = async (ending: Ending) =>
    joinBatches(
      await lateRecord(live, course, ending),
      journal ? live.journal.complete(journal, ending) : NOTHING,
    );
  const undone = () =>
    joinBatches(
      effects && claim ? effects.outside.forget(claim.at) : NOTHING,
      journal ? live.journal.fail(journal.id) : NOTHING,
    );
  let outcome: Performed;
  try {
    outcome = live.redactor.json(await run());
  } catch (error) {
    const isFree = wasNotAsked(error);
    const isUnknown = !isFree && hasCode(error, "interrupted");
    const money = held &&
      (isFree
        ? live.ledger.release(held)
        : isUnknown
        ? live.ledger.giveUp(held)
        : live.ledger.settle(held, undefined));
    const refusal = isFree ? undefined : refusalOf(error);
    // What nobody knows the end of stays without one: it is never done again by itself.
    const told = isUnknown ? NOTHING : refusal ? await ended(refusal) : undone();
    await commit(live, joinBatches(money?.batch ?? NOTHING, told));
    money?.done();
    throw error;
  }
  const money = held && live.ledger.settle(held, outcome.costMicroUsd);
  await commit(live, joinBatches(money?.batch ?? NOTHING, await ended({ answer: outcome.answer })));
  money?.done();
  return outcome.answer;
}

/** How it ended, where somebody may still look for it: a tick that has ended for good has taken its records away. */
async function lateRecord(
  live: Live,
  { effects, claim }: Course,
  ending: Ending,
): Promise<Batch> {
  if (!effects || !claim) return NOTHING;
  if (effects.over && await live.storage.get(claim.at) === undefined) return NOTHING;
  const record = effects.outside.record(claim.at, ending);
  effects.outside.recorded(record);
  return record;
}

async function commit(live: Live, batch: Batch): Promise<void> {
  await exportOf(live);
  await live.storage.commit(batch);
}

/** The first thing that a try does outside makes the try count, and its time stay, should it not end. */
function firstTry(live: Live, { frame, outside }: Effects): Batch {
  const entry = live.inTick;
  if (!entry || outside.any || entry.id !== frame.envelopeId) return NOTHING;
  const tries: Tries = {
    ...entry.tries,
    n: frame.attempt,
    now: frame.now,
    errors: entry.tries?.errors ?? [],
  };
  return { check: [], remove: [], put: [{ key: key.tries(entry.n), value: encodeJson(tries) }] };
}
function begun(live: Live, { frame }: Effects): void {
  const entry = live.inTick;
  if (entry?.id !== frame.envelopeId) return;
  entry.tries = {
    ...entry.tries,
    n: frame.attempt,
    now: frame.now,
    errors: entry.tries?.errors ?? [],
  };
}

/** JSON with the fields of every object in order, so that the same request has one text. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.keys(value).sort()
    .filter((name) => (value as { [name: string]: Json | undefined })[name] !== undefined)
    .map((name) =>
      `${JSON.stringify(name)}:${canonical((value as { [name: string]: Json })[name]!)}`
    );
  return `{${fields.join(",")}}`;
}
