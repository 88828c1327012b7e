/** What holds of every runtime that died at any point, of its storage or of an agent's host, and has recovered: no work is lost, doubled, halved or left over. */
import { blobKeys } from "../../src/core/blob.ts";
import { decodeJson } from "../../src/core/code.ts";
import { key } from "../../src/core/keys.ts";
import type { Row } from "../../src/core/storage.ts";
import { holds, same } from "../expect.ts";
import type { Law } from "../law.ts";
import type { AgentSight, Recovered } from "./recovered.ts";

export type CrashLaw = Law<Recovered>;

/** Work that has not ended. What nobody knows the end of, `open/journal/`, stays for people to resolve. */
const WORK = /^(inbox|send|try|retry|alarm|alarmid|draft|call|pending|open(?!\/journal))\//;
const ENDED = ["complete", "failed", "cancelled"];

function law(
  id: string,
  name: string,
  says: string,
  look: (all: Recovered) => void,
): CrashLaw {
  // What a look finds comes as a rejection, whichever law it is.
  return { id, name, says, test: (all) => Promise.try(() => look(all)) };
}

/** A law of each agent for itself. */
function ofEach(
  id: string,
  name: string,
  says: string,
  look: (sight: AgentSight, all: Recovered) => void,
): CrashLaw {
  return law(id, name, says, (all) => {
    for (const sight of all.agents.values()) look(sight, all);
  });
}

function twice(names: readonly string[]): string[] {
  return names.filter((name, n) => names.indexOf(name) !== n);
}

/** In how many of these places an envelope stands: committed ticks, the inbox, the dead letters. */
function places({ committed, waiting, letters }: AgentSight, id: string): number {
  return committed.filter(({ envelope_id }) => envelope_id === id).length +
    waiting.filter((waits) => waits === id).length +
    letters.filter((letter) => letter.id === id).length;
}

/** Chunks that a row names: a file says in which pieces it stands, any other large value has a head. */
function chunksOf({ key: at, value }: Row): string[] {
  if (at.startsWith("blob/")) return [];
  if (!at.startsWith("file/") || at.endsWith("!")) return blobKeys(value);
  const { pieces = [] } = decodeJson<{ pieces?: [blob: string, first: number, count: number][] }>(
    value,
  );
  return pieces.flatMap(([blob, first, count]) =>
    Array.from({ length: count }, (_, n) => key.blob(blob, first + n))
  );
}

function consecutive(numbers: readonly number[]): boolean {
  return numbers.every((n, i) => n === numbers[0]! + i);
}

