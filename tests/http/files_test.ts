import assert from "../assert.ts";
import type { FileService } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { dir, file, type FileRow, refusal, tree } from "../../src/fs/tree.ts";
import { readBytes, readText, writeBytes, writeText } from "../../src/fs/use.ts";
import { MAX_BODY_BYTES } from "../../src/http/body.ts";
import { appOf, LOCAL } from "./served.ts";

const BASE = "http://localhost/agents/abc";

/** An agent with these files, asked by a local caller. */
function asking(files: FileService) {
  const app = appOf(files);
  return (path: string, init?: RequestInit) => app(new Request(BASE + path, init), LOCAL);
}

async function stored(content: string | Uint8Array, name = "/f.txt", type = "text/plain") {
  const files = memoryFiles({ now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
  const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await writeBytes(files, name, data, { type });
  return { files, ask: asking(files), version: (await files.stat(name)).version! };
}

function one(row: FileRow) {
  return asking(tree(dir({ f: file(row) }), "local"));
}

async function code(response: Response): Promise<string> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const body = await response.json();
  assert.equal(body.status, response.status);
  return body.code;
}

Deno.test("GET tells type, version and time, and is no page of ours", async () => {
  const { ask } = await stored("<b>hi</b>", "/f.html", "text/html");
  const response = await ask("/f.html");
  assert.equal(await response.text(), "<b>hi</b>");
  const { headers } = response;
  assert.equal(headers.get("content-type"), "text/html");
  assert.equal(headers.get("last-modified"), "Fri, 02 Jan 2026 03:04:05 GMT");
  assert.match(headers.get("etag") ?? "", /^"[!#-~]+"$/);
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.match(headers.get("content-security-policy") ?? "", /^sandbox;/);
  assert.equal(headers.get("access-control-allow-origin"), null);
});

Deno.test("a JSON file is application/json by its name, anything unknown is bytes", async () => {
  const files = memoryFiles({ now: () => 0 });
  await writeText(files, "/a.json", "{}");
  await writeText(files, "/a.unknown", "{}");
  const type = async (path: string) => (await asking(files)(path)).headers.get("content-type");
  assert.equal(await type("/a.json"), "application/json");
  assert.equal(await type("/a.unknown"), "application/octet-stream");
});

Deno.test("HEAD is a stat: length, type, time and version, without the bytes", async () => {
  const { ask } = await stored("12345");
  const response = await ask("/f.txt", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), "5");
  assert.equal(response.headers.get("etag"), (await ask("/f.txt")).headers.get("etag"));
  assert.equal(response.body, null);
  assert.equal((await ask("/none", { method: "HEAD" })).status, 404);
  assert.equal((await ask("/", { method: "HEAD" })).status, 200);
});

const RANGES: readonly [range: string, status: number, body: string, range: string | null][] = [
  ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
  ["bytes=4-", 206, "456789", "bytes 4-9/10"],
  ["bytes=-3", 206, "789", "bytes 7-9/10"],
  ["bytes=-30", 206, "0123456789", "bytes 0-9/10"],
  ["bytes=8-100", 206, "89", "bytes 8-9/10"],
  ["bytes=9-9", 206, "9", "bytes 9-9/10"],
  ["bytes=5-2", 200, "0123456789", null],
  ["bytes=0-1,3-4", 200, "0123456789", null],
  ["lines=0-1", 200, "0123456789", null],
  ["bytes=a-b", 200, "0123456789", null],
  ["bytes=-", 200, "0123456789", null],
];
for (const [range, status, body, told] of RANGES) {
  Deno.test(`Range: ${range}`, async () => {
    const { ask } = await stored("0123456789");
    const response = await ask("/f.txt", { headers: { range } });
    assert.equal(response.status, status);
    assert.equal(await response.text(), body);
    assert.equal(response.headers.get("content-range"), told);
  });
}

Deno.test("a range beyond the end is 416, and tells the size", async () => {
  for (const range of ["bytes=10-", "bytes=99-100", "bytes=-0"]) {
    const { ask } = await stored("0123456789");
    const response = await ask("/f.txt", { headers: { range } });
    assert.equal(response.status, 416, range);
    assert.equal(response.headers.get("content-range"), "bytes */10");
    assert.equal(await code(response), "range_not_satisfiable");
  }
  const { ask } = await stored("");
  assert.equal((await ask("/f.txt", { headers: { range: "bytes=0-" } })).status, 416);
});

Deno.test("a range of a file whose size nobody knows is measured first", async () => {
  const ask = one({ read: () => "0123456789" });
  const response = await ask("/f", { headers: { range: "bytes=-2" } });
  assert.equal(response.headers.get("content-range"), "bytes 8-9/10");
  assert.equal(await response.text(), "89");
});

