import assert from "../assert.ts";
import type { FileService } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { dir, file, tree } from "../../src/fs/tree.ts";
import {
  appendBytes,
  appendJson,
  appendText,
  call,
  callJson,
  callText,
  entries,
  exists,
  readBytes,
  readChunks,
  readJson,
  readText,
  walk,
  watch,
  writeBytes,
  writeJson,
  writeText,
} from "../../src/fs/use.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const memory = () => memoryFiles({ now: () => 0 });

/** Counts the handles that are open. */
function counting(files: FileService) {
  let open = 0;
  return {
    open: () => open,
    files: {
      ...files,
      async open(...args: Parameters<FileService["open"]>) {
        const handle = await files.open(...args);
        open++;
        let closed = false;
        return {
          ...handle,
          close() {
            if (!closed) open--;
            closed = true;
            return handle.close();
          },
        };
      },
    } satisfies FileService,
  };
}

Deno.test("bytes, text and JSON go in and come out; JSON is typed as such", async () => {
  const files = memory();
  await writeText(files, "/t", "\ufeffüber");
  assert.equal(await readText(files, "/t"), "\ufeffüber");
  await appendText(files, "/t", "!");
  assert.deepEqual(await readBytes(files, "/t"), bytes("\ufeffüber!"));
  await writeJson(files, "/j", { a: [1, null] });
  assert.deepEqual(await readJson(files, "/j"), { a: [1, null] });
  assert.equal((await files.stat("/j")).type, "application/json");
  await writeJson(files, "/j", undefined);
  assert.equal(await readJson(files, "/j"), null);
  await appendJson(files, "/lines", 1);
  await appendBytes(files, "/lines", bytes("\n"));
  assert.equal(await readText(files, "/lines"), "1\n");
});

Deno.test("what is no JSON is corrupt, and the error says which file", async () => {
  const files = memory();
  await writeText(files, "/f", "{");
  await assert.rejects(readJson(files, "/f"), { code: "corrupt", path: "/f" });
});

Deno.test("a file larger than may be held is too_large", async () => {
  const { files, open } = counting(memory());
  await writeText(files, "/f", "12345");
  assert.equal(await readText(files, "/f", { maxBytes: 5 }), "12345");
  await assert.rejects(readText(files, "/f", { maxBytes: 4 }), {
    code: "too_large",
    extra: { limit: 4 },
  });
  assert.equal(open(), 0);
});

Deno.test("a write from a stream is whole or not at all", async () => {
  const { files, open } = counting(memory());
  async function* parts(fail: boolean) {
    yield bytes("a");
    yield await Promise.resolve(bytes("b"));
    if (fail) throw new Error("the source failed");
  }
  await writeBytes(files, "/f", parts(false));
  assert.equal(await readText(files, "/f"), "ab");
  await assert.rejects(writeBytes(files, "/f", parts(true)), { message: "the source failed" });
  await assert.rejects(appendBytes(files, "/f", parts(true)), { message: "the source failed" });
  assert.equal(await readText(files, "/f"), "ab");
  assert.equal(open(), 0);
});

Deno.test("a write can be aborted by its caller's signal, which is left as it was", async () => {
  const files = memory();
  const abort = new AbortController();
  async function* parts() {
    yield bytes("a");
    abort.abort();
    yield await Promise.resolve(bytes("b"));
  }
  await assert.rejects(writeBytes(files, "/f", parts(), { signal: abort.signal }), {
    code: "interrupted",
  });
  assert.equal(await exists(files, "/f"), false);
});

Deno.test("leaving a loop closes its handle", async () => {
  const { files, open } = counting(memory());
  await writeText(files, "/f", "x");
  for await (const chunk of readChunks(files, "/f")) {
    assert.equal(open(), 1);
    assert.deepEqual(chunk, bytes("x"));
    break;
  }
  assert.equal(open(), 0);
  const events = await watch(files, "/f");
  assert.equal(open(), 1);
  await writeText(files, "/f", "y");
  for await (const event of events) {
    assert.equal(event.type, "modified");
    break;
  }
  assert.equal(open(), 0);
});

Deno.test("a watch loop ends with its signal", async () => {
  const { files, open } = counting(memory());
  await writeText(files, "/f", "x");
  const abort = new AbortController();
  const types: string[] = [];
  const events = await watch(files, "/f", { signal: abort.signal });
  await writeText(files, "/f", "y");
  for await (const { type } of events) {
    types.push(type);
    abort.abort();
  }
  assert.deepEqual([types, open()], [["modified"], 0]);
});

Deno.test("a call writes its request and reads its answer on one handle", async () => {
  const { files, open } = counting(tree(dir({
    echo: file({ call: (request, { type }) => `${type} ${new TextDecoder().decode(request)}` }),
    sum: file({
      call: (request) => {
        const { a, b } = JSON.parse(new TextDecoder().decode(request));
        return JSON.stringify(a + b);
      },
    }),
    fails: file({ call: () => Promise.reject(new Error("no")) }),
  })));
  assert.equal(await callText(files, "/echo"), "undefined ");
  assert.equal(await callText(files, "/echo", "hi", { type: "text/plain" }), "text/plain hi");
  assert.deepEqual(await call(files, "/echo", bytes("hi")), bytes("undefined hi"));
  assert.equal(await callJson(files, "/sum", { a: 1, b: 2 }), 3);
  await assert.rejects(callJson(files, "/echo", 1), { code: "corrupt", path: "/echo" });
  await assert.rejects(call(files, "/fails"), { code: "internal" });
  assert.equal(open(), 0);
});

Deno.test("exists answers for what is not there, and not for what may not be asked", async () => {
  const files = memory();
  await writeText(files, "/a/b", "x");
  const answers = ["/", "/a", "/a/b", "/x", "/a/b/c"].map((path) => exists(files, path));
  assert.deepEqual(await Promise.all(answers), [true, true, true, false, false]);
  await assert.rejects(exists(files, "/../x"), { code: "invalid_path" });
});

Deno.test("walk and entries give everything, in whatever pages", async () => {
  const files = memory();
  for (const path of ["/a/x", "/a/y/z", "/b", "/c/d/e"]) await writeText(files, path, "x");
  const found = (await Array.fromAsync(walk(files))).map(({ path }) => path);
  assert.deepEqual(found, ["/a", "/a/x", "/a/y", "/a/y/z", "/b", "/c", "/c/d", "/c/d/e"]);
  const below = (await Array.fromAsync(walk(files, "/a/"))).map(({ path }) => path);
  assert.deepEqual(below, ["/a/x", "/a/y", "/a/y/z"]);
  for (const size of [1, 2, 3, 4]) {
    const names = (await Array.fromAsync(entries(files, "/", size))).map((e) => e.name);
    assert.deepEqual(names, ["a", "b", "c"]);
  }
});
