/** A file's head: what it is, and where its bytes stand. Small files stand in it; others in chunks that it names. */
import { CHUNK_BYTES } from "../../core/blob.ts";
import { decodeJson, encodeJson } from "../../core/code.ts";
import { key } from "../../core/keys.ts";
import { refusal } from "../../fs/tree.ts";

export { CHUNK_BYTES };
/** A file of at most so many bytes stands in its head: one row, one read. */
export const MAX_INLINE_BYTES = 32 * 1024;
/** A head has at most so many bytes: some 10,000 pieces, which is a file of 2.5 GB written wholly at random. */
export const MAX_HEAD_BYTES = 512 * 1024;

/** Chunks `blob/<id>/<first>` and on, in a row. */
export type Piece = readonly [blob: string, first: number, count: number];

export interface Head {
  readonly size: number;
  /** Milliseconds since the Unix epoch. */
  readonly modified: number;
  /** Another after every write, also when the file has gone and come again. */
  readonly version: string;
  /** Media type, if its writer said one. */
  readonly type?: string;
  /** Base64. */
  readonly inline?: string;
  /** Every chunk has `CHUNK_BYTES`, but for the file's last. */
  readonly pieces?: readonly Piece[];
}

export type Body = Pick<Head, "inline" | "pieces">;

export function headOf(value: Uint8Array): Head {
  return decodeJson<Head>(value);
}

/** @throws FileError `too_large` for a file in too many pieces */
export function encodeHead(head: Head): Uint8Array {
  const row = encodeJson(head);
  if (row.length <= MAX_HEAD_BYTES) return row;
  throw refusal("too_large", "it is in too many pieces; write it once as a whole", {
    pieces: head.pieces?.length ?? 0,
  });
}

export function inlineBytes({ inline = "" }: Body): Uint8Array {
  return Uint8Array.fromBase64(inline);
}

/** The keys of chunks `from` to `to` (exclusive) of the file, in order. */
export function chunkKeys(
  { pieces = [] }: Body,
  from = 0,
  to: number = Number.MAX_SAFE_INTEGER,
): string[] {
  const keys: string[] = [];
  let start = 0;
  for (const [blob, first, count] of pieces) {
    const end = Math.min(start + count, to);
    for (let chunk = Math.max(start, from); chunk < end; chunk++) {
      keys.push(key.blob(blob, first + chunk - start));
    }
    start += count;
    if (start >= to) break;
  }
  return keys;
}

/** Puts `piece` in place of chunks `from` to `to` (exclusive); the file may become longer by it. */
export function spliced(
  pieces: readonly Piece[],
  from: number,
  to: number,
  piece: Piece,
): Piece[] {
  const before: Piece[] = [];
  const behind: Piece[] = [];
  let start = 0;
  for (const [blob, first, count] of pieces) {
    const end = start + count;
    if (start < from) before.push([blob, first, Math.min(end, from) - start]);
    if (end > to) {
      const cut = Math.max(0, to - start);
      behind.push([blob, first + cut, count - cut]);
    }
    start = end;
  }
  return [...before, piece, ...behind];
}
