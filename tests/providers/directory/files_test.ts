/** What a mounted directory does for those who use it: large files, long listings, permissions and owners, what is left when a write is given up. */
import { codeOf } from "../../../src/fs/error.ts";
import { MATCH_NONE } from "../../../src/fs/file.ts";
import {
  appendBytes,
  entries,
  readBytes,
  readChunks,
  readText,
  writeBytes,
  writeText,
} from "../../../src/fs/use.ts";
import { MAX_HANDLES, MAX_MESSAGE_BYTES } from "../../../src/providers/directory/protocol.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { inYard, namesIn } from "./yard.ts";

const MIB = 1024 * 1024;

function sameBytes(got: Uint8Array, want: Uint8Array): void {
  equal(got.length, want.length);
  equal(got.findIndex((byte, i) => byte !== want[i]), -1);
}

function bytesOf(size: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >> 8) + seed) & 255;
  return bytes;
}

/** Names on the host, those of our own making among them. */
async function hostNames(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
}

inYard(
  "a large file goes through in pieces, and any part of it is read",
  async ({ files, inside }) => {
    const data = bytesOf(12 * MIB + 13);
    async function* pieces() {
      for (let at = 0; at < data.length; at += 3_000_001) {
        yield await Promise.resolve(data.subarray(at, at + 3_000_001));
      }
    }
    await writeBytes(files, "/dir/large", pieces());
    equal((await Deno.stat(`${inside}/dir/large`)).size, data.length);
    let at = 0;
    for await (const chunk of readChunks(files, "/dir/large")) {
      ok(chunk.length <= MAX_MESSAGE_BYTES);
      sameBytes(chunk, data.subarray(at, at + chunk.length));
      at += chunk.length;
    }
    equal(at, data.length);
    for (
      const [offset, length] of [[0, 10], [MAX_MESSAGE_BYTES - 5, 10], [
        data.length - 3,
        100,
      ]] as const
    ) {
      deepEqual(
        await readBytes(files, "/dir/large", { offset, length }),
        data.slice(offset, offset + length),
      );
    }
    await appendBytes(files, "/dir/large", bytesOf(2 * MIB, 5));
    await writeBytes(files, "/dir/large", bytesOf(MIB, 9), { offset: 7 });
    const end = await readBytes(files, "/dir/large", { offset: data.length });
    sameBytes(end, bytesOf(2 * MIB, 5));
    sameBytes(await readBytes(files, "/dir/large", { offset: 7, length: MIB }), bytesOf(MIB, 9));
    deepEqual(await hostNames(`${inside}/dir`), ["large"]);
  },
);

inYard("100,000 entries are listed page by page", async ({ files, inside }) => {
  await Deno.mkdir(`${inside}/many`);
  const names = Array.from({ length: 100_000 }, (_, i) => `file ${i}`);
  for (const name of names) {
    Deno.openSync(`${inside}/many/${name}`, { create: true, write: true }).close();
  }
  const first = await files.list("/many");
  equal(first.length, 1000);
  deepEqual(first.map((e) => e.name), names.toSorted().slice(0, 1000));
  const last = await files.list("/many", { after: "file 99990", limit: 5 });
  deepEqual(last.map((e) => e.name), [
    "file 99991",
    "file 99992",
    "file 99993",
    "file 99994",
    "file 99995",
  ]);
  let [count, before] = [0, ""];
  for await (const { name } of entries(files, "/many")) {
    ok(name > before);
    before = name;
    count++;
  }
  equal(count, names.length);
});

inYard("a write that is given up leaves nothing, however far it got", async ({ files, inside }) => {
  await writeText(files, "/kept", "kept");
  for (const size of [10, 3 * MIB]) {
    const abort = new AbortController();
    const handle = await files.open("/new/deep/f", "write", { signal: abort.signal });
    await handle.write(bytesOf(size));
    abort.abort();
    await rejects(handle.write(bytesOf(1)), { code: "interrupted" });
    await handle.close();
    deepEqual(await hostNames(inside), ["kept"]);
  }
  const late = await files.open("/kept", "write", { match: MATCH_NONE }).catch(codeOf);
  equal(late, "precondition_failed");
  const raced = await files.open("/other", "write", { match: MATCH_NONE });
  await raced.write(bytesOf(3 * MIB));
  await Deno.writeTextFile(`${inside}/other`, "was faster");
  await rejects(raced.close(), { code: "precondition_failed" });
  deepEqual(await hostNames(inside), ["kept", "other"]);
  equal(await readText(files, "/other"), "was faster");
});

