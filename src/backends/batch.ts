/** What every backend refuses alike, and the private copies it keeps: nothing malformed and nothing that a caller can still change reaches the rows. */
import { FileError } from "../fs/error.ts";
import { FOUND_BY_OWNER, FOUND_BY_TIME } from "../core/keys.ts";
import { type Batch, KEY, MAX_KEY_BYTES, MAX_VALUE_BYTES, type Range } from "../core/storage.ts";
import type { FindQuery, Owner } from "../core/backend.ts";

const OWNER = /^@?[a-z0-9][a-z0-9_-]{0,62}$/;
/** A prefix may be empty; a lower bound too. */
const PREFIX = /^[!-~]{0,2048}$/;
const KEY_RULE = `a key is 1 to ${MAX_KEY_BYTES} printable ASCII characters without space`;

const BY_OWNER: ReadonlySet<string> = new Set(FOUND_BY_OWNER);
const BY_TIME: ReadonlySet<string> = new Set(FOUND_BY_TIME);

function refuse(op: string, path: string, detail: string): FileError {
  return new FileError("invalid_request", op, path.slice(0, 200), { detail });
}

/** @throws FileError `invalid_request` */
export function checkOwner(op: string, owner: Owner): void {
  if (typeof owner === "string" && OWNER.test(owner)) return;
  throw refuse(op, String(owner), 'an owner is an agent id, or "@" and a name like one');
}

/** @throws FileError `invalid_request` */
export function checkKey(op: string, key: string): void {
  if (typeof key === "string" && KEY.test(key)) return;
  throw refuse(op, String(key), KEY_RULE);
}

function checkPrefix(op: string, prefix: string): void {
  if (typeof prefix === "string" && PREFIX.test(prefix)) return;
  throw refuse(op, String(prefix), KEY_RULE);
}

function checkLimit(op: string, path: string, limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0) return;
  throw refuse(op, path, `a limit is a whole number from 0, not ${String(limit)}`);
}

/** @throws FileError `invalid_request` */
export function checkRange(range: Range): void {
  checkPrefix("list", range.prefix);
  if (range.after !== undefined) checkPrefix("list", range.after);
  if (range.limit !== undefined) checkLimit("list", range.prefix, range.limit);
}

/** @throws FileError `invalid_request` */
export function checkOwnersRange(range: { after?: Owner; limit: number }): void {
  if (range.after !== undefined) checkPrefix("list owners", range.after);
  checkLimit("list owners", range.after ?? "", range.limit);
}

/** Does the query's family sort by time? @throws FileError `invalid_request` for what is no family. */
export function checkFind(query: FindQuery): "owner" | "time" {
  checkLimit("find", query.prefix, query.limit);
  if (query.through !== undefined) checkPrefix("find", query.through);
  if (query.after !== undefined) {
    checkPrefix("find", query.after.key);
    checkPrefix("find", query.after.owner);
  }
  if (BY_TIME.has(query.prefix)) return "time";
  if (BY_OWNER.has(query.prefix)) return "owner";
  throw refuse(
    "find",
    query.prefix,
    `only ${[...BY_OWNER, ...BY_TIME].join(" ")} can be found over owners`,
  );
}

/**
 * A copy of the batch which the caller cannot reach any more. All its values lie in one array: many small ones cost
 * more to make than to fill.
 * @throws FileError `invalid_request` for a bad key or value, `too_large` for a value above `MAX_VALUE_BYTES`
 */
export function ownBatch(batch: Batch): Batch {
  let size = 0;
  for (const { key, value } of batch.check) {
    checkKey("check", key);
    if (value !== undefined) size += sizeOf("check", key, value);
  }
  for (const key of batch.remove) checkKey("remove", key);
  for (const { key, value } of batch.put) {
    checkKey("put", key);
    size += sizeOf("put", key, value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  function own(value: Uint8Array): Uint8Array {
    const copy = bytes.subarray(at, at += value.byteLength);
    copy.set(value);
    return copy;
  }
  return {
    check: batch.check.map(({ key, value }) => ({ key, value: value && own(value) })),
    remove: [...batch.remove],
    put: batch.put.map(({ key, value }) => ({ key, value: own(value) })),
  };
}

function sizeOf(op: string, key: string, value: Uint8Array): number {
  if (!(value instanceof Uint8Array)) throw refuse(op, key, "a value is a Uint8Array");
  if (value.byteLength > MAX_VALUE_BYTES) {
    throw new FileError("too_large", op, key, {
      detail: `a row holds at most ${MAX_VALUE_BYTES} bytes; cut larger values into blob rows`,
      extra: { limit_bytes: MAX_VALUE_BYTES, size_bytes: value.byteLength },
    });
  }
  return value.byteLength;
}

/** Plain bytes of its own, whatever subclass (a Node buffer's `slice` would share) was handed in. */
export function copyOf(value: Uint8Array): Uint8Array {
  return new Uint8Array(value);
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The refusal of a batch whose check failed; `extra.key` says which. */
export function conflict(owner: Owner, key: string): FileError {
  return new FileError("conflict", "commit", owner, {
    detail: `the row "${key}" is not what the batch expects; read it again and decide anew`,
    extra: { key },
  });
}

/** The first key behind all keys with this prefix. Keys end at `~`, so a character behind it does. */
export function prefixEnd(prefix: string): string {
  return prefix + "\x7f";
}