export const crashLaws: readonly CrashLaw[] = [
  law(
    "K1",
    "what_was_accepted_is_not_lost",
    "an envelope whose sender got a receipt is in a committed tick, in the inbox or in the dead letters, unless a step let it go",
    ({ accepted, aside, agents }) => {
      for (const { to, id } of accepted) {
        const sight = agents.get(to);
        if (!sight || aside.has(id)) continue;
        holds(places(sight, id) > 0, `${to} was sent ${id}, and it is nowhere`);
      }
    },
  ),
  ofEach(
    "K2",
    "nothing_is_ticked_twice",
    "an envelope commits at most once, and does not wait or lie among the dead once it has",
    ({ info, committed, waiting, letters }) => {
      const all = [
        ...committed.map(({ envelope_id }) => envelope_id),
        ...waiting,
        ...letters.map(({ id }) => id),
      ];
      same(twice(all), [], `${info.id}: envelopes that are in two places`);
    },
  ),
  ofEach(
    "K3",
    "a_tick_is_whole",
    "what ticks leave in the state and in KV, and how many of them the trajectory tells, is one number",
    ({ info, tallies: [state, kv], committed }) => {
      same([state, kv], [committed.length, committed.length], `${info.id}: ticks as told`);
    },
  ),
  ofEach(
    "K4",
    "one_senders_order_is_kept",
    "what one sender sent, each after the receipt of the one before, commits in that order",
    ({ info, committed }, { accepted, aside }) => {
      const done = committed.map(({ envelope_id }) => envelope_id);
      const mine = accepted.filter(({ to, id }) => to === info.id && !aside.has(id));
      for (const sender of new Set(mine.map(({ from }) => from))) {
        const sent = [...new Set(mine.filter(({ from }) => from === sender).map(({ id }) => id))];
        const order = done.filter((id) => sent.includes(id));
        same(order, sent.filter((id) => done.includes(id)), `${info.id}: what ${sender} sent`);
      }
    },
  ),
  ofEach(
    "K5",
    "an_alarm_rings_once",
    "each time of an alarm is one committed tick, not before that time",
    ({ info, committed }) => {
      const rang = committed.map(({ trigger }) => trigger).filter(({ type }) => type === "alarm");
      const times = rang.map(({ alarm_id, scheduled_for }) => `${alarm_id} ${scheduled_for}`);
      same(twice(times), [], `${info.id}: times of alarms that rang twice`);
      for (const { alarm_id, scheduled_for = 0, fired_at = 0 } of rang) {
        holds(fired_at >= scheduled_for, `${info.id}: ${alarm_id} rang before its time`);
      }
    },
  ),
  law(
    "K6",
    "a_message_between_agents_arrives_once",
    "a message of a committed tick stands once with its receiver, or its sender is told once that it is undeliverable",
    ({ agents, aside }) => {
      for (const { info, committed } of agents.values()) {
        for (const { to, id } of committed.flatMap(({ messages }) => messages)) {
          const receiver = agents.get(to);
          const there = receiver ? places(receiver, id) : 0;
          const told = committed.filter(({ trigger: { event, data } }) =>
            event === "undeliverable" && data?.message_id === id
          ).length;
          holds(
            aside.has(id) || there + told === 1,
            `${id} from ${info.id} to ${to}: ${there} there, ${told} told`,
          );
        }
      }
    },
  ),
  ofEach(
    "K7",
    "numbers_have_no_gap",
    "events of the outbox and records of the trajectory are numbered one after the other",
    ({ info, outbox, trajectory }) => {
      for (const events of [outbox, trajectory]) {
        const numbers = events.map(({ seq }) => seq);
        holds(consecutive(numbers), `${info.id}: numbers with a gap: ${numbers}`);
      }
    },
  ),
  ofEach(
    "K8",
    "money_adds_up",
    "every line of the ledger has ended and costs no more than was reserved, and their sum is what the day tells, within its limit",
    ({ info, lines, usage: { day } }) => {
      for (const { id, state, actual_micro_usd: actual, amount_micro_usd: most } of lines) {
        holds(state !== "reserved" && actual !== null, `${info.id}: ${id} has not ended`);
        holds(actual >= 0 && actual <= most, `${info.id}: ${id} costs ${actual} of ${most}`);
      }
      const spent = lines.reduce((sum, { actual_micro_usd }) => sum + (actual_micro_usd ?? 0), 0);
      same([day.spent_micro_usd, day.reserved_micro_usd], [spent, 0], `${info.id}: the day`);
      const limit = day.limit_micro_usd ?? Infinity;
      holds(spent <= limit, `${info.id}: ${spent} is spent of ${limit}`);
    },
  ),
  ofEach(
    "K9",
    "every_job_has_ended",
    "a job is complete, failed or cancelled",
    ({ info, rows }) => {
      for (const { key, value } of rows.filter(({ key }) => key.startsWith("job/"))) {
        const { status } = decodeJson<{ status: string }>(value);
        holds(ENDED.includes(status), `${info.id}: ${key} is ${status}`);
      }
    },
  ),
  ofEach(
    "K10",
    "no_work_is_left",
    "when nothing moves any more there is no row of a message, a try, an alarm, a call or a purchase that has not ended",
    ({ info, rows }) => {
      same(rows.map(({ key }) => key).filter((key) => WORK.test(key)), [], `${info.id}: rows`);
    },
  ),
  ofEach(
    "K11",
    "large_values_are_whole",
    "every chunk is named by one row, and every chunk that a row names is there",
    ({ info, rows }) => {
      const named = rows.flatMap(chunksOf);
      const there = rows.map(({ key }) => key).filter((key) => key.startsWith("blob/"));
      same(there, named.sort(), `${info.id}: chunks`);
    },
  ),
  law(
    "K12",
    "agents_are_there_or_not",
    "whoever has rows is in the registry, whoever is in the registry has rows, and no beginning or end is half done",
    ({ agents, owners, registry }) => {
      const ids = [...agents.keys()];
      same(owners, ids, "owners of rows");
      same(registry.map(({ key }) => key), ids.map((id) => `agent/${id}`), "the registry");
    },
  ),
  law(
    "K13",
    "another_crash_changes_nothing",
    "a crash while nothing moves leaves every row as it was",
    ({ changed }) => same(changed, [], "rows that it changed"),
  ),
];
