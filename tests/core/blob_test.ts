/** Values of any size: rows of 256 KiB, replaced and removed whole, and what a crash leaves swept. */
import { memoryBackend } from "../../src/backends/memory.ts";
import {
  blobKeys,
  CHUNK_BYTES,
  largeRows,
  largeSize,
  MAX_INLINE_BYTES,
  putLarge,
  readLarge,
  removeLarge,
  sweepDrafts,
} from "../../src/core/blob.ts";
import { key } from "../../src/core/keys.ts";
import type { AgentStorage } from "../../src/core/storage.ts";
import { beginTxn } from "../../src/core/txn.ts";
import { deepEqual, ok, rejects } from "../assert.ts";

function world() {
  let ids = 0;
  return { storage: memoryBackend().storage("a"), newId: () => `b${++ids}` };
}

function bytesOf(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed) % 251 + 1);
}

async function put(storage: AgentStorage, at: string, bytes: Uint8Array, newId: () => string) {
  const txn = beginTxn(storage);
  await putLarge(txn, at, bytes, newId);
  await storage.commit(txn.batch());
}

const SIZES = [
  0,
  1,
  MAX_INLINE_BYTES,
  MAX_INLINE_BYTES + 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  3_000_000,
];

Deno.test("a value of any size comes back byte for byte, in rows of at most 256 KiB", async () => {
  for (const size of SIZES) {
    const { storage, newId } = world();
    const bytes = bytesOf(size, size);
    await put(storage, "state", bytes, newId);
    deepEqual(await readLarge(storage, "state"), bytes);
    const rows = await storage.list({ prefix: "" });
    ok(rows.every((row) => row.value.length <= CHUNK_BYTES));
    deepEqual(rows.length, size <= MAX_INLINE_BYTES ? 1 : 1 + Math.ceil(size / CHUNK_BYTES));
    deepEqual(largeSize((await storage.get("state"))!), size);
  }
});

Deno.test("a value that begins like a head is not taken for one", async () => {
  const { storage, newId } = world();
  const bytes = new TextEncoder().encode('\0{"blob":"x","size":1,"count":1}');
  await put(storage, "state", bytes, newId);
  deepEqual(await readLarge(storage, "state"), bytes);
});

Deno.test("replacing and removing a value leaves none of its chunks", async () => {
  const { storage, newId } = world();
  await put(storage, "state", bytesOf(1_000_000, 1), newId);
  await put(storage, "state", bytesOf(700_000, 2), newId);
  deepEqual((await storage.list({ prefix: "blob/" })).length, 3);
  await put(storage, "state", bytesOf(10, 3), newId);
  deepEqual((await storage.list({ prefix: "" })).length, 1);
  await put(storage, "state", bytesOf(700_000, 4), newId);
  const txn = beginTxn(storage);
  await removeLarge(txn, "state");
  await storage.commit(txn.batch());
  deepEqual(await storage.list({ prefix: "" }), []);
});

Deno.test("a reader sees one whole value while another replaces it", async () => {
  const { storage, newId } = world();
  const [first, second] = [bytesOf(600_000, 1), bytesOf(600_000, 2)];
  await put(storage, "state", first, newId);
  let gets = 0;
  const racing = {
    async get(at: string) {
      if (++gets === 3) await put(storage, "state", second, newId);
      return await storage.get(at);
    },
  };
  deepEqual(await readLarge(racing, "state"), second);
});

Deno.test("chunks that are gone are told as corrupt, not as a shorter value", async () => {
  const { storage, newId } = world();
  await put(storage, "state", bytesOf(600_000, 1), newId);
  const [, second] = blobKeys(await storage.get("state"));
  await storage.commit({ check: [], remove: [second!], put: [] });
  await rejects(readLarge(storage, "state"), { code: "corrupt" });
});

Deno.test("a sweep removes drafts with all their chunks and nothing else", async () => {
  const { storage, newId } = world();
  await put(storage, "state", bytesOf(600_000, 1), newId);
  const kept = (await storage.list({ prefix: "" })).map((row) => row.key);
  for (const id of ["left", "left-too"]) {
    for (let n = 0; n < 150; n++) {
      const chunk = { key: key.blob(id, n), value: bytesOf(10, n) };
      await storage.commit({ check: [], remove: [], put: [chunk] });
    }
    await storage.commit({
      check: [],
      remove: [],
      put: [{ key: key.draft(id), value: bytesOf(1, 1) }],
    });
  }
  deepEqual(await sweepDrafts(storage), 2);
  deepEqual((await storage.list({ prefix: "" })).map((row) => row.key), kept);
});

Deno.test("rows of a new value are the same as those that a put makes", async () => {
  const { storage, newId } = world();
  const bytes = bytesOf(600_000, 9);
  await storage.commit({ check: [], remove: [], put: largeRows("inbox/1", bytes, newId) });
  deepEqual(await readLarge(storage, "inbox/1"), bytes);
});
