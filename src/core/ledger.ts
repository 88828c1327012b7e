/**
 * An agent's ledger: every reservation is a row, and what is left is counted from the rows. The counts live in memory, where a
 * reservation takes effect before anything is waited for, so that no two can have the same money.
 */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Batch } from "./storage.ts";
import {
  type Budgets,
  type Reservation,
  type Spent,
  type UsageReport,
  WHOLE_AGENT,
} from "./budget.ts";
import { decodeJson, encodeJson, encodeText } from "./code.ts";
import { dollars } from "./money.ts";
import { isoTime } from "./id.ts";
import { key, numberOfKey } from "./keys.ts";
import { PAGE_ROWS, pages } from "./pages.ts";

const DAY_MS = 86_400_000;
/** How long lines of the ledger are kept; older ones go in batches of so many. */
const KEPT_MS = 366 * DAY_MS;
const PRUNE_BATCH = 64;
/** Days that are counted in memory. A clock that is set back into one of them finds what it has spent. */
const MAX_DAYS = 32;
/** Warnings that were given; beyond it they may be given again. */
const MAX_WARNED = 1_000;
/** A limit warns when this part of it is used up. */
const WARN_PERCENT = 80;

/** Row `budget/<day>/<n>`. Times are milliseconds. */
export interface LedgerRow {
  readonly mount: string;
  /** The envelope whose tick pays. */
  readonly tick?: string;
  readonly amount: number;
  readonly reason: string;
  readonly state: Reservation["state"];
  readonly actual?: number;
  readonly at: number;
  readonly ended?: number;
}

/** A reservation that is open: counted, and, after its commit, a row. */
export interface Held {
  readonly id: string;
  readonly row: LedgerRow;
  readonly bytes: Uint8Array;
}

export interface Ledger {
  /**
   * Takes the amount from what is left, at once. The caller commits the batch, or calls `undo`.
   * @throws FileError `budget_exceeded`
   */
  reserve(order: {
    readonly mount: string;
    readonly tick: string | undefined;
    readonly amount: number;
    readonly reason: string;
  }): { readonly held: Held; readonly batch: Batch; undo(): void };
  /** The rows that end a reservation, which must still be open at the commit; `done` after it. An actual cost above the amount counts as the amount. */
  settle(held: Held, actual: number | undefined): { readonly batch: Batch; done(): void };
  /** A reservation of which nobody can say what became: all of it counts. */
  giveUp(held: Held): { readonly batch: Batch; done(): void };
  /** Nothing was bought. */
  release(held: Held): { readonly batch: Batch; done(): void };
  /** Open reservations by id. */
  readonly open: ReadonlyMap<string, Held>;
  /** @param tick the envelope of the running tick; the last one's if absent */
  usage(mount: string, tick?: string): UsageReport;
  /** What a tick has bought so far, over all its tries; the reserved part is still open. */
  of(tick: string): { readonly reserved: number; readonly spent: number };
  /** What of the whole agent's limits, or of the widest mount's, is left to a tick. */
  remaining(tick: string | undefined): number;
  list(page: { readonly after?: string; readonly limit: number }): Promise<Reservation[]>;
  /** A tick has ended for good: its counts go when the next one ends. */
  endTick(tick: string): void;
}

export interface LedgerOptions {
  readonly storage: AgentStorage;
  readonly now: () => number;
  readonly budgets: () => Budgets;
  /** Whether an envelope still waits, so that its tick may reserve more. */
  readonly waits: (envelope: string) => boolean;
  readonly onError: (error: unknown) => void;
  /** What was paid, once it stands. */
  readonly onSpent: (mount: string, microUsd: number) => void;
  /** Told of each change, and when a limit is nearly used up. */
  readonly onEvent: (event: { readonly [field: string]: unknown }) => void;
}

interface Count {
  reserved: number;
  spent: number;
}
/** By mount; `/` is the sum. */
type Counts = Map<string, Count>;

