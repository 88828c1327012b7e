/** Values that are too large for one row: a head row and chunks of 256 KiB. What fits stays in its row, as it is. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Row } from "./storage.ts";
import type { Txn } from "./view.ts";
import { key } from "./keys.ts";

/** Every chunk of a large value has so many bytes, except its last. */
export const CHUNK_BYTES = 256 * 1024;
/** A value of more bytes is cut into chunks. */
export const MAX_INLINE_BYTES = 64 * 1024;
/** Chunks of an abandoned blob that are removed in one commit. */
const SWEEP_BATCH = 64;
/** How often a reader begins again because the value was replaced under it. */
const MAX_REREADS = 10;

/** A head begins with NUL, which begins no JSON and no UTF-8 text that is a value here. */
const TAG = 0;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Head {
  readonly blob: string;
  /** Bytes of the whole value. */
  readonly size: number;
  /** How many chunks, from `blob/<id>/0`. */
  readonly count: number;
}

/** The rows that hold `bytes` under a key that has no value yet; the first one is the key's own. */
export function largeRows(at: string, bytes: Uint8Array, newBlobId: () => string): Row[] {
  if (bytes.length <= MAX_INLINE_BYTES && bytes[0] !== TAG) return [{ key: at, value: bytes }];
  const blob = newBlobId();
  const chunks: Row[] = [];
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    const value = bytes.slice(from, from + CHUNK_BYTES);
    chunks.push({ key: key.blob(blob, chunks.length), value });
  }
  const value = headRow({ blob, size: bytes.length, count: chunks.length });
  return [{ key: at, value }, ...chunks];
}

/** The row of a value whose chunks stand. */
export function headRow({ blob, size, count }: Head): Uint8Array {
  return encoder.encode("\0" + JSON.stringify({ blob, size, count }));
}

/** Keys of the chunks that a row's value names: none for a value that stands in its row. They go when the row goes. */
export function blobKeys(value: Uint8Array | undefined): string[] {
  const head = value && headOf(value);
  return head ? Array.from({ length: head.count }, (_, n) => key.blob(head.blob, n)) : [];
}

/** Which blob a row's value names; undefined for a value that stands in its row. @throws FileError `corrupt` */
export function blobOf(value: Uint8Array): string | undefined {
  return headOf(value)?.blob;
}

/** Bytes of the whole value, told from its row alone. */
export function largeSize(value: Uint8Array): number {
  return headOf(value)?.size ?? value.length;
}

/** Puts a value of any size in place of the one that stands. */
export async function putLarge(
  txn: Pick<Txn, "get" | "put" | "remove">,
  at: string,
  bytes: Uint8Array,
  newBlobId: () => string,
): Promise<void> {
  await removeLarge(txn, at);
  for (const row of largeRows(at, bytes, newBlobId)) txn.put(row.key, row.value);
}

/** Removes a value of any size. */
export async function removeLarge(
  txn: Pick<Txn, "get" | "remove">,
  at: string,
): Promise<void> {
  const value = await txn.get(at);
  if (value === undefined) return;
  txn.remove(at);
  for (const chunk of blobKeys(value)) txn.remove(chunk);
}

/**
 * A value of any size as it stood at one moment, or undefined. A value that is replaced while it is read is read again.
 * @throws FileError `corrupt` when its chunks are not there
 */
export async function readLarge(
  rows: Pick<AgentStorage, "get">,
  at: string,
): Promise<Uint8Array | undefined> {
  for (let i = 0; i < MAX_REREADS; i++) {
    const value = await rows.get(at);
    if (value === undefined) return undefined;
    const whole = await wholeValue(rows, value);
    if (whole) return whole;
  }
  throw corrupt(at, "its chunks are missing, or it changed at every try to read it");
}

/** The whole of which `value` is the row; undefined when chunks are gone because the value was replaced. */
export async function wholeValue(
  rows: Pick<AgentStorage, "get">,
  value: Uint8Array,
): Promise<Uint8Array | undefined> {
  const head = headOf(value);
  if (!head) return value;
  const whole = new Uint8Array(head.size);
  let at = 0;
  for (const chunkKey of blobKeys(value)) {
    const chunk = await rows.get(chunkKey);
    if (!chunk) return undefined;
    if (at + chunk.length > head.size) throw corrupt(chunkKey, "more bytes than its head says");
    whole.set(chunk, at);
    at += chunk.length;
  }
  if (at !== head.size) throw corrupt(head.blob, "fewer bytes than its head says");
  return whole;
}

/** Removes all blobs that no head came to name. Only while nobody writes to this owner's files: a live writer's draft looks the same. */
export async function sweepDrafts(storage: Pick<AgentStorage, "list" | "commit">): Promise<number> {
  let swept = 0;
  while (true) {
    const drafts = await storage.list({ prefix: "draft/", limit: SWEEP_BATCH });
    for (const draft of drafts) await sweepDraft(storage, draft.key.slice("draft/".length));
    swept += drafts.length;
    if (drafts.length < SWEEP_BATCH) return swept;
  }
}

/** Removes the drafts that a transaction which came to nothing would have made part of a file. */
export async function dropDrafts(
  storage: Pick<AgentStorage, "list" | "commit">,
  { remove }: { readonly remove: readonly string[] },
): Promise<void> {
  for (const at of remove) {
    if (at.startsWith("draft/")) await sweepDraft(storage, at.slice("draft/".length));
  }
}

/** Removes one draft: its chunks in small batches, then the row that says that it is one. */
export async function sweepDraft(
  storage: Pick<AgentStorage, "list" | "commit">,
  id: string,
): Promise<void> {
  while (true) {
    const chunks = await storage.list({ prefix: `blob/${id}/`, limit: SWEEP_BATCH });
    const remove = chunks.map((row) => row.key);
    const last = chunks.length < SWEEP_BATCH;
    if (last) remove.push(key.draft(id));
    await storage.commit({ check: [], remove, put: [] });
    if (last) return;
  }
}

function headOf(value: Uint8Array): Head | undefined {
  if (value[0] !== TAG) return undefined;
  try {
    const head = JSON.parse(decoder.decode(value.subarray(1))) as Head;
    if (typeof head.blob === "string" && head.count === Math.ceil(head.size / CHUNK_BYTES)) {
      return head;
    }
  } catch { /* told below */ }
  throw corrupt("blob head", "a row begins like the head of a large value and is none");
}

function corrupt(at: string, detail: string): FileError {
  return new FileError("corrupt", "read", at, { detail });
}
