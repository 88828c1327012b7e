/** Bytes of any size that a job keeps beside its result: taken chunk by chunk, and read in parts, never held as a whole. */
import { FileError } from "../fs/error.ts";
import type { Stored } from "./outside.ts";
import type { AgentStorage, Batch } from "./storage.ts";
import { blobKeys, CHUNK_BYTES, headRow, largeSize, MAX_INLINE_BYTES, sweepDraft } from "./blob.ts";
import { encodeJson } from "./code.ts";
import { key } from "./keys.ts";

export interface StoreOptions {
  readonly storage: Pick<AgentStorage, "get" | "list">;
  readonly commit: (batch: Batch) => Promise<void>;
  readonly newBlobId: () => string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Puts it in place of what stands there. What a crash leaves of it on its way is a draft, and is swept as such. */
export async function storeBytes(
  { storage, commit, newBlobId, now }: StoreOptions,
  at: string,
  data: AsyncIterable<Uint8Array>,
): Promise<void> {
  const blob = newBlobId();
  const parts: Uint8Array[] = [];
  let held = 0;
  let size = 0;
  let count = 0;
  async function keep(): Promise<void> {
    const value = joined(parts.splice(0), held);
    held = 0;
    const put = [{ key: key.blob(blob, count), value }];
    if (count++ === 0) put.push({ key: key.draft(blob), value: encodeJson({ at: now() }) });
    await commit({ check: [], remove: [], put });
  }
  try {
    for await (let bytes of data) {
      while (bytes.length > 0) {
        const taken = bytes.slice(0, CHUNK_BYTES - held);
        parts.push(taken);
        held += taken.length;
        size += taken.length;
        bytes = bytes.subarray(taken.length);
        if (held === CHUNK_BYTES) await keep();
      }
    }
    const before = blobKeys(await storage.get(at));
    if (count === 0 && size <= MAX_INLINE_BYTES && parts[0]?.[0] !== 0) {
      const put = [{ key: at, value: joined(parts, held) }];
      return await commit({ check: [], remove: before, put });
    }
    if (held > 0) await keep();
    const put = [{ key: at, value: headRow({ blob, size, count }) }];
    await commit({ check: [], remove: [...before, key.draft(blob)], put });
  } catch (error) {
    if (count > 0) await sweepDraft({ ...storage, commit }, blob).catch(() => {});
    throw error;
  }
}

/** What stands at a key; undefined where nothing does. */
export async function storedAt(
  storage: Pick<AgentStorage, "get">,
  at: string,
): Promise<Stored | undefined> {
  const value = await storage.get(at);
  if (!value) return undefined;
  const size = largeSize(value);
  const chunks = blobKeys(value);
  return {
    size,
    async *read({ offset = 0, length = Infinity } = {}) {
      const end = Math.min(size, offset + length);
      if (chunks.length === 0) {
        if (offset < end) yield value.subarray(offset, end);
        return;
      }
      for (let n = Math.floor(offset / CHUNK_BYTES); n * CHUNK_BYTES < end; n++) {
        const bytes = await storage.get(chunks[n]!);
        if (!bytes) throw gone(at);
        const start = n * CHUNK_BYTES;
        yield bytes.subarray(Math.max(0, offset - start), end - start);
      }
    },
  };
}

function gone(at: string): FileError {
  return new FileError("conflict", "read", at, {
    detail: "it was replaced or removed while it was read",
  });
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