/** Reads what the rows say. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { storage, now, budgets, waits, onSpent, onEvent, onError } = options;
  const open = new Map<string, Held>();
  const days = new Map<number, Counts>();
  const ticks = new Map<string, Counts>();
  /** The next number of each day. */
  const numbers = new Map<number, number>();
  const warned = new Set<string>();
  let lastTick: string | undefined;
  let endedTick: string | undefined;

  // A tick that began yesterday may still be tried; what is older counts no more, unless it is open. Days to come have lines where the clock was set back.
  let firstDay = dayOf(now()) - DAY_MS;
  /** Never a day whose lines were not read: a clock that is set back further buys no second time from a day's money. */
  const time = () => Math.max(now(), firstDay);
  const read = new Set<string>();
  for await (const rows of pages(storage, "budget/", PAGE_ROWS, key.budgetDay(firstDay))) {
    for (const row of rows) {
      take(row.key, row.value);
      read.add(row.key);
    }
  }
  for await (const rows of pages(storage, key.open("budget/"))) {
    for (const marker of rows) {
      const at = marker.key.slice(key.open("").length);
      if (read.has(at)) continue;
      const value = await storage.get(at);
      if (value) take(at, value);
    }
  }

  function take(at: string, bytes: Uint8Array): void {
    const row = decodeJson<LedgerRow>(bytes);
    const day = dayOf(row.at);
    numbers.set(day, Math.max(numbers.get(day) ?? 1, numberOfKey(at) + 1));
    if (row.tick !== undefined && waits(row.tick)) countsOf(ticks, row.tick);
    if (row.state === "reserved") {
      open.set(idOf(at), { id: idOf(at), row, bytes });
      count(row, row.amount, 0);
    } else count(row, 0, row.actual ?? 0);
  }
  function countsOf<K>(of: Map<K, Counts>, at: K): Counts {
    let counts = of.get(at);
    if (!counts) of.set(at, counts = new Map());
    return counts;
  }
  function add(counts: Counts, mount: string, reserved: number, spent: number): void {
    for (const at of [mount, WHOLE_AGENT]) {
      const count = counts.get(at) ?? { reserved: 0, spent: 0 };
      count.reserved += reserved;
      count.spent += spent;
      counts.set(at, count);
    }
  }
  function count(row: LedgerRow, reserved: number, spent: number): void {
    add(countsOf(days, dayOf(row.at)), row.mount, reserved, spent);
    // What a tick that is over has bought settles later, and limits no tick any more.
    const ofTick = row.tick === undefined ? undefined : ticks.get(row.tick);
    if (ofTick) add(ofTick, row.mount, reserved, spent);
  }
  function forget(): void {
    for (const at of [...days.keys()].sort((a, b) => a - b)) {
      if (days.size <= MAX_DAYS) return;
      if ([...days.get(at)!.values()].some(({ reserved }) => reserved !== 0)) continue;
      days.delete(at);
      numbers.delete(at);
      firstDay = Math.max(firstDay, at + DAY_MS);
    }
  }
  async function prune(): Promise<void> {
    const before = key.budgetDay(dayOf(now()) - KEPT_MS);
    while (true) {
      const rows = await storage.list({ prefix: "budget/", limit: PRUNE_BATCH });
      const old = rows.map((row) => row.key).filter((at) => at < before);
      const remove = old.filter((at) => !open.has(idOf(at)));
      if (remove.length > 0) await storage.commit({ check: [], remove, put: [] });
      if (remove.length < PRUNE_BATCH) return;
    }
  }

  /** Both the mount's own policy and the whole agent's. */
  function limitsOf(mount: string): { at: string; day: number; tick: number }[] {
    const all = budgets();
    const limits = [...new Set([mount, WHOLE_AGENT])].flatMap((at) => {
      const policy = Object.hasOwn(all, at) ? all[at] : undefined;
      if (!policy) return [];
      const day = policy.per_day_micro_usd;
      return [{ at, day, tick: Math.min(policy.per_tick_micro_usd ?? day, day) }];
    });
    return limits.length > 0 ? limits : [{ at: mount, day: 0, tick: 0 }];
  }
  function used(counts: Counts | undefined, at: string): Count {
    return counts?.get(at) ?? { reserved: 0, spent: 0 };
  }
  function mustFit(mount: string, tick: string | undefined, amount: number): void {
    const day = dayOf(time());
    for (const limits of limitsOf(mount)) {
      const { at } = limits;
      mustFitIn("day", at, limits.day, used(days.get(day), at), amount);
      if (tick !== undefined) {
        mustFitIn("tick", at, limits.tick, used(ticks.get(tick), at), amount);
      }
    }
  }
  function warn(mount: string, tick: string | undefined): void {
    const day = dayOf(time());
    for (const { at, ...limits } of limitsOf(mount)) {
      const scopes = [
        ["day", String(day), used(days.get(day), at)] as const,
        ...(tick === undefined ? [] : [["tick", tick, used(ticks.get(tick), at)] as const]),
      ];
      for (const [scope, of, { reserved, spent }] of scopes) {
        const mark = `${scope} ${of} ${at}`;
        const limit = limits[scope];
        if (limit === 0 || warned.has(mark)) continue;
        if (BigInt(reserved + spent) * 100n < BigInt(limit) * BigInt(WARN_PERCENT)) continue;
        if (warned.size >= MAX_WARNED) warned.clear();
        warned.add(mark);
        onEvent({
          warning: `${WARN_PERCENT}% of the ${scope}'s limit`,
          mount: at,
          ...spentOf({ reserved, spent }, limit),
        });
      }
    }
  }
  function end(
    held: Held,
    state: LedgerRow["state"],
    actual: number,
  ): { batch: Batch; done(): void } {
    const { id, row, bytes } = held;
    const at = keyOf(id);
    const ended: LedgerRow = { ...row, state, actual, ended: now() };
    return {
      batch: {
        check: [{ key: at, value: bytes }],
        remove: [key.open(at)],
        put: [{ key: at, value: encodeJson(ended) }],
      },
      done() {
        if (!open.delete(id)) return;
        count(row, -row.amount, actual);
        if (actual > 0) onSpent(row.mount, actual);
        onEvent({
          action: state,
          reservation: id,
          mount: row.mount,
          amount_micro_usd: row.amount,
          actual_micro_usd: actual,
        });
        warn(row.mount, row.tick);
        forget();
      },
    };
  }

  return {
    open,
    reserve({ mount, tick, amount, reason }) {
      mustBeAmount(mount, amount);
      mustFit(mount, tick, amount);
      const at = time();
      const day = dayOf(at);
      const n = numbers.get(day) ?? 1;
      numbers.set(day, n + 1);
      const row: LedgerRow = {
        mount,
        ...(tick === undefined ? {} : { tick }),
        amount,
        reason,
        state: "reserved",
        at,
      };
      const rowKey = key.budget(day, n);
      const held: Held = { id: idOf(rowKey), row, bytes: encodeJson(row) };
      open.set(held.id, held);
      if (tick !== undefined) {
        countsOf(ticks, tick);
        lastTick = tick;
      }
      count(row, amount, 0);
      if (n === 1) prune().catch(onError);
      onEvent({
        action: "reserved",
        reservation: held.id,
        mount,
        amount_micro_usd: amount,
        reason,
      });
      warn(mount, tick);
      return {
        held,
        batch: {
          check: [{ key: rowKey, value: undefined }],
          remove: [],
          put: [{ key: rowKey, value: held.bytes }, {
            key: key.open(rowKey),
            value: encodeText("{}"),
          }],
        },
        undo() {
          if (!open.delete(held.id)) return;
          count(row, -amount, 0);
          onEvent({ action: "undone", reservation: held.id, mount, amount_micro_usd: amount });
        },
      };
    },
    settle: (held, actual) => end(held, "settled", paidOf(actual, held.row.amount)),
    giveUp: (held) => end(held, "unknown", held.row.amount),
    release: (held) => end(held, "released", 0),
    usage(mount, tick = lastTick) {
      const day = dayOf(time());
      const own = limitsOf(mount).filter(({ at }) => at === mount || mount === WHOLE_AGENT)[0];
      const limits = own ?? limitsOf(mount)[0]!;
      const hasLimit = mount !== WHOLE_AGENT || Object.hasOwn(budgets(), WHOLE_AGENT);
      const of = (counts: Counts | undefined, limit: number) =>
        spentOf(used(counts, mount), hasLimit ? limit : null);
      return {
        tick: of(tick === undefined ? undefined : ticks.get(tick), limits.tick),
        day: of(days.get(day), limits.day),
        day_start: isoTime(day),
      };
    },
    of: (tick) => ({ ...used(ticks.get(tick), WHOLE_AGENT) }),
    remaining(tick) {
      const day = dayOf(time());
      const all = budgets();
      const left = (at: string) =>
        Math.min(
          ...limitsOf(at).map((limits) => {
            const ofDay = used(days.get(day), limits.at);
            const ofTick = used(tick === undefined ? undefined : ticks.get(tick), limits.at);
            return Math.min(
              limits.day - ofDay.reserved - ofDay.spent,
              limits.tick - ofTick.reserved - ofTick.spent,
            );
          }),
        );
      const mounts = Object.keys(all).filter((at) => at !== WHOLE_AGENT);
      const most = Math.max(0, ...mounts.map(left));
      return Object.hasOwn(all, WHOLE_AGENT) ? Math.max(0, left(WHOLE_AGENT)) : most;
    },
    async list({ after, limit }) {
      const rows = await storage.list({
        prefix: "budget/",
        limit,
        ...(after === undefined ? {} : { after: keyOf(after) }),
      });
      return rows.map((row) => shown(idOf(row.key), decodeJson<LedgerRow>(row.value)));
    },
    endTick(tick) {
      if (!ticks.has(tick)) return;
      if (endedTick !== undefined && endedTick !== tick) ticks.delete(endedTick);
      endedTick = lastTick = tick;
    },
  };
}

