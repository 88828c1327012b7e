/** Puts staged bytes into a file, and takes files away: everything in one transaction, checked before anything is written. */
import { key } from "../../core/keys.ts";
import type { Row } from "../../core/storage.ts";
import type { Txn } from "../../core/view.ts";
import { mustMatch, refusal } from "../../fs/tree.ts";
import { claim, release } from "./entry.ts";
import {
  type Body,
  CHUNK_BYTES,
  chunkKeys,
  encodeHead,
  type Head,
  headOf,
  inlineBytes,
  MAX_INLINE_BYTES,
  type Piece,
  spliced,
} from "./head.ts";
import type { Stage } from "./stage.ts";

export interface Wish {
  /** `whole`: in place of all that is there. `part`: from the stage's offset on; the rest stays. `append`: at the end. */
  readonly how: "whole" | "part" | "append";
  readonly match?: string;
  /** Media type. */
  readonly type?: string;
  readonly now: number;
}

type Names = readonly string[];

interface Plan {
  readonly body: Body;
  readonly put: readonly Row[];
  readonly remove: readonly string[];
}

/**
 * Answers undefined once the bytes are in their place; for an append whose stage is not at the file's end, where that end is, having changed nothing.
 * @throws FileError `precondition_failed`, `is_directory`, `not_directory`, `range_not_satisfiable`, `too_large`
 */
export async function place(
  txn: Txn,
  names: Names,
  stage: Stage,
  wish: Wish,
): Promise<number | undefined> {
  const at = key.file(names);
  const value = await txn.get(at);
  const old = value && headOf(value);
  mustMatch(wish.match, old?.version);
  const base = wish.how === "whole" ? undefined : old;
  const end = base?.size ?? 0;
  if (wish.how === "append" && stage.offset !== end) return end;
  if (stage.offset > end) {
    throw refusal("range_not_satisfiable", "a part begins within the file or at its end", {
      offset: stage.offset,
      size: end,
    });
  }
  const enter = old ? () => {} : await claim(txn, names, wish.now);
  const size = Math.max(end, stage.offset + stage.size);
  const plan = await planned(txn, base, stage, size, wish.how === "append");
  const type = wish.type ?? old?.type;
  const head = encodeHead({
    size,
    modified: wish.now,
    version: stage.blob,
    ...(type === undefined ? {} : { type }),
    ...plan.body,
  });

  enter();
  if (old && !base) { for (const chunk of chunkKeys(old)) txn.remove(chunk); }
  for (const chunk of plan.remove) txn.remove(chunk);
  for (const row of plan.put) txn.put(row.key, row.value);
  if (stage.kept > 0) txn.remove(key.draft(stage.blob));
  txn.put(at, head);
}

/** Where all bytes will stand. Nothing is written yet. */
async function planned(
  txn: Pick<Txn, "get">,
  base: Head | undefined,
  stage: Stage,
  size: number,
  append: boolean,
): Promise<Plan> {
  if (base && stage.size === 0) return { body: bodyOf(base), put: [], remove: [] };
  if (size <= MAX_INLINE_BYTES) return { body: inlined(base, stage, size), put: [], remove: [] };
  const chunks = await mergedChunks(txn, base, stage);
  return append && base?.pieces
    ? appended(base.pieces, stage, chunks)
    : replaced(base?.pieces ?? [], stage, chunks);
}

function bodyOf({ inline, pieces }: Body): Body {
  return pieces ? { pieces } : { inline: inline ?? "" };
}

/** What is so small now was never larger: bytes are cut off only by writing the whole. */
function inlined(base: Head | undefined, stage: Stage, size: number): Body {
  const bytes = new Uint8Array(size);
  if (base) bytes.set(inlineBytes(base));
  for (const part of stage.parts()) bytes.set(part.bytes, part.start);
  return { inline: bytes.toBase64() };
}

/** The stage's partial chunks, filled up with what the file has around them. */
async function mergedChunks(
  txn: Pick<Txn, "get">,
  base: Head | undefined,
  stage: Stage,
): Promise<Map<number, Uint8Array>> {
  const chunks = new Map<number, Uint8Array>();
  for (const { chunk, start, bytes } of stage.parts()) {
    const around = base ? await chunkOf(txn, base, chunk) : new Uint8Array();
    const merged = new Uint8Array(Math.max(around.length, start + bytes.length));
    merged.set(around);
    merged.set(bytes, start);
    chunks.set(chunk, merged);
  }
  return chunks;
}

async function chunkOf(txn: Pick<Txn, "get">, head: Head, chunk: number): Promise<Uint8Array> {
  if (!head.pieces) return chunk === 0 ? inlineBytes(head) : new Uint8Array();
  const [at] = chunkKeys(head, chunk, chunk + 1);
  if (at === undefined) return new Uint8Array();
  const bytes = await txn.get(at);
  if (!bytes) throw refusal("corrupt", `chunk ${chunk} is missing`);
  return bytes.subarray(0, head.size - chunk * CHUNK_BYTES);
}

/** One piece in place of the chunks that the stage touches. */
function replaced(
  pieces: readonly Piece[],
  stage: Stage,
  chunks: ReadonlyMap<number, Uint8Array>,
): Plan {
  const to = chunkBehind(stage);
  const piece: Piece = [stage.blob, 0, to - stage.first];
  return {
    body: { pieces: spliced(pieces, stage.first, to, piece) },
    put: [...chunks].map(([n, value]) => ({ key: key.blob(stage.blob, n - stage.first), value })),
    remove: chunkKeys({ pieces }, stage.first, to),
  };
}

/**
 * The last chunk grows where it stands, so that whoever reads the file meanwhile misses nothing; and what was not kept yet goes
 * into the same piece, so that many small appends do not become many pieces.
 */
function appended(
  pieces: readonly Piece[],
  stage: Stage,
  chunks: ReadonlyMap<number, Uint8Array>,
): Plan {
  const before = pieces.slice(0, -1);
  const [blob, first, count] = pieces.at(-1)!;
  const had = pieces.reduce((sum, piece) => sum + piece[2], 0);
  const added = chunkBehind(stage) - had;
  const isIn = (n: number) => n < had || stage.kept === 0;
  const put = [...chunks].map(([n, value]) => ({
    key: isIn(n) ? key.blob(blob, first + count + n - had) : key.blob(stage.blob, n - stage.first),
    value,
  }));
  const grown: Piece[] = stage.kept === 0
    ? [[blob, first, count + added]]
    : [[blob, first, count], [stage.blob, had - stage.first, added]];
  return { body: { pieces: [...before, ...grown] }, put, remove: [] };
}

/** The chunk behind the stage's last. */
function chunkBehind({ offset, size }: Stage): number {
  return Math.ceil((offset + size) / CHUNK_BYTES);
}

/** @throws FileError `not_found`, `precondition_failed` */
export async function removeFile(
  txn: Txn,
  names: Names,
  match: string | undefined,
  now: number,
): Promise<void> {
  const at = key.file(names);
  const value = await txn.get(at);
  if (!value) throw refusal("not_found");
  const head = headOf(value);
  mustMatch(match, head.version);
  const leave = await release(txn, names, now);
  txn.remove(at);
  for (const chunk of chunkKeys(head)) txn.remove(chunk);
  leave();
}