inYard(
  "what is replaced keeps its permissions, and who reads it the old content",
  async ({ files, inside }) => {
    await writeBytes(files, "/tool", bytesOf(MIB));
    await Deno.chmod(`${inside}/tool`, 0o750);
    const reading = await files.open("/tool", "read");
    const first = await reading.read();
    await writeBytes(files, "/tool", bytesOf(MIB, 3));
    equal((await Deno.stat(`${inside}/tool`)).mode! & 0o777, 0o750);
    const rest: Uint8Array[] = [first!];
    for (let chunk = await reading.read(); chunk; chunk = await reading.read()) rest.push(chunk);
    await reading.close();
    sameBytes(new Uint8Array(await new Blob(rest as BlobPart[]).arrayBuffer()), bytesOf(MIB));
    sameBytes(await readBytes(files, "/tool"), bytesOf(MIB, 3));
  },
);

inYard("two writers of one file, each whole", async ({ files }) => {
  const texts = Array.from({ length: 20 }, (_, i) => String(i % 10).repeat(400_000));
  await Promise.all(texts.map((text) => writeText(files, "/a/f", text)));
  ok(texts.includes(await readText(files, "/a/f")));
});

inYard(
  "what is mounted to be read is not written, not even by the worker",
  async ({ inside, mount }) => {
    await Deno.writeTextFile(`${inside}/f`, "x");
    const files = mount({ access: "read_only" });
    equal(await readText(files, "/f"), "x");
    deepEqual((await files.stat("/f")).modes, ["read", "watch"]);
    for (const path of ["/f", "/new"]) {
      const code = await writeText(files, path, "y").then(() => "written", codeOf);
      ok(["not_supported", "not_found"].includes(code), code);
    }
    await rejects(files.remove("/f"), { code: "not_supported" });
  },
);

inYard("a directory goes when it is empty, and not before", async ({ files, inside }) => {
  await writeText(files, "/a/b/f", "x");
  await rejects(files.remove("/a/b"), { code: "conflict", message: /not empty/ });
  await files.remove("/a/b/f");
  await files.remove("/a/b");
  await files.remove("/a");
  await rejects(files.remove("/"), { code: "not_supported" });
  deepEqual(await namesIn(files, "/"), []);
  deepEqual(await hostNames(inside), []);
});

inYard("what says it is no part of a tick", async ({ files }) => {
  await writeText(files, "/f", "x");
  match((await files.stat("/f")).about!, /no part of a tick/);
});

inYard("handles are counted, and given back by close and by abort", async ({ files }) => {
  await writeText(files, "/f", "x");
  const abort = new AbortController();
  const { signal } = abort;
  const open = () => files.open("/f", "read", { signal });
  const handles = await Promise.all(Array.from({ length: MAX_HANDLES }, open));
  await rejects(open(), { code: "rate_limited" });
  await handles[0]!.close();
  await (await open()).close();
  abort.abort();
  equal(await readText(files, "/f"), "x");
  await rejects(handles[1]!.read(), { code: "interrupted" });
});

inYard(
  "leftovers of a program that was ended are swept a day later, never sooner",
  async ({ files, inside }) => {
    const [old, fresh] = ["a", "b"].map((c) => `.agentd-${c.repeat(32)}.tmp`);
    for (const name of [old, fresh]) await Deno.writeTextFile(`${inside}/${name}`, "half");
    const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
    await Deno.utime(`${inside}/${old}`, yesterday, yesterday);
    deepEqual(await namesIn(files, "/"), []);
    deepEqual(await hostNames(inside), [fresh]);
    await rejects(readText(files, `/${fresh}`), { code: "not_found" });
  },
);