/** What of a reservation is paid: whole micro-USD, not below nothing and not above it; all of it where nobody knows. */
export function paidOf(actual: number | undefined, amount: number): number {
  if (actual === undefined || Number.isNaN(actual)) return amount;
  return Math.max(0, Math.min(Math.ceil(actual), amount));
}

/** A service that counts wrong must not make money: less than nothing would raise what is left. */
function mustBeAmount(mount: string, amount: number): void {
  if (Number.isSafeInteger(amount) && amount >= 0) return;
  throw new FileError("internal", "reserve", mount, {
    detail: `what it may cost is a whole number of micro-USD, not ${String(amount).slice(0, 80)}`,
  });
}

function mustFitIn(
  scope: "day" | "tick",
  at: string,
  limit: number,
  { reserved, spent }: Count,
  amount: number,
): void {
  if (reserved + spent + amount <= limit) return;
  const whose = at === WHOLE_AGENT ? "the agent" : at;
  const raise = scope === "day"
    ? `--set '${dollars(reserved + spent + amount)}/day'`
    : `--per-tick '${dollars(reserved + spent + amount)}'`;
  const mount = at === WHOLE_AGENT ? "" : ` --mount ${at}`;
  throw new FileError("budget_exceeded", "reserve", at, {
    detail:
      `${dollars(amount)} was asked for; the limit of ${whose} a ${scope} is ${
        dollars(limit)
      }, of which ` +
      `${dollars(spent)} is spent and ${
        dollars(reserved)
      } reserved; an operator raises it by: agentd budget <agent> ${raise}${mount}`,
    extra: {
      scope,
      mount: at,
      limit_micro_usd: limit,
      spent_micro_usd: spent,
      reserved_micro_usd: reserved,
      asked_micro_usd: amount,
    },
  });
}

function spentOf({ reserved, spent }: Count, limit: number | null): Spent {
  return {
    reserved_micro_usd: reserved,
    spent_micro_usd: spent,
    limit_micro_usd: limit,
    // A limit that was lowered below what is used leaves nothing, not less.
    remaining_micro_usd: limit === null ? null : Math.max(0, limit - reserved - spent),
  };
}

function shown(id: string, row: LedgerRow): Reservation {
  return {
    id,
    mount: row.mount,
    tick: row.tick ?? null,
    amount_micro_usd: row.amount,
    reason: row.reason,
    state: row.state,
    actual_micro_usd: row.actual ?? null,
    created_at: isoTime(row.at),
    ended_at: row.ended === undefined ? null : isoTime(row.ended),
  };
}

/** The begin of the UTC day. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

/** `budget/0000001795305600000/000000000007` ↔ `0000001795305600000-000000000007`. */
function idOf(at: string): string {
  return at.slice("budget/".length).replace("/", "-");
}
function keyOf(id: string): string {
  return `budget/${id.replace("-", "/")}`;
}
