/** Bytes on their way into a file. Full chunks are kept as they arrive, under a draft; at most two partial ones wait in memory for the commit. */
import { CHUNK_BYTES } from "../../core/blob.ts";
import { encodeJson } from "../../core/code.ts";
import { key } from "../../core/keys.ts";
import type { AgentView } from "../../core/view.ts";

/** Bytes of one chunk of the file, from `start` within it. */
export interface Part {
  readonly chunk: number;
  readonly start: number;
  readonly bytes: Uint8Array;
}

export interface Stage {
  /** Chunk `n` of the file is kept as number `n - first` of this blob, whose id no other write has. */
  readonly blob: string;
  readonly first: number;
  /** Where in the file its bytes begin. */
  readonly offset: number;
  readonly size: number;
  /** How many chunks are kept. */
  readonly kept: number;
  write(data: Uint8Array): Promise<void>;
  /** What is not kept yet: the beginning, if it is not that of a chunk, and the end. */
  parts(): Part[];
  /** All its bytes, in order. */
  bytes(): AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
}

/** Kept chunks that are discarded in one commit. */
const DISCARD_BATCH = 64;

export function openStage(
  view: Pick<AgentView, "rows" | "newBlobId" | "now">,
  offset: number,
): Stage {
  const { rows } = view;
  const blob = view.newBlobId();
  const first = Math.floor(offset / CHUNK_BYTES);
  let chunk = first;
  let start = offset % CHUNK_BYTES;
  const keptFrom = start > 0 ? first + 1 : first;
  let edge: Part | undefined;
  let kept = 0;
  let size = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  async function chunkIsFull(): Promise<void> {
    const bytes = joined(held, heldBytes);
    if (start > 0) edge = { chunk, start, bytes };
    else await keep(bytes);
    chunk++;
    start = 0;
    held = [];
    heldBytes = 0;
  }
  async function keep(value: Uint8Array): Promise<void> {
    const put = [{ key: key.blob(blob, chunk - first), value }];
    if (kept === 0) put.push({ key: key.draft(blob), value: encodeJson({ at: view.now() }) });
    await rows.commitNow(put, []);
    kept++;
  }
  const keptKey = (n: number) => key.blob(blob, keptFrom + n - first);

  return {
    blob,
    first,
    offset,
    get size() {
      return size;
    },
    get kept() {
      return kept;
    },
    async write(data) {
      while (data.length > 0) {
        const taken = data.subarray(0, CHUNK_BYTES - start - heldBytes);
        held.push(taken);
        heldBytes += taken.length;
        size += taken.length;
        data = data.subarray(taken.length);
        if (start + heldBytes === CHUNK_BYTES) await chunkIsFull();
      }
    },
    parts() {
      const parts = edge ? [edge] : [];
      if (heldBytes > 0) parts.push({ chunk, start, bytes: joined(held, heldBytes) });
      return parts;
    },
    async *bytes() {
      if (edge) yield edge.bytes;
      for (let n = 0; n < kept; n++) yield (await rows.get(keptKey(n)))!;
      yield* held;
    },
    async discard() {
      for (let n = 0; n < kept; n += DISCARD_BATCH) {
        const count = Math.min(DISCARD_BATCH, kept - n);
        const remove = Array.from({ length: count }, (_, i) => keptKey(n + i));
        if (n + count === kept) remove.push(key.draft(blob));
        await rows.commitNow([], remove);
      }
      kept = 0;
    },
  };
}

/** The same bytes for another place in the file. */
export async function moved(
  view: Pick<AgentView, "rows" | "newBlobId" | "now">,
  stage: Stage,
  offset: number,
): Promise<Stage> {
  const other = openStage(view, offset);
  try {
    for await (const bytes of stage.bytes()) await other.write(bytes);
  } catch (error) {
    await other.discard();
    throw error;
  }
  await stage.discard();
  return other;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
