/** The naive model: lists of what was sent and what was seen of it, and what must hold between them. It knows of agents only what their files tell. */
import { holds, same } from "../../conformance/expect.ts";
import type { Memory } from "./worker.ts";

/** Where an envelope was seen: in a committed tick, in the inbox, in the dead letters. */
export type Place = "done" | "waiting" | "dead";

/** All that is seen of one agent, in a moment in which nothing moves. */
export interface Sight {
  readonly memory: Memory;
  readonly waiting: readonly string[];
  readonly letters: readonly {
    readonly id: string;
    readonly reason: string;
    readonly code: string | undefined;
    readonly message: string | undefined;
  }[];
  /** Envelopes that were answered in `/outbox`, as often as they were. */
  readonly replies: readonly string[];
  /** What one tick writes beside its state, each a count of the ticks. */
  readonly counts: readonly number[];
}

interface Sent {
  readonly sender: string;
  /** The step: what is sent in one step by one sender has no order. */
  step: number;
  /** Its sender has been told that it was taken. */
  told: boolean;
  readonly replies: number;
}

export interface Part {
  readonly id: string;
  /** May let go what waits. */
  readonly drops: boolean;
  readonly sent: Map<string, Sent>;
  /** What must not come back. */
  readonly gone: Set<string>;
  /** Envelopes without an order: put back by hand, or said again by a sender who was never answered. */
  readonly replayed: Set<string>;
  /** Envelopes that somebody throws away. */
  readonly leaving: Set<string>;
  seen: Map<string, Place>;
  last: Sight | undefined;
}

export interface Model {
  readonly parts: ReadonlyMap<string, Part>;
  add(id: string, drops: boolean): void;
  /** Compares what is seen of all agents with all that was seen before. `latest`: no clock has told a later time. */
  compare(sights: ReadonlyMap<string, Sight>, latest: number): void;
  /** What must hold when nothing will move any more. */
  end(sights: ReadonlyMap<string, Sight>): void;
}

/** How envelopes that nobody outside sends are called. */
const ALARM = /^alarm:(.+):-?\d+$/;
const JOB = /^job:(.+):done$/;
const BOUNCED = /^(.+):undeliverable$/;

export function makeModel(): Model {
  const parts = new Map<string, Part>();

  function compare(sights: ReadonlyMap<string, Sight>, latest: number): void {
    for (const [id, sight] of sights) {
      const part = parts.get(id)!;
      const seen = placesOf(id, sight);
      grows(part, sight);
      for (const [envelope, place] of seen) {
        holds(!part.gone.has(envelope), `${id}: ${envelope} was gone and is ${place} again`);
        expected(part, sight, sights, envelope, latest);
      }
      for (const envelope of expectedSure(part)) {
        if (seen.has(envelope) || part.gone.has(envelope)) continue;
        const before = part.seen.get(envelope) ?? "taken";
        holds(
          before !== "done" && (part.drops || part.leaving.has(envelope)),
          `${id}: ${envelope} was ${before} and is nowhere: lost`,
        );
        part.gone.add(envelope);
      }
      ordered(part, sight);
      fails(part, sight);
      part.seen = seen;
      part.last = sight;
    }
    for (const [from, { memory }] of sights) {
      for (const [to, list] of Object.entries(memory.sent)) {
        const part = parts.get(to);
        if (part) peers(part, from, list);
      }
    }
  }

  return {
    parts,
    add(id, drops) {
      parts.set(id, {
        id,
        drops,
        sent: new Map(),
        gone: new Set(),
        replayed: new Set(),
        leaving: new Set(),
        seen: new Map(),
        last: undefined,
      });
    },
    compare,
    end(sights) {
      for (const [id, { memory, waiting }] of sights) {
        const part = parts.get(id)!;
        same(waiting, [], `${id}: what waits in the end`);
        const ended = (envelope: string, what: string) =>
          holds(part.seen.has(envelope) || part.gone.has(envelope) || part.drops, what);
        for (const { id: alarm, due } of memory.alarms) {
          if (memory.cancelled.includes(alarm)) continue;
          ended(`alarm:${alarm}:${due}`, `${id}: the alarm ${alarm} has never rung`);
        }
        for (const job of memory.jobs) {
          ended(`job:${job}:done`, `${id}: the end of the job ${job} was never heard`);
        }
        for (const [to, list] of Object.entries(memory.sent)) {
          const peer = parts.get(to);
          for (const message of list) {
            if (!peer) {
              ended(`${message}:undeliverable`, `${id}: ${message} to ${to} has not come back`);
            } else {
              holds(
                peer.drops || peer.seen.has(message) || peer.gone.has(message),
                `${id}: ${message} has never come to ${to}`,
              );
            }
          }
        }
      }
    },
  };
}

