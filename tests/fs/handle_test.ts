/** What handles of rows add to the laws: streams in and out, and what a row is told of their end. */
import assert from "../assert.ts";
import { feed } from "../../src/fs/feed.ts";
import { dir, file, type FileRow, refusal, tree, type Writer } from "../../src/fs/tree.ts";
import { call, readText, watch, writeText } from "../../src/fs/use.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A writer that notes what is done to it. */
function noting(change: Partial<Writer> = {}) {
  const done: string[] = [];
  const writer: Writer = {
    write: (chunk) => Promise.resolve(void done.push(`write ${new TextDecoder().decode(chunk)}`)),
    close: () => Promise.resolve(void done.push("close")),
    abort: () => Promise.resolve(void done.push("abort")),
    ...change,
  };
  return { done, files: tree(file({ writer: () => writer })) };
}

Deno.test("a writer gets the chunks as they come, and one close", async () => {
  const { done, files } = noting();
  const handle = await files.open("/", "write");
  await handle.write(bytes("a"));
  assert.deepEqual(done, ["write a"]);
  await handle.write(bytes("b"));
  await Promise.all([handle.close(), handle.close()]);
  await handle.close();
  assert.deepEqual(done, ["write a", "write b", "close"]);
});

Deno.test("a writer serves the modes that have no function of their own", async () => {
  const modes: string[] = [];
  const row: FileRow = {
    append: () => void modes.push("own append"),
    writer(mode, { offset, match, type }) {
      modes.push(`${mode} ${offset} ${match} ${type}`);
      return { write: async () => {}, close: async () => {}, abort: async () => {} };
    },
    parts: true,
  };
  const files = tree(file(row));
  assert.deepEqual((await files.stat("/")).modes, ["write", "append"]);
  await (await files.open("/", "append")).close();
  await (await files.open("/", "write", { offset: 3, match: "*any*", type: "a/b" })).close();
  assert.deepEqual(modes, ["own append", "write 3 *any* a/b"]);
});

Deno.test("a writer is aborted once, when its signal aborts, though nobody closes", async () => {
  const aborted = Promise.withResolvers<void>();
  const { done, files } = noting({ abort: () => Promise.resolve(aborted.resolve()) });
  const abort = new AbortController();
  const handle = await files.open("/", "write", { signal: abort.signal });
  await handle.write(bytes("a"));
  abort.abort();
  await aborted.promise;
  await assert.rejects(handle.close(), { code: "interrupted" });
  await assert.rejects(handle.write(bytes("b")), { code: "invalid_request" });
  assert.deepEqual(done, ["write a"]);
});

Deno.test("a writer is aborted only after its last write has settled", async () => {
  const writing = Promise.withResolvers<void>();
  const { done, files } = noting({ write: () => writing.promise });
  const abort = new AbortController();
  const handle = await files.open("/", "write", { signal: abort.signal });
  const write = handle.write(bytes("a"));
  await files.stat("/");
  abort.abort();
  await assert.rejects(write, { code: "interrupted" });
  assert.deepEqual(done, []);
  writing.resolve();
  await handle.close();
  assert.deepEqual(done, ["abort"]);
});

Deno.test("a writer whose write failed is aborted, and its caller told once", async () => {
  const { done, files } = noting({ write: () => Promise.reject(new Error("disk full")) });
  const handle = await files.open("/", "append");
  await assert.rejects(handle.write(bytes("a")), { code: "internal", op: "write" });
  await assert.rejects(handle.write(bytes("b")), { code: "invalid_request" });
  await handle.close();
  assert.deepEqual(done, ["abort"]);
});

Deno.test("a commit that is under way is not discarded, and tells its own outcome", async () => {
  const committing = Promise.withResolvers<void>();
  const { done, files } = noting({ close: () => committing.promise });
  const abort = new AbortController();
  const handle = await files.open("/", "write", { signal: abort.signal });
  await handle.write(bytes("a"));
  const close = handle.close();
  await files.stat("/");
  abort.abort();
  committing.resolve();
  await close;
  assert.deepEqual(done, ["write a"]);
});