Deno.test("If-Range of another version sends the whole file", async () => {
  const { ask } = await stored("0123456789");
  const etag = (await ask("/f.txt")).headers.get("etag")!;
  const asked = (ifRange: string) =>
    ask("/f.txt", { headers: { "range": "bytes=0-1", "if-range": ifRange } });
  assert.equal((await asked(etag)).status, 206);
  assert.equal((await asked('"other"')).status, 200);
});

Deno.test("?offset=&len= give a part, and refuse what is no number or beyond the end", async () => {
  const { ask } = await stored("0123456789");
  const text = async (query: string) => await (await ask(`/f.txt${query}`)).text();
  assert.equal(await text("?offset=2&len=3"), "234");
  assert.equal(await text("?len=3"), "012");
  assert.equal(await text("?offset=8"), "89");
  assert.equal(await text("?offset=10"), "");
  assert.equal(await code(await ask("/f.txt?offset=11")), "range_not_satisfiable");
  assert.equal(await code(await ask("/f.txt?offset=-1")), "invalid_request");
  assert.equal(await code(await ask("/f.txt?len=x")), "invalid_request");
});

Deno.test("If-None-Match on a read is 304 for what the caller has, If-Match 412 for what it lacks", async () => {
  const { ask } = await stored("x");
  const etag = (await ask("/f.txt")).headers.get("etag")!;
  const status = async (headers: Record<string, string>) =>
    (await ask("/f.txt", { headers })).status;
  assert.equal(await status({ "if-none-match": etag }), 304);
  assert.equal(await status({ "if-none-match": `"a", W/${etag}` }), 304);
  assert.equal(await status({ "if-none-match": "*" }), 304);
  assert.equal(await status({ "if-none-match": '"a"' }), 200);
  assert.equal(await status({ "if-match": etag }), 200);
  assert.equal(await status({ "if-match": `"a", ${etag}` }), 200);
  assert.equal(await status({ "if-match": "*" }), 200);
  assert.equal(await status({ "if-match": `W/${etag}` }), 412);
  assert.equal(await status({ "if-match": '"a"' }), 412);
  assert.equal(await status({ "if-match": "a" }), 400);
  assert.equal((await ask("/f.txt", { headers: { "if-none-match": etag } })).body, null);
});

Deno.test("PUT writes, ?append=1 appends, ?offset= replaces a part; each answers 204", async () => {
  const files = memoryFiles({ now: () => 0 });
  const ask = asking(files);
  const put = async (query: string, body: string) => {
    const response = await ask(`/d/f${query}`, { method: "PUT", body });
    assert.equal(response.status, 204);
    assert.equal(response.body, null);
    return await readText(files, "/d/f");
  };
  assert.equal(await put("", "one"), "one");
  assert.equal(await put("", "two"), "two");
  assert.equal(await put("?append=1", " three"), "two three");
  assert.equal(await put("?offset=1", "WO"), "tWO three");
  assert.equal(await put("", ""), "");
});

Deno.test("PUT keeps the media type it is told, but not curl's", async () => {
  const files = memoryFiles({ now: () => 0 });
  const ask = asking(files);
  const typed = async (name: string, type: string) => {
    const headers = { "content-type": type };
    await ask(name, { method: "PUT", body: "x", headers });
    return (await files.stat(name)).type;
  };
  assert.equal(await typed("/a", "image/png"), "image/png");
  assert.equal(await typed("/b", "application/x-www-form-urlencoded"), undefined);
});

Deno.test("a write's conditions are checked in its commit", async () => {
  const { files, ask, version } = await stored("one");
  const put = async (headers: Record<string, string>, name = "/f.txt") =>
    (await ask(name, { method: "PUT", body: "two", headers })).status;
  const etag = `"${version}"`;
  assert.equal(await put({ "if-match": '"other"' }), 412);
  assert.equal(await put({ "if-match": `W/${etag}` }), 412);
  assert.equal(await put({ "if-match": '"a", "b"' }), 412);
  assert.equal(await put({ "if-none-match": "*" }), 412);
  assert.equal(await put({ "if-none-match": etag }), 412);
  assert.equal(await put({ "if-match": "*" }, "/none"), 412);
  assert.equal(await readText(files, "/f.txt"), "one");
  assert.equal(await put({ "if-match": `"a", ${etag}` }), 204);
  assert.equal(await put({ "if-none-match": "*" }, "/new"), 204);
  assert.equal(await put({ "if-none-match": '"a"' }, "/newer"), 204);
  assert.equal(await put({ "if-none-match": '"a"' }), 204);
});

