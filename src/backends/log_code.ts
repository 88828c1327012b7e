/** What a group of batches has written, as one value: it is in the log until its rows stand in their tables. */
import type { Row } from "../core/storage.ts";
import type { Owner } from "../core/backend.ts";
import { FileError } from "../fs/error.ts";

/** In this order: a key that is both removed and put stands. */
export interface Written {
  readonly owner: Owner;
  readonly remove: readonly string[];
  readonly put: readonly Row[];
}

/** A batch in the head: its owner, what it removes, and the key and size of each row that it puts. */
type Head = [owner: Owner, remove: readonly string[], put: (string | number)[]];

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Before the head: how long it is. Behind it: the values, one after the other. */
const PREFIX_BYTES = 4;

export function encodeWritten(all: readonly Written[]): Uint8Array {
  let size = 0;
  const heads = all.map(({ owner, remove, put }): Head => {
    const rows: (string | number)[] = [];
    for (const { key, value } of put) {
      rows.push(key, value.byteLength);
      size += value.byteLength;
    }
    return [owner, remove, rows];
  });
  const head = encoder.encode(JSON.stringify(heads));
  const bytes = new Uint8Array(PREFIX_BYTES + head.length + size);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, PREFIX_BYTES);
  let at = PREFIX_BYTES + head.length;
  for (const { put } of all) {
    for (const { value } of put) {
      bytes.set(value, at);
      at += value.byteLength;
    }
  }
  return bytes;
}

/** @throws FileError `corrupt` */
export function decodeWritten(bytes: Uint8Array): Written[] {
  let heads: Head[];
  let at: number;
  try {
    const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
    at = PREFIX_BYTES + size;
    heads = JSON.parse(decoder.decode(bytes.subarray(PREFIX_BYTES, at)));
  } catch (cause) {
    throw corrupt(cause);
  }
  const all = heads.map(([owner, remove, rows]): Written => {
    const put: Row[] = [];
    for (let i = 0; i < rows.length; i += 2) {
      const end = at + (rows[i + 1] as number);
      put.push({ key: rows[i] as string, value: bytes.slice(at, end) });
      at = end;
    }
    return { owner, remove, put };
  });
  if (at !== bytes.byteLength) throw corrupt(undefined);
  return all;
}

function corrupt(cause: unknown): FileError {
  return new FileError("corrupt", "read", "log", {
    detail: "an entry of the database's log is not what was written; restore a backup",
    cause,
  });
}
