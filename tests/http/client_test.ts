import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { FileError } from "../../src/fs/error.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { dir, file, tree } from "../../src/fs/tree.ts";
import { readBytes, watch, writeBytes } from "../../src/fs/use.ts";
import { connect, type Fetch } from "../../src/http/client.ts";
import { PART_BYTES } from "../../src/http/client_files.ts";
import { sseBlocks } from "../../src/http/sse.ts";
import { acting, storing, streamFile } from "../conformance/file_subjects.ts";
import { AGENT, appOf, fetchOf, TOKEN } from "./served.ts";

const URL = "http://localhost";

async function caught(run: () => Promise<unknown>): Promise<FileError> {
  try {
    await run();
  } catch (error) {
    return error as FileError;
  }
  throw new Error("it was not refused");
}

/** A `fetch` that remembers what it was asked, and can cut every answer it gave. */
function cutting(over: Fetch) {
  const asked: string[] = [];
  let cut: (() => void)[] = [];
  let away = false;
  const fetch: Fetch = async (url, init) => {
    asked.push(`${init?.method} ${url.slice(URL.length)}`);
    if (away) throw new TypeError("connection refused");
    const response = await over(url, init);
    if (!response.body) return response;
    const through = new TransformStream<Uint8Array, Uint8Array>();
    const abort = new AbortController();
    response.body.pipeTo(through.writable, { signal: abort.signal }).catch(() => {});
    cut.push(() => abort.abort(new TypeError("connection reset")));
    return new Response(through.readable, response);
  };
  return {
    fetch,
    asked,
    cut() {
      for (const one of cut) one();
      cut = [];
    },
    leave: (gone: boolean) => void (away = gone),
  };
}

Deno.test("a watch that was cut off goes on behind its last event and misses nothing", async () => {
  const { stream, files } = acting();
  const wire = cutting(fetchOf(appOf(files)));
  const clock = manualClock();
  const remote = connect({ url: URL, fetch: wire.fetch, timer: clock.timer }).files(AGENT);
  for (let n = 0; n < 3; n++) await stream!.emit();
  const stop = new AbortController();
  const events = await watch<{ seq: number }>(remote, "/trace", { after: 1, signal: stop.signal });
  assert.equal((await events.next()).value!.seq, 2);
  assert.equal((await events.next()).value!.seq, 3);
  wire.cut();
  await stream!.emit();
  assert.equal((await events.next()).value!.seq, 4);
  wire.cut();
  await stream!.emit();
  await stream!.emit();
  assert.equal((await events.next()).value!.seq, 5);
  assert.equal((await events.next()).value!.seq, 6);
  assert.deepEqual(
    wire.asked.map((line) => /after=\d/.exec(line)?.[0]),
    ["after=1", "after=3", "after=4"],
  );
  stop.abort();
  assert.equal((await events.next()).done, true);
});

Deno.test("a watch waits for a server that is away, and gives up after a while", async () => {
  const { stream, files } = acting();
  const wire = cutting(fetchOf(appOf(files)));
  const clock = manualClock();
  const remote = connect({ url: URL, fetch: wire.fetch, timer: clock.timer }).files(AGENT);
  await stream!.emit();
  const events = await watch<{ seq: number }>(remote, "/trace", { after: 0 });
  assert.equal((await events.next()).value!.seq, 1);
  wire.leave(true);
  wire.cut();
  const next = events.next();
  await stream!.emit();
  while (wire.asked.length < 4) await clock.advance(1_000);
  wire.leave(false);
  await clock.advance(5_000);
  assert.equal((await next).value!.seq, 2);
  wire.leave(true);
  wire.cut();
  const last = caught(() => events.next());
  for (let n = 0; n < 30; n++) await clock.advance(5_000);
  assert.equal((await last).code, "provider_unavailable");
});

Deno.test("a watch of a file that is no stream says modified after a gap it cannot know", async () => {
  const { files } = await storing();
  const wire = cutting(fetchOf(appOf(files)));
  const remote = connect({ url: URL, fetch: wire.fetch, timer: manualClock().timer }).files(AGENT);
  const events = await watch(remote, "/a");
  wire.cut();
  assert.deepEqual((await events.next()).value, { type: "modified" });
  await events.return();
});

