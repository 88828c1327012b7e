/** `/files`: any size at any place, against a plain array of bytes; what is given up leaves nothing; a name is a file or a directory. */
import fc from "fast-check";
import { createAgentd } from "../../src/agentd.ts";
import { CHUNK_BYTES } from "../../src/core/blob.ts";
import { decodeJson } from "../../src/core/code.ts";
import { key } from "../../src/core/keys.ts";
import type { FileService } from "../../src/fs/file.ts";
import {
  appendBytes,
  appendText,
  readBytes,
  readChunks,
  readText,
  writeBytes,
  writeText,
} from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { type Head, MAX_INLINE_BYTES } from "../../src/services/content/head.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";
import { ID, inWorld, mustBeTidy, world } from "./world.ts";

const PATH = "/files/dir/data.bin";

function bytesOf(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8) + seed * 31) & 255);
}

/** In pieces that fit no boundary. */
async function* inPieces(bytes: Uint8Array, size = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

const SIZES = [
  0,
  1,
  1000,
  MAX_INLINE_BYTES,
  MAX_INLINE_BYTES + 1,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  3 * CHUNK_BYTES + 7,
];
const size = fc.constantFrom(...SIZES);
const step = fc.oneof(
  fc.record({ op: fc.constant("write" as const), size, at: fc.constant(0) }),
  fc.record({ op: fc.constant("append" as const), size, at: fc.constant(0) }),
  fc.record({
    op: fc.constant("part" as const),
    size,
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ op: fc.constant("remove" as const), size: fc.constant(0), at: fc.constant(0) }),
);

function overlaid(old: Uint8Array, offset: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(old.length, offset + data.length));
  bytes.set(old);
  bytes.set(data, offset);
  return bytes;
}

Deno.test("a file is what an array of bytes would be, whatever is written where", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
      const made = await world();
      const { files } = made;
      let model: Uint8Array | undefined;
      for (const [i, { op, size, at }] of steps.entries()) {
        const data = bytesOf(size, i + 1);
        const old: Uint8Array = model ?? new Uint8Array();
        if (op === "write") {
          await writeBytes(files, PATH, inPieces(data));
          model = data;
        } else if (op === "append") {
          await appendBytes(files, PATH, inPieces(data));
          model = overlaid(old, old.length, data);
        } else if (op === "part") {
          const offset = Math.floor(at * old.length);
          await writeBytes(files, PATH, inPieces(data), { offset });
          model = overlaid(old, offset, data);
        } else if (model) {
          await files.remove(PATH);
          model = undefined;
        }
        if (model === undefined) {
          await rejects(files.stat(PATH), { code: "not_found" });
          await rejects(files.stat("/files/dir"), { code: "not_found" });
        } else {
          equal((await files.stat(PATH)).size, model.length);
          ok(same(await readBytes(files, PATH), model), `content after ${JSON.stringify(steps)}`);
          const [offset, length] = [model.length >> 1, model.length >> 2];
          const part = await readBytes(files, PATH, { offset, length });
          ok(same(part, model.subarray(offset, offset + length)), "a range");
        }
        mustBeTidy(made);
      }
      await made.stop();
    }),
    { numRuns: 60 },
  );
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

inWorld(
  "a large file's chunks are rows as they arrive, and its range is read alone",
  async (made) => {
    const { files, keys } = made;
    const data = bytesOf(10 * CHUNK_BYTES, 1);
    const handle = await files.open("/files/large", "write");
    for (let n = 1; n <= 10; n++) {
      await handle.write(data.subarray((n - 1) * CHUNK_BYTES, n * CHUNK_BYTES));
      equal(keys("blob/").length, n, "a full chunk does not wait in memory");
    }
    equal(keys("draft/").length, 1);
    deepEqual(keys("file/"), []);
    await handle.close();
    mustBeTidy(made);
    const chunks = readChunks(files, "/files/large", { offset: 5 * CHUNK_BYTES + 10, length: 5 });
    deepEqual(
      (await Array.fromAsync(chunks)).map((chunk) => chunk.length),
      [5],
    );
  },
);

Deno.test("reading a range loads the chunks of that range and no others", async () => {
  const made = await world();
  await writeBytes(made.files, "/files/large", bytesOf(8 * CHUNK_BYTES, 1));
  await made.stop();
  const read = new Set<string>();
  const backend = made.backend.reopen();
  const storage = (owner: string) => {
    const rows = backend.storage(owner);
    const get = (at: string) => {
      if (at.startsWith("blob/")) read.add(at);
      return rows.get(at);
    };
    return { ...rows, get };
  };
  const runtime = await createAgentd({ backend: { ...backend, storage }, signer: memorySigner() });
  const files = await runtime.files(ID, { viewer: "operator", name: "op" });
  await readBytes(files, "/files/large", { offset: 3 * CHUNK_BYTES - 1, length: 2 });
  equal(read.size, 2);
  await runtime.stop(1000);
});

inWorld("an aborted or refused write leaves no row behind", async (made) => {
  const { files } = made;
  const abort = new AbortController();
  const handle = await files.open("/files/x", "write", { signal: abort.signal });
  await handle.write(bytesOf(3 * CHUNK_BYTES, 1));
  abort.abort();
  await rejects(handle.close(), { code: "interrupted" });
  mustBeTidy(made);
  const options = { match: "of another time" };
  await writeText(files, "/files/x", "kept");
  const big = bytesOf(2 * CHUNK_BYTES, 1);
  await rejects(writeBytes(files, "/files/x", big, options), { code: "precondition_failed" });
  await rejects(writeBytes(files, "/files/x/y", big), { code: "not_directory" });
  await rejects(writeBytes(files, "/files/x", big, { offset: 5 }), {
    code: "range_not_satisfiable",
  });
  equal(await readText(files, "/files/x"), "kept");
  mustBeTidy(made);
});

