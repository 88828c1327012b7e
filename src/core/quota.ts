/**
 * How much an agent keeps, and whether more fits. Far from the limit a write costs an addition; near it the rows are counted. What is removed,
 * and what gets smaller, always fits.
 */
import { FileError } from "../fs/error.ts";
import type { Batch, Row } from "./storage.ts";
import type { Effects } from "./effects.ts";
import type { Live } from "./live.ts";
import { decodeJson } from "./code.ts";
import { key } from "./keys.ts";
import { limitsOf, WARN_PERCENT } from "./limits.ts";
import { pages } from "./pages.ts";

/** From this part of the limit on, writes are looked at closely. */
const NEAR_PERCENT = 75;
/** A state of so many bytes alone is not worth a count. */
const SMALL_STATE = 16 * 1024;
const BLOB = "blob/";
const DRAFT = "draft/";
const FILE = "file/";

/** What is known of an agent's storage while it is in memory. */
interface Room {
  /** As it was counted; undefined before that. */
  counted: number | undefined;
  /** What has come since then, at the most: what it replaced is taken off only near the limit. */
  grown: number;
  /** The try of which `deltas` tell: what it does is not committed, and no count finds it. */
  tick: Effects | undefined;
  /** By row. */
  readonly deltas: Map<string, Delta>;
  /** All of them. */
  tickGrown: number;
  /** Chunks that are kept for a file which is not there yet, by blob. */
  readonly drafts: Map<string, number>;
  warned: boolean;
}

/** By how much a row is larger than the committed one, or at the most. */
interface Delta {
  readonly bytes: number;
  readonly size: number;
  readonly isExact: boolean;
}

const rooms = new WeakMap<Live, Room>();

/** Bytes of the state, KV, goals and files as they stand. */
export async function storedBytes(live: Live): Promise<number> {
  if (live.storedBytes !== undefined) return live.storedBytes;
  const parts = await Promise.all(["kv/", "goal/", FILE].map((prefix) => bytesBelow(live, prefix)));
  return live.storedBytes = sum(parts) + (live.state?.length ?? 0);
}

async function bytesBelow({ storage }: Live, prefix: string): Promise<number> {
  let bytes = 0;
  for await (const rows of pages(storage, prefix)) bytes += sum(rows.map(sizeOf));
  return bytes;
}

/**
 * To be asked before rows are put or removed. The state is given whole, under its key.
 * @param tick the running try, for what is part of its commit
 * @throws FileError `quota_exceeded`
 */
export async function mustHaveRoom(
  live: Live,
  { put, remove }: Pick<Batch, "put" | "remove">,
  tick?: Effects,
): Promise<void> {
  const room = roomOf(live);
  forgetDrafts(room, remove);
  if (tick) follow(room, tick);
  const sizes = new Map(remove.filter(isCounted).map((at) => [at, 0]));
  for (const row of put) if (isCounted(row.key)) sizes.set(row.key, sizeOf(row));
  if (sizes.size > 0) await take(live, room, sizes, tick);
}

/**
 * The same of all that a try leaves, before its commit: also what no service wrote. Undefined where there is nothing to ask.
 * @throws FileError `quota_exceeded`
 */
export function mustHaveTickRoom(
  live: Live,
  tick: Effects,
  state: string,
): Promise<void> | undefined {
  const batch = tick.txn.batch();
  const writes = batch.put.some((row) => isCounted(row.key)) || batch.remove.some(isCounted);
  const isLarge = state !== live.state &&
    (state.length > SMALL_STATE || roomOf(live).counted !== undefined);
  return writes || isLarge ? tickRoom(live, tick, batch, state) : undefined;
}

async function tickRoom(live: Live, tick: Effects, batch: Batch, state: string): Promise<void> {
  const room = roomOf(live);
  const bytes = state.length - (live.state?.length ?? 0);
  const own: Delta = { size: state.length, bytes, isExact: true };
  follow(room, tick);
  // What it becomes smaller by is room for the rest.
  if (bytes < 0) setDelta(room, key.state, own);
  await mustHaveRoom(live, batch, tick);
  if (bytes <= 0) return;
  await admit(live, room, bytes, () => Promise.resolve(bytes));
  setDelta(room, key.state, own);
}

/**
 * The same for rows that are kept at once, for a file which comes later.
 * @throws FileError `quota_exceeded`
 */
export async function mustHaveDraftRoom(
  live: Live,
  put: readonly Row[],
  remove: readonly string[],
): Promise<void> {
  const room = roomOf(live);
  forgetDrafts(room, remove);
  for (const { key: at, value } of put) {
    if (!at.startsWith(BLOB)) continue;
    await admit(live, room, value.length, () => Promise.resolve(value.length));
    const blob = at.slice(BLOB.length, at.lastIndexOf("/"));
    room.drafts.set(blob, (room.drafts.get(blob) ?? 0) + value.length);
  }
}

/** A file that is there is counted as one, and what was given up is gone. */
function forgetDrafts(room: Room, removed: readonly string[]): void {
  for (const at of removed) {
    if (at.startsWith(DRAFT)) room.drafts.delete(at.slice(DRAFT.length));
  }
}