Deno.test("a watch whose file is gone when it comes back is refused", async () => {
  const { files } = await storing();
  const wire = cutting(fetchOf(appOf(files)));
  const remote = connect({ url: URL, fetch: wire.fetch, timer: manualClock().timer }).files(AGENT);
  const events = await watch(remote, "/a");
  await files.remove("/a");
  assert.equal((await events.next()).value!.type, "deleted");
  wire.cut();
  assert.equal((await caught(() => events.next())).code, "not_found");
});

Deno.test("a connection on which nothing comes, not even a comment, is taken for dead", async () => {
  const { stream, files } = acting();
  const through = fetchOf(appOf(files));
  let tries = 0;
  const fetch: Fetch = async (url, init) => {
    const response = await through(url, init);
    if (tries++ > 0) return response;
    await response.body!.cancel();
    return new Response(new ReadableStream(), response);
  };
  const clock = manualClock();
  const remote = connect({ url: URL, fetch, timer: clock.timer }).files(AGENT);
  await stream!.emit();
  const events = await watch<{ seq: number }>(remote, "/trace", { after: 0 });
  const next = events.next();
  await clock.advance(60_000);
  assert.equal((await next).value!.seq, 1);
  assert.equal(tries, 2);
  await events.return();
});

Deno.test("the end of a file's events is the end of the watch", async () => {
  const root = dir({
    few: file({
      kind: "stream",
      async *watch() {
        yield { seq: 1, type: "log" };
      },
    }),
  });
  const wire = cutting(fetchOf(appOf(tree(root))));
  const remote = connect({ url: URL, fetch: wire.fetch, timer: manualClock().timer }).files(AGENT);
  assert.deepEqual(await Array.fromAsync(await watch(remote, "/few")), [{ seq: 1, type: "log" }]);
  assert.equal(wire.asked.length, 1);
});

Deno.test("a file up to the limit of a request is one request, a larger one goes up in parts", async () => {
  const files = memoryFiles({ now: () => 0, maxBytes: 4 * PART_BYTES });
  const wire = cutting(fetchOf(appOf(files)));
  const remote = connect({ url: URL, token: TOKEN, fetch: wire.fetch }).files(AGENT);
  const puts = () => wire.asked.splice(0).filter((line) => line.startsWith("PUT"));
  const data = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i % 253);
  const same = async (want: Uint8Array) => {
    const got = await readBytes(remote, "/f");
    assert.equal(got.length, want.length);
    assert.ok(got.every((byte, i) => byte === want[i]));
  };
  await writeBytes(remote, "/f", data(PART_BYTES));
  assert.equal(puts().length, 1);
  const more = data(2 * PART_BYTES + 5);
  await writeBytes(remote, "/f", more);
  assert.deepEqual(puts(), [
    "PUT /agents/abc/f",
    `PUT /agents/abc/f?offset=${PART_BYTES}`,
    `PUT /agents/abc/f?offset=${2 * PART_BYTES}`,
  ]);
  await same(more);
});

Deno.test("errors come back with their code, and the caller's verb and path", async () => {
  const { files } = await storing();
  const remote = connect({ url: URL, fetch: fetchOf(appOf(files)) }).files(AGENT);
  const absent = await caught(() => remote.stat("/none"));
  assert.ok(absent instanceof FileError);
  assert.deepEqual([absent.code, absent.op, absent.path], ["not_found", "stat", "/none"]);
  const beyond = await caught(() => readBytes(remote, "/a", { offset: 99 }));
  assert.deepEqual([beyond.code, beyond.extra], ["range_not_satisfiable", { offset: 99, size: 2 }]);
});

