/** Reading a file, or a range of it, chunk by chunk: only the chunks that hold the range are ever loaded. */
import type { Rows } from "../../core/view.ts";
import { type Body as Answer, refusal } from "../../fs/tree.ts";
import { CHUNK_BYTES, chunkKeys, type Head, inlineBytes } from "./head.ts";

/**
 * The bytes of the file as its head says they are. A file that is appended to meanwhile is read as it was.
 * @throws FileError `range_not_satisfiable`; later, `conflict` when it is replaced while it is read
 */
export function readContent(
  rows: Pick<Rows, "get">,
  head: Head,
  offset = 0,
  length = Infinity,
): Answer {
  if (offset > head.size) {
    throw refusal("range_not_satisfiable", `offset ${offset} is beyond the end, ${head.size}`, {
      offset,
      size: head.size,
    });
  }
  const end = Math.min(head.size, offset + length);
  return head.pieces ? chunks(rows, head, offset, end) : inlineBytes(head).subarray(offset, end);
}

async function* chunks(
  rows: Pick<Rows, "get">,
  head: Head,
  offset: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (offset >= end) return;
  const first = Math.floor(offset / CHUNK_BYTES);
  const keys = chunkKeys(head, first, Math.ceil(end / CHUNK_BYTES));
  for (const [i, at] of keys.entries()) {
    const start = (first + i) * CHUNK_BYTES;
    const bytes = await rows.get(at);
    if (!bytes) throw refusal("conflict", "it was replaced while it was read; open it again");
    yield bytes.subarray(Math.max(0, offset - start), end - start);
  }
}
