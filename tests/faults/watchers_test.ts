/** Watchers that do not read: memory stays bounded, others are served, and they are dropped with the word where to go on. */
import assert from "../assert.ts";
import { needs } from "../needs.ts";
import { MAX_WATCHER_CHARS, MAX_WATCHERS } from "../../src/http/events.ts";
import { memoryOf, noProc, standing, until, WHOLE } from "./world.ts";

/** With the one that reads, as many as there may be. */
const WATCHERS = WHOLE ? MAX_WATCHERS - 1 : 40;
/** What waits for one, as text and as bytes, and what a server may need besides. */
const BYTES_EACH = 4 * MAX_WATCHER_CHARS;
const BYTES_BESIDES = 200 * 1024 * 1024;
const AT_ONCE = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** The trace tells it in full, more than once. */
const TEXT = "x".repeat(2_000);

/** Requests over the server's socket, which holds little, so that who does not read is soon found out. */
function asking(path: string) {
  const connect = () => Deno.connect({ transport: "unix", path });
  return {
    async ask(method: string, target: string, body = ""): Promise<string> {
      using connection = await connect();
      const size = encoder.encode(body).length;
      const head = `${method} ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n` +
        `content-type: ${body.startsWith("{") ? "application/json" : "text/plain"}\r\n` +
        `content-length: ${size}\r\n\r\n`;
      await connection.write(encoder.encode(head + body));
      return decoder.decode(await new Response(connection.readable).arrayBuffer());
    },
    /** Asks for a watch, and reads nothing but the beginning of the answer. */
    async watch(query = ""): Promise<Deno.UnixConn> {
      const connection = await connect();
      const head = `GET /agents/bob/logs/trace${query} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
      await connection.write(encoder.encode(head));
      const first = new Uint8Array(12);
      assert.equal(await connection.read(first), first.length);
      assert.equal(decoder.decode(first), "HTTP/1.1 200");
      return connection;
    },
  };
}

/** What comes until the text is there. */
async function readUntil(connection: Deno.UnixConn, enough: RegExp): Promise<string> {
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  while (!enough.test(text.slice(-8_192))) {
    const count = await connection.read(buffer);
    assert.notEqual(count, null, `it ended before: ${text.slice(-200)}`);
    text += decoder.decode(buffer.subarray(0, count!), { stream: true });
  }
  return text;
}

/** Numbers of events, in the order in which they came. */
function numbersIn(text: string): number[] {
  return Array.from(text.matchAll(/^id: (\d+)\nevent: (?!dropped)/gm), ([, seq]) => Number(seq));
}

needs(noProc())(
  `${WATCHERS} watchers that do not read are dropped, and nobody else waits for them`,
  () =>
    standing(async ({ place, serve }) => {
      const socket = `${place.dir}/s`;
      const server = await serve(`unix:${socket}`);
      const { ask, watch } = asking(socket);
      assert.match(await ask("POST", "/agents", '{"id":"bob","agent":"echo"}'), /^HTTP\/1.1 201/);
      const send = async (text: string) =>
        assert.match(await ask("POST", "/agents/bob/send?wait=60", text), /"success":true/);
      const dropped = async () =>
        Number(/^agentd_sse_dropped_total (\d+)$/m.exec(await ask("GET", "/metrics"))![1]);
      await send("warm");
      const memory = memoryOf(server.pid);
      const stuck: Deno.UnixConn[] = [];
      for (let n = 0; n < WATCHERS; n++) stuck.push(await watch());
      // One that reads gets all of it meanwhile.
      const reader = await watch("?after=0");
      const read = readUntil(reader, /"text":"the last one"/);
      let most = 0;
      await until(async () => {
        await Promise.all(Array.from({ length: AT_ONCE }, () => send(TEXT)));
        most = Math.max(most, memoryOf(server.pid) - memory);
        return await dropped() === WATCHERS;
      });
      await send("the last one");
      const seen = numbersIn(await read);
      assert.deepEqual(seen, seen.map((_, i) => 1 + i), "who reads is given all");
      if (WHOLE) {
        console.log(`${WATCHERS} watchers: at most ${Math.round(most / 2 ** 20)} MiB more`);
      }
      assert.ok(most < WATCHERS * BYTES_EACH + BYTES_BESIDES, `${most} bytes more`);
      const told = await readUntil(stuck[0]!, /event: dropped\ndata: .*\n\n/);
      const before = numbersIn(told);
      assert.deepEqual(before, before.map((_, i) => before[0]! + i), "no hole before the end");
      const again = await watch(`?after=${before.at(-1)}`);
      const rest = numbersIn(await readUntil(again, /"text":"the last one"/));
      assert.equal(rest[0], before.at(-1)! + 1, "it goes on right behind");
      for (const one of [again, reader, ...stuck]) one.close();
      await send("after all");
      assert.equal((await server.stop()).code, 0);
    }),
);