Deno.test("a writer that comes when its caller has gone is aborted", async () => {
  const opening = Promise.withResolvers<Writer>();
  const aborted = Promise.withResolvers<void>();
  const files = tree(file({ writer: () => opening.promise }));
  const abort = new AbortController();
  const open = files.open("/", "write", { signal: abort.signal });
  await files.stat("/");
  abort.abort();
  await assert.rejects(open, { code: "interrupted" });
  opening.resolve({
    write: async () => {},
    close: () => Promise.reject(new Error("committed")),
    abort: () => Promise.resolve(aborted.resolve()),
  });
  await aborted.promise;
});

Deno.test("a row that takes no parts refuses an offset", async () => {
  const files = tree(file({ write: () => assert.fail("written") }));
  await assert.rejects(writeText(files, "/", "x", { offset: 0 }), { code: "not_supported" });
});

Deno.test("a request that is too large is refused while it is written, and not performed", async () => {
  const files = tree(file({ call: () => assert.fail("performed"), maxBytes: 3 }));
  const handle = await files.open("/", "call");
  await handle.write(bytes("ab"));
  await assert.rejects(handle.write(bytes("cd")), { code: "too_large", extra: { limit: 3 } });
  await assert.rejects(handle.read(), { code: "invalid_request" });
  await handle.close();
});

Deno.test("a stream is cut to the range without being read beyond it", async () => {
  let given = 0;
  const row: FileRow = {
    async *read() {
      for (const chunk of ["012", "", "345", "678", "9"]) {
        given++;
        yield await Promise.resolve(bytes(chunk));
      }
    },
  };
  const files = tree(file(row));
  assert.equal(await readText(files, "/", { offset: 2, length: 3 }), "234");
  assert.equal(given, 3);
  assert.equal(await readText(files, "/", { offset: 6 }), "6789");
  assert.equal(await readText(files, "/", { offset: 10 }), "");
  assert.equal(await readText(files, "/", { length: 0 }), "");
  await assert.rejects(readText(files, "/", { offset: 11 }), {
    code: "range_not_satisfiable",
    extra: { offset: 11, size: 10 },
  });
  const own = tree(file({ ranges: true, read: ({ offset, length }) => `${offset} ${length}` }));
  assert.equal(await readText(own, "/", { offset: 100, length: 5 }), "100 5");
});

Deno.test("a reader who leaves early ends the row's generator and its signal", async () => {
  const ended = Promise.withResolvers<boolean>();
  const files = tree(file({
    async *read({ signal }) {
      try {
        while (true) yield await Promise.resolve(bytes("more"));
      } finally {
        ended.resolve(signal.aborted);
      }
    },
  }));
  const handle = await files.open("/", "read");
  await handle.read();
  await handle.close();
  await handle.close();
  await assert.rejects(handle.read(), { code: "invalid_request" });
  const reader = await files.open("/", "read");
  await reader.read();
  const abort = new AbortController();
  const other = await files.open("/", "read", { signal: abort.signal });
  abort.abort();
  await assert.rejects(other.read(), { code: "interrupted" });
  await reader.close();
});

Deno.test("a call that waits is given up when its signal aborts, and its row told", async () => {
  const told = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const files = tree(file({
    call(_, { signal }) {
      signal.addEventListener("abort", () => told.resolve());
      begun.resolve();
      return new Promise<string>(() => {});
    },
  }));
  const abort = new AbortController();
  const answer = call(files, "/", "x", { signal: abort.signal });
  await begun.promise;
  abort.abort();
  await assert.rejects(answer, { code: "interrupted" });
  await told.promise;
});