Deno.test("short names of the control plane are no files", async () => {
  const remote = connect({ url: URL, fetch: fetchOf(appOf(memoryFiles({ now: () => 0 }))) })
    .files(AGENT);
  for (const name of ["send", "tick", "stream"]) {
    for (const mode of ["read", "write", "call", "watch"] as const) {
      assert.equal((await caught(() => remote.open(`/${name}`, mode))).code, "not_found");
    }
    assert.equal((await caught(() => remote.stat(`/${name}/`))).code, "not_found");
  }
});

Deno.test("no answer, and an answer that is not ours, are provider_unavailable", async () => {
  const away = connect({
    url: URL,
    fetch: () => Promise.reject(new TypeError("connection refused")),
  });
  const gone = await caught(() => away.status());
  assert.equal(gone.code, "provider_unavailable");
  assert.match(gone.message, /no answer from http:\/\/localhost: connection refused/);
  for (
    const [body, status] of [["<html>", 502], ["{}", 404], ["null", 500], ["<html>", 200]] as const
  ) {
    const other = connect({
      url: URL,
      fetch: () => Promise.resolve(new Response(body, { status })),
    });
    assert.equal((await caught(() => other.status())).code, "provider_unavailable", body);
  }
});

Deno.test("what the caller's own fetch throws reaches the caller as it is", async () => {
  const mine = Object.assign(new Error("no server is running"), { exit: 5 });
  const client = connect({ url: URL, fetch: () => Promise.reject(mine) });
  const remote = client.files(AGENT);
  assert.equal(await caught(() => client.status()), mine);
  assert.equal(await caught(() => remote.stat("/a")), mine);
  assert.equal(await caught(() => remote.open("/a", "read")), mine);
  assert.equal(await caught(() => remote.open("/a", "write")), mine);
});

Deno.test("the token is sent, and refusals of it come back", async () => {
  const { files } = await storing();
  const client = (token: string) =>
    connect({ url: URL, token, fetch: fetchOf(appOf(files)) }).files(AGENT);
  assert.equal((await client(TOKEN).stat("/a")).name, "a");
  assert.equal((await caught(() => client("wrong").stat("/a"))).code, "auth_required");
});

Deno.test("a connection that breaks off in the middle of a file is no end of it", async () => {
  const chunk = new Uint8Array(300_000);
  const root = dir({
    big: file({
      async *read() {
        yield chunk;
        await Promise.resolve();
        throw new Error("inner");
      },
    }),
  });
  const remote = connect({ url: URL, fetch: fetchOf(appOf(tree(root))) }).files(AGENT);
  assert.equal((await caught(() => readBytes(remote, "/big"))).code, "provider_unavailable");
});

Deno.test("server-sent events are read however they are cut and however lines end", async () => {
  const text = "\ufeff: hi\r\nid: 1\r\nevent: log\r\ndata: a\r\ndata:b\r\n\r\n" +
    "data: ä\ufeff\n\n" + ":\n\n" + "id: 2\rdata: c\r\r" + "retry: 5\n\n" + "data: cut off\n";
  const all = new TextEncoder().encode(text);
  for (const step of [1, 2, 3, 7, all.length]) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < all.length; at += step) controller.enqueue(all.slice(at, at + step));
        controller.close();
      },
    });
    assert.deepEqual(await Array.fromAsync(sseBlocks(stream.getReader())), [
      "comment",
      { id: "1", event: "log", data: "a\nb" },
      { id: undefined, event: "message", data: "ä\ufeff" },
      "comment",
      { id: "2", event: "message", data: "c" },
    ], `in steps of ${step}`);
  }
});

Deno.test("a stream that was told to begin with its last events does not repeat them when it comes back", async () => {
  const { node, emit } = streamFile();
  const wire = cutting(fetchOf(appOf(tree(dir({ trace: node })))));
  const remote = connect({ url: URL, fetch: wire.fetch, timer: manualClock().timer }).files(AGENT);
  for (let n = 0; n < 4; n++) await emit();
  const events = await watch<{ seq: number }>(remote, "/trace", { tail: 2 });
  assert.equal((await events.next()).value!.seq, 3);
  assert.equal((await events.next()).value!.seq, 4);
  wire.cut();
  await emit();
  assert.equal((await events.next()).value!.seq, 5);
  await events.return();
});
