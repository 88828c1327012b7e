/** What a job stores: bytes of any size, read in parts, replaced as a whole, and nothing left of what fails on its way. */
import { memoryBackend } from "../../src/backends/memory.ts";
import { CHUNK_BYTES } from "../../src/core/blob.ts";
import { storeBytes, storedAt } from "../../src/core/stored.ts";
import { deepEqual, equal, rejects } from "../assert.ts";

const AT = "jobvalue/1/~/a";

function world() {
  const backend = memoryBackend();
  const storage = backend.storage("a");
  let blobs = 0;
  const options = {
    storage,
    commit: (batch: Parameters<typeof storage.commit>[0]) => storage.commit(batch),
    newBlobId: () => `b${++blobs}`,
    now: backend.now,
  };
  return {
    storage,
    keys: () => [...backend.rows().get("a")?.keys() ?? []],
    store: (data: AsyncIterable<Uint8Array>) => storeBytes(options, AT, data),
    async read(range?: { offset?: number; length?: number }) {
      const stored = (await storedAt(storage, AT))!;
      const parts = await Array.fromAsync(stored.read(range));
      return { size: stored.size, bytes: parts.flatMap((part) => [...part]) };
    },
  };
}

async function* inParts(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const pattern = (size: number) => Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8));

Deno.test("stored: any size comes back as it was, whole and in parts", async () => {
  for (const size of [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 600_000]) {
    const { store, read } = world();
    const bytes = pattern(size);
    await store(inParts(bytes, 70_001));
    deepEqual(await read(), { size, bytes: [...bytes] });
    for (const [offset, length] of [[0, 10], [size >> 1, 100], [CHUNK_BYTES - 5, 10], [size, 5]]) {
      const want = [...bytes.subarray(offset!, offset! + length!)];
      deepEqual((await read({ offset: offset!, length: length! })).bytes, want);
    }
  }
});

Deno.test("stored: another value takes its place, and what fails leaves the first", async () => {
  const { store, read, keys } = world();
  await store(inParts(pattern(600_000), 65_536));
  equal(keys().length, 4);
  const failing = (async function* () {
    yield pattern(600_000);
    throw new Error("gone");
  })();
  await rejects(store(failing), { message: /gone/ });
  equal((await read()).size, 600_000);
  equal(keys().length, 4);
  await store(inParts(Uint8Array.of(0, 1, 2), 1));
  deepEqual((await read()).bytes, [0, 1, 2]);
  await store(inParts(Uint8Array.of(1, 2), 1));
  deepEqual(keys(), [AT]);
});