Deno.test("a call whose answer nobody reads is performed to its end", async () => {
  const steps: string[] = [];
  const files = tree(file({
    async *call(request) {
      steps.push(new TextDecoder().decode(request));
      yield bytes("a");
      await Promise.resolve();
      steps.push("end");
    },
  }));
  const handle = await files.open("/", "call");
  await handle.write(bytes("x"));
  await handle.close();
  assert.deepEqual(steps, ["x", "end"]);
  assert.equal(new TextDecoder().decode(await call(files, "/")), "a");
});

Deno.test("what fails in a call is told as a call, though its handle was read", async () => {
  const files = tree(file({
    call() {
      throw refusal("not_ready", "it sleeps");
    },
  }));
  await assert.rejects(call(files, "/", "x"), { op: "call", code: "not_ready" });
});

Deno.test("a call that failed is not tried again at close", async () => {
  let count = 0;
  const files = tree(file({
    call() {
      count++;
      throw new Error("no");
    },
  }));
  const handle = await files.open("/", "call");
  await handle.write(bytes("x"));
  await assert.rejects(handle.read(), { code: "internal", op: "read" });
  await handle.close();
  assert.equal(count, 1);
  const unread = await files.open("/", "call");
  await unread.write(bytes("x"));
  await assert.rejects(unread.close(), { code: "internal", op: "call" });
});

Deno.test("a platform's abort error is interrupted if the caller aborted, internal if not", async () => {
  const abort = new AbortController();
  const files = tree(dir({
    mine: file({
      write() {
        abort.abort();
        throw abort.signal.reason;
      },
    }),
    other: file({
      write: () => {
        throw new DOMException("timeout", "AbortError");
      },
    }),
  }));
  const mine = await files.open("/mine", "write", { signal: abort.signal });
  await assert.rejects(mine.close(), { code: "interrupted" });
  await assert.rejects(writeText(files, "/other", ""), { code: "internal" });
});

Deno.test("a watch stands when open resolves, even if its row has to wait first", async () => {
  const news = feed();
  const files = tree(dir({
    generator: file({
      async *watch({ signal }) {
        yield* news.listen(signal);
      },
    }),
    promise: file({
      async watch({ signal }) {
        await Promise.resolve();
        return news.listen(signal);
      },
    }),
  }));
  for (const path of ["/generator", "/promise"]) {
    const handle = await files.open(path, "watch");
    news.tell({ type: "first" });
    news.tell({ type: "second" });
    const got = [await handle.read(), await handle.read()];
    const types = got.map((chunk) => JSON.parse(new TextDecoder().decode(chunk)).type);
    assert.deepEqual(types, ["first", "second"]);
    await handle.close();
    assert.equal(news.listeners, 0);
  }
});

Deno.test("a watch that fails says so, once and for all", async () => {
  const files = tree(file({
    async *watch() {
      yield { type: "one" };
      throw await Promise.resolve(new Error("secret"));
    },
  }));
  const events = await watch(files, "/");
  assert.deepEqual((await events.next()).value, { type: "one" });
  await assert.rejects(events.next(), { message: 'Cannot read "/": internal' });
  assert.equal((await events.next()).done, true);
});

Deno.test("a handle leaves nothing on its caller's signal", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const counted = new Proxy(signal, {
    get(target, name) {
      if (name === "addEventListener") return (_: string, fn: unknown) => listeners.add(fn);
      if (name === "removeEventListener") return (_: string, fn: unknown) => listeners.delete(fn);
      return Reflect.get(target, name, target);
    },
  });
  const files = tree(dir({
    f: file({
      read: () => "x",
      write: () => {},
      call: () => "y",
      watch: () => feed().listen(signal),
    }),
  }));
  for (const mode of ["read", "write", "call", "watch"] as const) {
    const handle = await files.open("/f", mode, { signal: counted });
    assert.equal(listeners.size, 1, mode);
    if (mode === "read") await handle.read();
    await handle.close();
    assert.equal(listeners.size, 0, mode);
  }
  await assert.rejects(files.open("/f", "append", { signal: counted }));
  assert.equal(listeners.size, 0);
});