type Sizes = ReadonlyMap<string, number>;

async function take(
  live: Live,
  room: Room,
  sizes: Sizes,
  tick: Effects | undefined,
): Promise<void> {
  const most = sum([...sizes.values()]);
  let exact: Map<string, number> | undefined;
  if (most > 0) {
    await admit(live, room, most, async () => {
      exact = await deltasOf(live, sizes);
      const before = (at: string) => tick ? room.deltas.get(at)?.bytes ?? 0 : 0;
      return sum([...exact].map(([at, bytes]) => bytes - before(at)));
    });
  }
  if (!tick) {
    const more = exact ? sum([...exact.values()]) : most;
    // What is removed is committed, or not: a count finds it.
    room.grown += Math.max(0, more);
    return;
  }
  for (const [at, size] of sizes) {
    setDelta(room, at, { size, bytes: exact?.get(at) ?? size, isExact: exact !== undefined });
  }
}

/** Whether `most` bytes fit, or those that `exactly` says where it matters. */
async function admit(
  live: Live,
  room: Room,
  most: number,
  exactly: () => Promise<number>,
): Promise<void> {
  const limit = limitsOf(live.record.limits).max_storage_bytes;
  room.counted ??= await storedBytes(live);
  if (isBelow(totalOf(room) + most, limit, NEAR_PERCENT)) return;
  let more = await exactly();
  if (more <= 0) return;
  const warns = () => !room.warned && !isBelow(totalOf(room) + more, limit, WARN_PERCENT);
  if (totalOf(room) + more > limit || warns()) {
    await recount(live, room);
    more = await exactly();
    if (isBelow(totalOf(room), limit, WARN_PERCENT)) room.warned = false;
  }
  const total = totalOf(room);
  if (more > 0 && total + more > limit) throw exceeded(live, limit, total, more);
  if (!warns()) return;
  room.warned = true;
  live.trace.add({
    type: "budget",
    warning: `${WARN_PERCENT}% of max_storage_bytes`,
    limit_bytes: limit,
    stored_bytes: total + more,
  });
}

async function recount(live: Live, room: Room): Promise<void> {
  room.counted = await storedBytes(live);
  room.grown = 0;
  if (room.tick !== live.effects) clearDeltas(room);
  const vague = [...room.deltas].filter(([, { isExact }]) => !isExact);
  const exact = await deltasOf(live, new Map(vague.map(([at, { size }]) => [at, size])));
  for (const [at, bytes] of exact) {
    setDelta(room, at, { size: room.deltas.get(at)!.size, bytes, isExact: true });
  }
}

function setDelta(room: Room, at: string, delta: Delta): void {
  room.tickGrown += delta.bytes - (room.deltas.get(at)?.bytes ?? 0);
  room.deltas.set(at, delta);
}

function clearDeltas(room: Room): void {
  room.deltas.clear();
  room.tickGrown = 0;
}

/** Another try begins: what the last one did is committed, or gone. */
function follow(room: Room, tick: Effects): void {
  if (room.tick === tick) return;
  room.grown += Math.max(0, room.tickGrown);
  room.tick = tick;
  clearDeltas(room);
}

function roomOf(live: Live): Room {
  let room = rooms.get(live);
  if (!room) {
    room = {
      counted: undefined,
      grown: 0,
      tick: undefined,
      deltas: new Map(),
      tickGrown: 0,
      drafts: new Map(),
      warned: false,
    };
    rooms.set(live, room);
  }
  return room;
}

function totalOf({ counted = 0, grown, tickGrown, drafts }: Room): number {
  return counted + grown + tickGrown + sum([...drafts.values()]);
}

/** By how much rows of these sizes are larger than the committed ones. */
async function deltasOf(live: Live, sizes: Sizes): Promise<Map<string, number>> {
  const deltas = await Promise.all([...sizes].map(async ([at, size]) => {
    if (at === key.state) return [at, size - (live.state?.length ?? 0)] as const;
    const value = await live.storage.get(at);
    return [at, size - (value ? sizeOf({ key: at, value }) : 0)] as const;
  }));
  return new Map(deltas);
}

function isCounted(at: string): boolean {
  return at.startsWith("kv/") || at.startsWith("goal/") || at.startsWith(FILE) || at === key.state;
}

/** What a row that counts counts for. A file counts by its head, which says how large it is; a directory for nothing. */
function sizeOf({ key: at, value }: Row): number {
  return at.startsWith(FILE) ? decodeJson<{ size?: number }>(value).size ?? 0 : value.length;
}

function isBelow(bytes: number, limit: number, percent: number): boolean {
  return bytes * 100 < limit * percent;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function exceeded({ id }: Live, limit: number, stored: number, asked: number): FileError {
  return new FileError("quota_exceeded", "write", `/agents/${id}`, {
    detail:
      `the agent keeps ${stored} bytes and may keep ${limit}; ${asked} more do not fit. Remove some, ` +
      "or raise its limit max_storage_bytes",
    extra: { limit_bytes: limit, stored_bytes: stored, asked_bytes: asked },
  });
}