Deno.test("DELETE removes, by version if it is told one", async () => {
  const { ask, version } = await stored("one");
  const remove = async (headers: Record<string, string> = {}) =>
    (await ask("/f.txt", { method: "DELETE", headers })).status;
  assert.equal(await remove({ "if-match": '"other"' }), 412);
  assert.equal(await remove({ "if-match": `"${version}"` }), 204);
  assert.equal(await remove(), 404);
});

Deno.test("POST is the file's call, else an append, else a write", async () => {
  const got: string[] = [];
  const take = (verb: string) => (data: Uint8Array) => {
    got.push(`${verb} ${new TextDecoder().decode(data)}`);
  };
  const call = (request: Uint8Array) => `answer to ${new TextDecoder().decode(request)}`;
  const post = async (row: FileRow) => {
    const response = await one(row)("/f", { method: "POST", body: "x" });
    return [response.status, await response.text()];
  };
  const [write, append] = [take("write"), take("append")];
  assert.deepEqual(await post({ call, append, write }), [200, "answer to x"]);
  assert.deepEqual(await post({ call: () => "" }), [200, ""]);
  assert.deepEqual(await post({ append, write }), [204, ""]);
  assert.deepEqual(await post({ write }), [204, ""]);
  assert.deepEqual(await post({ write, stat: () => undefined }), [204, ""]);
  assert.deepEqual(await post({ append, stat: () => undefined }), [204, ""]);
  assert.deepEqual(got, ["append x", "write x", "write x", "append x"]);
});

Deno.test("POST to what takes none of them says so", async () => {
  const reply = async (row: FileRow) => {
    const response = await one(row)("/f", { method: "POST", body: "x" });
    return await code(response);
  };
  assert.equal(await reply({ read: () => "" }), "not_supported");
  const only = { call: ["operator"], write: ["operator"] };
  assert.equal(await reply({ call: () => "", only }), "permission_denied");
  assert.equal(await reply({ write: () => {}, only }), "permission_denied");
  assert.equal(await reply({ call: () => Promise.reject(refusal("conflict")) }), "conflict");
  assert.equal(await reply({ call: () => Promise.reject(new Error("inner")) }), "internal");
});

Deno.test("a call's answer has the file's type, or is bytes", async () => {
  const type = async (row: FileRow) =>
    (await one(row)("/f", { method: "POST" })).headers.get("content-type");
  assert.equal(await type({ call: () => "{}", type: "application/json" }), "application/json");
  assert.equal(await type({ call: () => "x" }), "application/octet-stream");
});

Deno.test("a directory lists as JSON, with or without the last slash, in pages", async () => {
  const files = memoryFiles({ now: () => 0 });
  for (const name of ["a", "b/x", "c", "d"]) await writeText(files, `/dir/${name}`, name);
  const ask = asking(files);
  const list = async (query: string) => await (await ask(`/dir${query}`)).json();
  const all = await list("");
  assert.equal(all.path, "/dir");
  assert.deepEqual(all.entries, [
    { name: "a", dir: false, size: 1, modified: "1970-01-01T00:00:00.000Z" },
    { name: "b", dir: true },
    { name: "c", dir: false, size: 1, modified: "1970-01-01T00:00:00.000Z" },
    { name: "d", dir: false, size: 1, modified: "1970-01-01T00:00:00.000Z" },
  ]);
  assert.equal(all.next, undefined);
  assert.deepEqual((await list("/")).entries, all.entries);
  const page = await list("?limit=2");
  assert.deepEqual(page.entries.map((e: { name: string }) => e.name), ["a", "b"]);
  assert.equal(page.next, "b");
  const rest = await list("?limit=2&after=b");
  assert.deepEqual(rest.entries.map((e: { name: string }) => e.name), ["c", "d"]);
  assert.equal(rest.next, undefined, "a full page behind which there is nothing");
  assert.equal((await ask("/dir?limit=0")).status, 400);
  assert.equal((await ask("/dir/a/")).status, 409);
});

Deno.test("an odd method is 405 with what is allowed", async () => {
  const { ask } = await stored("x");
  for (const method of ["PATCH", "OPTIONS", "PROPFIND"]) {
    const response = await ask("/f.txt", { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD, PUT, POST, DELETE");
  }
});

Deno.test("Content-Range on a PUT is refused rather than taken for the whole file", async () => {
  const { files, ask } = await stored("one");
  const headers = { "content-range": "bytes 0-0/3" };
  assert.equal((await ask("/f.txt", { method: "PUT", body: "x", headers })).status, 400);
  assert.equal(await readText(files, "/f.txt"), "one");
});

/** So many bytes, without a length header. */
function streamed(bytes: number, step = 1024 * 1024): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close();
      controller.enqueue(new Uint8Array(Math.min(step, left)));
      left -= step;
    },
  });
}