inWorld("appends of several writers all count, large ones too", async (made) => {
  const { files } = made;
  const sizes = [10, CHUNK_BYTES + 3, 40_000, 2 * CHUNK_BYTES, 1, 3 * CHUNK_BYTES + 11];
  const handles = [];
  for (const [i, size] of sizes.entries()) {
    const handle = await files.open("/files/log", "append");
    await handle.write(bytesOf(size, 0).fill(i + 1));
    handles.push(handle);
  }
  await Promise.all(handles.map((handle) => handle.close()));
  const whole = await readBytes(files, "/files/log");
  equal(whole.length, sizes.reduce((a, b) => a + b));
  const runs = whole.filter((byte, i) => i === 0 || byte !== whole[i - 1]);
  equal(runs.length, sizes.length, "each append stands in one piece");
  deepEqual([...runs].sort(), [1, 2, 3, 4, 5, 6]);
  mustBeTidy(made);
});

inWorld("who reads while others append sees the file as it was", async (made) => {
  const { files } = made;
  const first = bytesOf(2 * CHUNK_BYTES + 100, 1);
  await writeBytes(files, "/files/log", first);
  const chunks = readChunks(files, "/files/log");
  const got = [(await chunks.next()).value!];
  await appendText(files, "/files/log", "more");
  await appendBytes(files, "/files/log", bytesOf(2 * CHUNK_BYTES, 2));
  for await (const chunk of chunks) got.push(chunk);
  equal(got.reduce((sum, chunk) => sum + chunk.length, 0), first.length);
  ok(same(Uint8Array.from(got.flatMap((chunk) => [...chunk])), first));
});

inWorld("who reads while the file is replaced is told so, and gets no mixture", async (made) => {
  const { files } = made;
  await writeBytes(files, "/files/x", bytesOf(3 * CHUNK_BYTES, 1));
  const chunks = readChunks(files, "/files/x");
  await chunks.next();
  await writeBytes(files, "/files/x", bytesOf(3 * CHUNK_BYTES, 2));
  await rejects(chunks.next(), { code: "conflict" });
});

inWorld("many small appends stay one piece", async ({ files, backend }) => {
  await writeBytes(files, "/files/log", bytesOf(CHUNK_BYTES - 10, 1));
  for (let i = 0; i < 30; i++) await appendText(files, "/files/log", "seven77");
  const head = decodeJson<Head>(backend.rows().get(ID)!.get(key.file(["log"]))!);
  equal(head.pieces!.length, 1);
  equal(head.size, CHUNK_BYTES - 10 + 210);
});

/** Which of two racing writes won, and that the loser was told why. */
async function race(files: FileService): Promise<void> {
  const [asFile, asDirectory] = await Promise.allSettled([
    writeText(files, "/files/name", "file"),
    writeText(files, "/files/name/below", "in a directory"),
  ]);
  const codes = [asFile, asDirectory].map((result) =>
    result.status === "fulfilled" ? "done" : result.reason.code
  );
  ok(["done not_directory", "is_directory done"].includes(codes.join(" ")), codes.join(" "));
  equal((await files.stat("/files/name")).dir, codes[0] !== "done");
}

inWorld(
  "a name becomes a file or a directory when two writers race for it, never both",
  (made) => race(made.files),
);

inWorld("a directory is there as long as something is in it", async (made) => {
  const { files } = made;
  for (const path of ["/files/a/b/c", "/files/a/b/d", "/files/a/e"]) {
    await writeText(files, path, "x");
  }
  await rejects(files.remove("/files/a/b"), { code: "conflict" });
  await rejects(files.remove("/files/a"), { code: "conflict" });
  await files.remove("/files/a/b/c");
  equal((await files.stat("/files/a/b")).dir, true);
  await files.remove("/files/a/b/d");
  await rejects(files.stat("/files/a/b"), { code: "not_found" });
  deepEqual((await files.list("/files/a")).map((entry) => entry.name), ["e"]);
  await files.remove("/files/a/e");
  deepEqual(await files.list("/files"), []);
  deepEqual(made.keys("file/"), []);
  await writeText(files, "/files/a", "now a file");
});

inWorld(
  "a media type is kept, else guessed, and what curl says of everything is not one",
  async (made) => {
    const { files } = made;
    const typeOf = async (path: string) => (await files.stat(path)).type;
    await writeText(files, "/files/a.json", "{}");
    equal(await typeOf("/files/a.json"), "application/json");
    await writeText(files, "/files/a.json", "{}", { type: "text/x-mine" });
    equal(await typeOf("/files/a.json"), "text/x-mine");
    await appendText(files, "/files/a.json", " ");
    equal(await typeOf("/files/a.json"), "text/x-mine");
    await writeText(files, "/files/json", "", { type: "application/x-www-form-urlencoded" });
    equal(await typeOf("/files/json"), undefined);
    const bad = writeText(files, "/files/b", "", { type: "text/x\r\nset-cookie: a" });
    await rejects(bad, { code: "invalid_request" });
  },
);

inWorld(
  "a path that fits in no row is refused to writers and not found by readers",
  async (made) => {
    const { files } = made;
    const deep = "/files" + "/äöü".repeat(200);
    await rejects(writeText(files, deep, "x"), { code: "invalid_path" });
    await rejects(files.stat(deep), { code: "not_found" });
  },
);
