/** What only a real socket shows: raw paths, bodies that break off, readers that leave or do not read. */
import assert from "../assert.ts";
import { digest } from "../../src/core/code.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { feed } from "../../src/fs/feed.ts";
import type { FileService } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { dir, file, tree } from "../../src/fs/tree.ts";
import { readText, writeText } from "../../src/fs/use.ts";
import { createApp } from "../../src/http/app.ts";
import { MAX_BODY_BYTES } from "../../src/http/body.ts";
import { SLOW_MS } from "../../src/http/events.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { appOf, runtimeOf, serve, type Server, TOKEN } from "./served.ts";

async function serving(
  files: FileService,
  use: (server: Server) => Promise<void>,
  runtime?: Partial<Runtime>,
  clock = manualClock(),
): Promise<void> {
  const stopping = new AbortController();
  const app = runtime === undefined
    ? appOf(files, { clock, stopping: stopping.signal })
    : createApp({
      runtime: { ...runtimeOf(files), ...runtime },
      auth: { tokenDigest: digest(TOKEN) },
      clock,
      stopping: stopping.signal,
    });
  const server = serve(app);
  try {
    await use(server);
  } finally {
    stopping.abort();
    await server.close();
  }
}

async function connected(
  { port }: Server,
  use: (connection: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await use(connection);
  } finally {
    try {
      connection.close();
    } catch { /* the law left it on its own */ }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function send(connection: Deno.TcpConn, text: string | Uint8Array): Promise<void> {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Everything that comes, until `enough` or the end. */
async function receive(
  connection: Deno.TcpConn,
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!enough(text)) {
    const n = await connection.read(buffer).catch(() => null);
    if (n === null) break;
    text += decoder.decode(buffer.subarray(0, n));
  }
  return text;
}

/** Status and body of one raw request. */
async function raw(server: Server, head: string): Promise<[status: number, body: string]> {
  let text = "";
  await connected(server, async (connection) => {
    await send(connection, `${head}\r\nConnection: close\r\n\r\n`);
    text = await receive(connection);
  });
  const [line, body] = [text.split("\r\n", 1)[0]!, text.slice(text.indexOf("\r\n\r\n") + 4)];
  return [Number(line.split(" ")[1]), body];
}

Deno.test("a raw path is not tidied up by anybody", async () => {
  const files = memoryFiles({ now: () => 0 });
  await writeText(files, "/status", "secret");
  await serving(files, async (server) => {
    for (
      const path of [
        "/agents/abc/logs/../status",
        "/agents/abc/logs/%2e%2e/status",
        "/agents/abc/./status",
        "/agents/x/%2E%2e/abc/status",
        "/agents//abc/status",
        "/agents/abc\\status/../status",
      ]
    ) {
      const [status, body] = await raw(server, `GET ${path} HTTP/1.1\r\nHost: localhost`);
      assert.equal(status, 400, path);
      assert.equal(JSON.parse(body).code, "invalid_path", path);
    }
    assert.deepEqual(
      await raw(server, "GET /agents/abc/%73tatus HTTP/1.1\r\nHost: localhost"),
      [200, "secret"],
    );
  });
});

Deno.test("Host is one name of ours, or there is none at all", async () => {
  const files = memoryFiles({ now: () => 0 });
  await writeText(files, "/f", "x");
  await serving(files, async (server) => {
    const status = async (...lines: string[]) => (await raw(server, lines.join("\r\n")))[0];
    assert.equal(await status("GET /agents/abc/f HTTP/1.1", "Host: localhost"), 200);
    assert.equal(await status("GET /agents/abc/f HTTP/1.0"), 200);
    assert.equal(await status("GET /agents/abc/f HTTP/1.1", "Host: evil.example"), 403);
    assert.equal(await status("GET http://localhost/agents/abc/f HTTP/1.1", "Host: evil"), 403);
    const two = await status("GET /agents/abc/f HTTP/1.1", "Host: localhost", "Host: evil");
    assert.ok(two === 400 || two === 403, `two hosts: ${two}`);
  });
});

Deno.test("a chunked body is cut off at the limit, and the server goes on", async () => {
  const files = memoryFiles({ now: () => 0, maxBytes: 4 * MAX_BODY_BYTES });
  await writeText(files, "/f", "stands");
  await serving(files, async (server) => {
    await connected(server, async (connection) => {
      await send(
        connection,
        "PUT /agents/abc/f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      const chunk = new Uint8Array(1024 * 1024);
      const answer = receive(connection, (text) => text.includes("\r\n\r\n"));
      try {
        for (let n = 0; n < 64; n++) {
          await send(connection, `${chunk.length.toString(16)}\r\n`);
          await send(connection, chunk);
          await send(connection, "\r\n");
        }
      } catch { /* the server has stopped listening, as it should */ }
      assert.match(await answer, /^HTTP\/1\.1 413 /);
    });
    assert.equal(await readText(files, "/f"), "stands");
    assert.equal((await raw(server, "GET /agents/abc/f HTTP/1.1\r\nHost: localhost"))[1], "stands");
  });
});

Deno.test("an upload whose sender goes away takes no effect", async () => {
  const store = memoryFiles({ now: () => 0 });
  await writeText(store, "/f", "stands");
  const closed = Promise.withResolvers<void>();
  const files: FileService = {
    ...store,
    async open(path, mode, options) {
      const handle = await store.open(path, mode, options);
      const close = async () => {
        await handle.close().finally(closed.resolve);
      };
      return { ...handle, close };
    },
  };
  await serving(files, async (server) => {
    await connected(server, async (connection) => {
      await send(
        connection,
        "PUT /agents/abc/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nhalf",
      );
      connection.close();
      await closed.promise;
    });
    assert.equal(await readText(store, "/f"), "stands");
  });
});

Deno.test("a watcher who leaves ends its watch; one who does not read is dropped and holds up nobody", async () => {
  const clock = manualClock();
  const events = feed();
  const watched = Promise.withResolvers<void>();
  let listening = 0;
  const left = { one: Promise.withResolvers<void>(), two: Promise.withResolvers<void>() };
  const watch = (name: keyof typeof left) =>
    file({
      kind: "stream",
      watch({ signal }) {
        signal.addEventListener("abort", () => left[name].resolve());
        if (++listening === 2) watched.resolve();
        return events.listen(signal);
      },
    });
  await serving(
    tree(dir({ one: watch("one"), two: watch("two") })),
    async (server) => {
      const ask = (name: string) =>
        `GET /agents/abc/${name}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      await connected(server, async (slow) => {
        await send(slow, ask("two"));
        await connected(server, async (gone) => {
          await send(gone, ask("one"));
          await receive(gone, (text) => text.includes("retry:"));
          await watched.promise;
          gone.close();
          await left.one.promise;
        });
        // More than any buffer of the system holds; the watch is over long before all is told.
        const text = "x".repeat(100_000);
        for (let seq = 1; seq <= 900 && events.listeners; seq++) {
          events.tell({ seq, type: "log", text });
          await clock.advance(SLOW_MS);
          await new Promise((resolve) => setTimeout(resolve));
        }
        await left.two.promise;
        const told = await receive(slow, (text) => text.includes('"rate_limited"'));
        assert.match(told, /event: dropped\ndata: \{"code":"rate_limited"/);
      });
    },
    undefined,
    clock,
  );
});

Deno.test("a sender who does not wait any longer is not waited with", async () => {
  const waiting = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const receipt = { envelope_id: "e" as EnvelopeId, disposition: "queued", duplicate: false };
  const files = tree(dir({ inbox: file({ call: () => JSON.stringify(receipt) }) }));
  const wait: Runtime["wait"] = (_id, _envelope, signal) => {
    waiting.resolve();
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        over.resolve();
        resolve(undefined);
      });
    });
  };
  await serving(files, async (server) => {
    await connected(server, async (connection) => {
      await send(
        connection,
        "POST /agents/abc/send?wait=3600 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
      );
      await waiting.promise;
      connection.close();
      await over.promise;
    });
  }, { wait });
});

Deno.test("when the server stops, waits are answered and watches end", async () => {
  const waiting = Promise.withResolvers<void>();
  const receipt = { envelope_id: "e" as EnvelopeId, disposition: "queued", duplicate: false };
  const files = tree(dir({
    inbox: file({ call: () => JSON.stringify(receipt) }),
    events: file({ watch: ({ signal }) => feed().listen(signal) }),
  }));
  const stopping = new AbortController();
  const app = createApp({
    runtime: {
      ...runtimeOf(files),
      wait: (_id, _envelope, signal) => {
        waiting.resolve();
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
      },
    },
    auth: {},
    clock: manualClock(),
    stopping: stopping.signal,
  });
  const server = serve(app);
  const sent = fetch(`${server.url}/agents/abc/send?wait=60`, { method: "POST" });
  const watched = await fetch(`${server.url}/agents/abc/events?watch=1`);
  await waiting.promise;
  stopping.abort();
  assert.equal((await sent).status, 202);
  await (await sent).text();
  await watched.text();
  await server.close();
});
