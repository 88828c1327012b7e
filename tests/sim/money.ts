/** The naive model of money: every line of the ledger added up by day, and the shop's own list of what it was asked for. */
import { holds, same, show } from "../../conformance/expect.ts";
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import type { Memory } from "./worker.ts";

/** What is told of an agent's money. */
export interface Money {
  readonly lines: readonly Reservation[];
  readonly usage: UsageReport;
}

export interface Purse {
  /** Of the shop, a day. */
  readonly limit: number;
  /** Compares the ledger of an agent with the shop and with what the ledger said before. */
  compare(money: Money, memory: Memory, asked: ReadonlyMap<string, number>): void;
  /** When nothing will move any more: nothing is reserved. */
  end(money: Money): void;
}

const dayOf = (time: string) => time.slice(0, 10);

export function makePurse(id: string, limit: number): Purse {
  /** Lines that have ended: they change no more. */
  const ended = new Map<string, string>();

  function line(each: Reservation): void {
    const { amount_micro_usd: amount, actual_micro_usd: actual, state, ended_at } = each;
    const text = show(each);
    const before = ended.get(each.id);
    if (before !== undefined) return same(text, before, `${id}: a line that had ended`);
    same([actual === null, ended_at === null], Array(2).fill(state === "reserved"), text);
    holds(
      (actual ?? 0) >= 0 && (actual ?? 0) <= amount,
      `${id}: costs more than reserved: ${text}`,
    );
    if (state !== "reserved") ended.set(each.id, text);
  }
  return {
    limit,
    compare({ lines, usage: { day, day_start } }, memory, asked) {
      same(new Set(lines.map((each) => each.id)).size, lines.length, `${id}: ids of the ledger`);
      lines.forEach(line);
      const days = new Map<string, { reserved: number; spent: number }>();
      const bought = new Map<string, number>();
      for (const each of lines) {
        const { created_at, state, amount_micro_usd, actual_micro_usd, reason } = each;
        const day = days.get(dayOf(created_at)) ?? { reserved: 0, spent: 0 };
        if (state === "reserved") day.reserved += amount_micro_usd;
        day.spent += actual_micro_usd ?? 0;
        days.set(dayOf(created_at), day);
        bought.set(reason, (bought.get(reason) ?? 0) + 1);
      }
      for (const [day, { reserved, spent }] of days) {
        holds(reserved + spent <= limit, `${id}: ${reserved} + ${spent} of ${limit} on ${day}`);
      }
      const { reserved, spent } = days.get(dayOf(day_start)) ?? { reserved: 0, spent: 0 };
      same(
        [day.reserved_micro_usd, day.spent_micro_usd],
        [reserved, spent],
        `${id}: what is told of the day, and the ledger's sum`,
      );
      for (const { item, answer } of memory.bought) {
        holds(answer !== "got" || asked.has(item), `${id}: the shop knows nothing of ${item}`);
      }
      for (const [item, times] of asked) {
        if (!item.startsWith(`${id} `)) continue;
        const paid = bought.get(`buys ${item}`) ?? 0;
        holds(times === 1 || item.endsWith("!"), `${item} was asked for ${times} times`);
        holds(paid >= times, `${id}: ${item} was asked for ${times} times, ${paid} lines pay`);
      }
    },
    end({ lines }) {
      const open = lines.filter(({ state }) => state === "reserved");
      same(open, [], `${id}: reservations that have not ended`);
    },
  };
}