Deno.test("a body is counted while it comes: one byte too many is 413 and changes nothing", async () => {
  const files = memoryFiles({ now: () => 0, maxBytes: 2 * MAX_BODY_BYTES });
  const ask = asking(files);
  const put = (body: BodyInit, headers: Record<string, string> = {}) =>
    ask("/f", { method: "PUT", body, headers });
  assert.equal((await put(streamed(MAX_BODY_BYTES))).status, 204);
  assert.equal((await readBytes(files, "/f")).length, MAX_BODY_BYTES);
  await writeText(files, "/f", "stands");
  const response = await put(streamed(MAX_BODY_BYTES + 1));
  assert.equal(response.status, 413);
  const body = await response.json();
  assert.deepEqual([body.code, body.limit_bytes], ["too_large", MAX_BODY_BYTES]);
  const lying = await put(streamed(MAX_BODY_BYTES + 1), { "content-length": "9999999999" });
  assert.equal(lying.status, 413);
  assert.equal(await readText(files, "/f"), "stands");
});

Deno.test("a body that never ends is cut off at the limit", async () => {
  const ask = asking(memoryFiles({ now: () => 0, maxBytes: 2 * MAX_BODY_BYTES }));
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
    cancel: () => void (cancelled = true),
  });
  assert.equal((await ask("/f", { method: "PUT", body })).status, 413);
  assert.ok(cancelled);
});

Deno.test("half an upload takes no effect", async () => {
  const { files, ask } = await stored("stands");
  let n = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (n++ === 0) controller.enqueue(new Uint8Array(10));
      else controller.error(new Error("gone"));
    },
  });
  const response = await ask("/f.txt", { method: "PUT", body });
  assert.equal(await code(response), "invalid_request");
  assert.equal(await readText(files, "/f.txt"), "stands");
});

Deno.test("a large file is streamed: no more is read than its reader takes", async () => {
  const CHUNK = 64 * 1024;
  let read = 0;
  const closed = Promise.withResolvers<void>();
  const ask = one({
    stat: () => ({ size: 1000 * CHUNK, version: "1" }),
    ranges: true,
    async *read({ length = Infinity, signal }) {
      signal.addEventListener("abort", () => closed.resolve());
      for (let left = length; left > 0; left -= CHUNK) {
        read++;
        await Promise.resolve();
        yield new Uint8Array(CHUNK);
      }
    },
  });
  const response = await ask("/f");
  assert.equal(response.headers.get("content-length"), String(1000 * CHUNK));
  const reader = response.body!.getReader();
  await reader.read();
  assert.ok(read < 20, `${read} chunks were read for one that was taken`);
  await reader.cancel();
  await closed.promise;
});

Deno.test("a large file that changes while it is begun is begun anew, and is of one version", async () => {
  const big = (fill: number) => new Uint8Array(600_000).fill(fill);
  const files = memoryFiles({ now: () => 0 });
  await writeBytes(files, "/f", big(1));
  let opens = 0;
  const spoilt: FileService = {
    ...files,
    async open(path, mode, options) {
      const handle = await files.open(path, mode, options);
      if (mode === "read" && opens++ === 0) await writeBytes(files, "/f", big(2));
      return handle;
    },
  };
  const response = await asking(spoilt)("/f");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { version } = await files.stat("/f");
  assert.equal(response.headers.get("etag"), `"${version}"`);
  assert.ok(bytes.every((b) => b === 2) && bytes.length === 600_000);
});

Deno.test("a file that is shorter than was told breaks its answer off instead of ending it", async () => {
  const giving = (bytes: number, end?: Error) =>
    one({
      stat: () => ({ size: 500_000, version: "1" }),
      async *read() {
        yield new Uint8Array(bytes);
        await Promise.resolve();
        if (end) throw end;
      },
    });
  assert.equal(await code(await giving(200_000)("/f")), "conflict", "seen in time");
  await assert.rejects((await giving(300_000)("/f")).arrayBuffer());
  await assert.rejects((await giving(300_000, new Error("no disk"))("/f")).arrayBuffer());
});

Deno.test("stream files answer what is kept and end, and behind a seq", async () => {
  const ask = one({
    kind: "stream",
    type: "application/x-ndjson",
    read: ({ after = 0 }) =>
      [1, 2, 3].filter((n) => n > after).map((n) => `{"seq":${n}}\n`).join(""),
  });
  assert.equal((await (await ask("/f")).text()).split("\n").length, 4);
  assert.equal(await (await ask("/f?after=2")).text(), '{"seq":3}\n');
  const response = await ask("/f", { headers: { range: "bytes=0-1" } });
  assert.equal(response.status, 200, "a stream has no ranges");
});
