/** A backend of plain maps, for tests, and the model that every other backend must equal. Its world (clock, timers, chance) is deterministic unless another is given. */
import type { AgentStorage, Batch, Row } from "../core/storage.ts";
import type { Backend, Found, Owner } from "../core/backend.ts";
import {
  checkFind,
  checkKey,
  checkOwner,
  checkOwnersRange,
  checkRange,
  conflict,
  copyOf,
  ownBatch,
  sameBytes,
} from "./batch.ts";
import { type ManualClock, manualClock } from "./manual_clock.ts";
import { seededRandom } from "./seeded_random.ts";

export interface MemoryOptions {
  /** Without it, `clock.now`. */
  readonly now?: () => number;
  /** Without it, the same bytes in every run. */
  readonly random?: (bytes: number) => Uint8Array;
  /** Without it, `clock.timer`. */
  readonly timer?: (delayMs: number, fire: () => void) => () => void;
}

export interface MemoryBackend extends Backend {
  /** Drives `now` and `timer` where the options gave none. */
  readonly clock: ManualClock;
  /** Every committed row: owner → key → value. Copies. */
  rows(): Map<Owner, Map<string, Uint8Array>>;
  /** A new backend over what is committed now, as after a crash: what was not committed is lost, and what the old backend does from now on does not reach it. */
  reopen(options?: MemoryOptions): MemoryBackend;
}

/** 2026-01-01T00:00:00Z, a time at which dates look like dates. */
const START_MS = 1_767_225_600_000;

/** One owner's rows; `keys` are the map's, sorted. */
interface Rows {
  readonly values: Map<string, Uint8Array>;
  readonly keys: string[];
}

export function memoryBackend(options: MemoryOptions = {}): MemoryBackend {
  return open(new Map(), manualClock(START_MS), seededRandom("memory"), options);
}

function open(
  data: Map<Owner, Rows>,
  clock: ManualClock,
  random: (bytes: number) => Uint8Array,
  options: MemoryOptions,
): MemoryBackend {
  const now = options.now ?? clock.now;
  const chance = options.random ?? random;
  /** Commits and drops in the order of their calls, each in a turn of its own: a caller that does not await sees nothing of its commit yet. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn(job: () => void): Promise<void> {
    const done = last.then(job);
    last = done.catch(() => {});
    return done;
  }

  function storage(owner: Owner): AgentStorage {
    checkOwner("open storage", owner);
    return {
      get: (key) =>
        promised(() => {
          checkKey("get", key);
          const value = data.get(owner)?.values.get(key);
          return value && copyOf(value);
        }),
      list: (range) =>
        promised(() => {
          checkRange(range);
          const rows = data.get(owner);
          const found: Row[] = [];
          if (!rows) return found;
          const limit = range.limit ?? Infinity;
          let i = firstFrom(rows.keys, range.prefix);
          if (range.after !== undefined) i = Math.max(i, firstBehind(rows.keys, range.after));
          for (; i < rows.keys.length && found.length < limit; i++) {
            const key = rows.keys[i]!;
            if (!key.startsWith(range.prefix)) break;
            found.push({ key, value: copyOf(rows.values.get(key)!) });
          }
          return found;
        }),
      async commit(batch) {
        const own = ownBatch(batch);
        await inTurn(() => apply(data, owner, own));
      },
    };
  }

  return {
    clock,
    storage,
    owners: (range) =>
      promised(() => {
        checkOwnersRange(range);
        return [...data.keys()].sort()
          .filter((owner) => range.after === undefined || owner > range.after)
          .slice(0, range.limit);
      }),
    async drop(owner) {
      checkOwner("drop", owner);
      await inTurn(() => {
        data.delete(owner);
      });
    },
    find: (query) =>
      promised(() => {
        const order = checkFind(query);
        const { prefix, through, after, limit } = query;
        const found: Found[] = [];
        for (const [owner, { keys }] of data) {
          for (let i = firstFrom(keys, prefix); i < keys.length; i++) {
            const key = keys[i]!;
            if (!key.startsWith(prefix) || (through !== undefined && key > through)) break;
            found.push({ owner, key });
            if (order === "owner") break;
          }
        }
        const compare = order === "time" ? byTime : byOwner;
        return found.filter((f) => !after || compare(f, after) > 0).sort(compare).slice(0, limit);
      }),
    now,
    random: (bytes) => chance(bytes),
    timer: options.timer ?? clock.timer,
    rows: () =>
      new Map([...data].map(([owner, { values }]) => [
        owner,
        new Map([...values].map(([key, value]) => [key, copyOf(value)])),
      ])),
    reopen(next = options) {
      const copy = new Map(
        [...data].map(([o, { values, keys }]) => [o, { values: new Map(values), keys: [...keys] }]),
      );
      return open(copy, clock, random, next);
    },
  };
}

/** All or nothing: every check comes before the first change. */
function apply(data: Map<Owner, Rows>, owner: Owner, batch: Batch): void {
  const rows = data.get(owner) ?? { values: new Map<string, Uint8Array>(), keys: [] };
  for (const { key, value } of batch.check) {
    if (!sameBytes(rows.values.get(key), value)) throw conflict(owner, key);
  }
  for (const key of batch.remove) {
    if (rows.values.delete(key)) rows.keys.splice(firstFrom(rows.keys, key), 1);
  }
  for (const { key, value } of batch.put) {
    if (!rows.values.has(key)) rows.keys.splice(firstFrom(rows.keys, key), 0, key);
    rows.values.set(key, value);
  }
  if (rows.keys.length > 0) data.set(owner, rows);
  else data.delete(owner);
}

/** Where the first key that is not before `key` stands. */
function firstFrom(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstBehind(keys: readonly string[], key: string): number {
  const i = firstFrom(keys, key);
  return keys[i] === key ? i + 1 : i;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byTime(a: Found, b: Found): number {
  return compareText(a.key, b.key) || compareText(a.owner, b.owner);
}

function byOwner(a: Found, b: Found): number {
  return compareText(a.owner, b.owner);
}

/** The answer of `read`, which runs now, as a promise; what it throws rejects. */
function promised<T>(read: () => T): Promise<T> {
  return new Promise((resolve) => resolve(read()));
}