/** Every envelope in one place. */
function placesOf(id: string, { memory, waiting, letters }: Sight): Map<string, Place> {
  const seen = new Map<string, Place>();
  const put = (envelope: string, place: Place) => {
    const other = seen.get(envelope);
    holds(other === undefined, `${id}: ${envelope} is ${place} and ${other}: twice`);
    seen.set(envelope, place);
  };
  for (const [envelope] of memory.done) put(envelope, "done");
  for (const envelope of waiting) put(envelope, "waiting");
  for (const { id: envelope } of letters) put(envelope, "dead");
  return seen;
}

/** What has committed stays, whole, over every end. */
function grows({ id, last, sent }: Part, sight: Sight): void {
  const { memory, counts, replies } = sight;
  for (const count of counts) same(count, memory.n, `${id}: a count beside the state`);
  same(memory.done.length, memory.n, `${id}: its ticks`);
  const before = last?.memory.done ?? [];
  same(memory.done.slice(0, before.length), before, `${id}: ticks that had committed`);
  same(
    replies.slice(0, last?.replies.length ?? 0),
    last?.replies ?? [],
    `${id}: replies, once told`,
  );
  const told = new Map<string, number>();
  for (const envelope of replies) told.set(envelope, (told.get(envelope) ?? 0) + 1);
  for (const [envelope] of memory.done) {
    const asked = sent.get(envelope);
    if (asked) same(told.get(envelope) ?? 0, asked.replies, `${id}: replies to ${envelope}`);
    told.delete(envelope);
  }
  same([...told.keys()], [], `${id}: replies of ticks that have not committed`);
}

/** Somebody has sent it, and its time has come. */
function expected(
  part: Part,
  { memory }: Sight,
  sights: ReadonlyMap<string, Sight>,
  envelope: string,
  latest: number,
): void {
  const why = `${part.id}: ${envelope}`;
  const alarm = ALARM.exec(envelope)?.[1];
  if (alarm !== undefined) {
    const set = memory.alarms.find(({ id }) => id === alarm);
    holds(set && envelope === `alarm:${alarm}:${set.due}`, `${why} was never set`);
    holds(set.due <= latest, `${why} has rung too early: it is at most ${latest}`);
    holds(!memory.cancelled.includes(alarm), `${why} has rung though it was cancelled`);
    return;
  }
  const bounced = BOUNCED.exec(envelope)?.[1];
  if (bounced !== undefined) {
    const sent = Object.entries(memory.sent).find(([, list]) => list.includes(bounced));
    holds(sent && !sights.has(sent[0]), `${why} comes back from somebody who is there`);
    return;
  }
  // A tick that asked for a job may have failed afterwards: the job is begun all the same.
  if (JOB.test(envelope)) return;
  const sent = part.sent.get(envelope);
  if (sent) return;
  for (const { memory } of sights.values()) if (memory.sent[part.id]?.includes(envelope)) return;
  throw new Error(`${why} was sent by nobody, or refused`);
}

/** What must be somewhere: what its sender was told is taken, and all that was seen. */
function* expectedSure({ sent, seen }: Part): Generator<string> {
  for (const [envelope, { told }] of sent) if (told) yield envelope;
  yield* seen.keys();
}

/** One sender's messages, in the order of the steps in which they were sent. */
function ordered({ id, sent, replayed }: Part, { memory }: Sight): void {
  const steps = new Map<string, number>();
  for (const [envelope, sender] of memory.done) {
    const of = sent.get(envelope);
    if (!of || replayed.has(envelope)) continue;
    same(sender, of.sender, `${id}: who sent ${envelope}`);
    holds((steps.get(sender) ?? -1) <= of.step, `${id}: ${envelope} is ticked out of its order`);
    steps.set(sender, of.step);
  }
}

/** Only what was told to fail has failed, or what a crash or the clock stopped each time. */
function fails({ id }: Part, { letters }: Sight): void {
  for (const { id: envelope, reason, code, message } of letters) {
    if (reason === "overflow") continue;
    const known = code === "timeout" || code === "interrupted" ||
      (code === "agent_error" &&
        /as asked|provider_unavailable/.test(message ?? ""));
    holds(known, `${id}: ${envelope} was given up with ${code}: ${message}`);
  }
}

/** Messages of one agent to another: each once, none before an earlier one. */
function peers(part: Part, from: string, list: readonly string[]): void {
  const { id, seen, gone, replayed, last, drops } = part;
  same(new Set(list).size, list.length, `${from}: ids of its messages`);
  const at = new Map(list.map((envelope, i) => [envelope, i]));
  let before = -1;
  for (const [envelope] of last!.memory.done) {
    const i = at.get(envelope);
    if (i === undefined || replayed.has(envelope)) continue;
    holds(i > before, `${id}: ${envelope} of ${from} is ticked out of its order`);
    before = i;
  }
  const come = list.map((envelope) => seen.has(envelope) || gone.has(envelope));
  const missing = come.indexOf(false);
  holds(
    drops || missing < 0 || !come.includes(true, missing),
    `${id}: ${list[missing]} of ${from} has not come, and a later one has`,
  );
}
