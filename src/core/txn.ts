/**
 * A transaction over one owner's rows: reads see its own writes; at commit every row that was both read and written must be as it was read.
 * Chunks of large values are not kept for that: whoever writes one writes the head that names it, and a file that is read through must not be held whole.
 */
import type { AgentStorage, Batch, Check, Range, Row } from "./storage.ts";
import type { Txn } from "./view.ts";

export interface OpenTxn extends Txn {
  /** What to commit. */
  batch(): { check: Check[]; remove: string[]; put: Row[] };
  readonly usage: { reads: number; writes: number; bytesWritten: number };
}

/** Begins a transaction. It holds nothing: dropping it is a rollback. */
export function beginTxn(storage: Pick<AgentStorage, "get" | "list">): OpenTxn {
  const read = new Map<string, Uint8Array | undefined>();
  const written = new Map<string, Uint8Array | undefined>();
  const usage = { reads: 0, writes: 0, bytesWritten: 0 };

  return {
    usage,
    async get(key) {
      usage.reads++;
      if (written.has(key)) return written.get(key);
      const value = await storage.get(key);
      if (!read.has(key) && !key.startsWith("blob/")) read.set(key, value);
      return value;
    },
    async list(range) {
      usage.reads++;
      return await listOver(storage, written, range);
    },
    put(key, value) {
      usage.writes++;
      usage.bytesWritten += value.length;
      written.set(key, value);
    },
    remove(key) {
      usage.writes++;
      written.set(key, undefined);
    },
    batch() {
      const check: Check[] = [];
      const remove: string[] = [];
      const put: Row[] = [];
      for (const [key, value] of written) {
        if (read.has(key)) check.push({ key, value: read.get(key) });
        if (value === undefined) remove.push(key);
        else put.push({ key, value });
      }
      return { check, remove, put };
    },
  };
}

/** The rows of a range as they stand with `written` laid over them. */
async function listOver(
  storage: Pick<AgentStorage, "list">,
  written: ReadonlyMap<string, Uint8Array | undefined>,
  range: Range,
): Promise<Row[]> {
  const own = [...written.keys()]
    .filter((key) =>
      key.startsWith(range.prefix) && (range.after === undefined || key > range.after)
    )
    .sort();
  if (own.length === 0) return await storage.list(range);
  // A removed row takes a place of the answer away, so as many more are asked for.
  const removed = own.filter((key) => written.get(key) === undefined).length;
  const rows = await storage.list({
    ...range,
    ...(range.limit === undefined ? {} : { limit: range.limit + removed }),
  });
  const merged = new Map(rows.map((row) => [row.key, row.value]));
  const full = range.limit !== undefined && rows.length === range.limit + removed;
  const last = full ? rows.at(-1)?.key : undefined;
  for (const key of own) {
    const value = written.get(key);
    if (value === undefined) merged.delete(key);
    else if (last === undefined || key < last) merged.set(key, value);
    else if (merged.has(key)) merged.set(key, value);
  }
  const sorted = [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({
    key,
    value,
  }));
  return range.limit === undefined ? sorted : sorted.slice(0, range.limit);
}

/** Adds what else belongs into the same commit. */
export function joinBatches(a: Batch, b: Batch): Batch {
  return {
    check: [...a.check, ...b.check],
    remove: [...a.remove, ...b.remove],
    put: [...a.put, ...b.put],
  };
}
