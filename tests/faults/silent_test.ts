/** Connections that say nothing, or begin and do not go on: others are served, and what each costs is bounded. */
import assert from "../assert.ts";
import { needs } from "../needs.ts";
import {
  counter,
  countIn,
  memoryOf,
  noProc,
  openFilesOf,
  sent,
  standing,
  until,
  WHOLE,
} from "./world.ts";

const CONNECTIONS = WHOLE ? 10_000 : 400;
/** What one may cost the server, and what a server may need besides. */
const BYTES_EACH = 64 * 1024;
const BYTES_BESIDES = 100 * 1024 * 1024;
const MESSAGES = 100;
const encoder = new TextEncoder();
const half = (path: string) =>
  `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nabc`;
/** How far they come. */
const BEGINNINGS = [
  "",
  "GET /agents/bob/sta",
  "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: ",
  half("/agents/bob/send"),
  half("/hooks/none"),
].map((text) => encoder.encode(text));

/** As many as the machine gives. */
async function silentOnes(port: number): Promise<Deno.TcpConn[]> {
  const open: Deno.TcpConn[] = [];
  for (let n = 0; n < CONNECTIONS; n++) {
    try {
      const one = await Deno.connect({ hostname: "127.0.0.1", port });
      open.push(one);
      const beginning = BEGINNINGS[n % BEGINNINGS.length]!;
      if (beginning.length > 0) await one.write(beginning);
    } catch (error) {
      assert.match(String(error), /Too many open files/);
      break;
    }
  }
  return open;
}

needs(noProc())(
  `${CONNECTIONS} connections that say nothing stop nobody`,
  () =>
    standing(async ({ serve }) => {
      const server = await serve();
      const url = await counter(server);
      assert.equal(countIn(await sent(url, "first", true)), 1);
      const [memory, files] = [memoryOf(server.pid), openFilesOf(server.pid)];
      const silent = await silentOnes(Number(new URL(url).port));
      // Of those that begin a message to a hook, all but a few are refused and closed.
      const held = silent.length * (BEGINNINGS.length - 1) / BEGINNINGS.length;
      await until(() => openFilesOf(server.pid) >= held);
      const told = await Promise.all(
        Array.from({ length: MESSAGES }, (_, n) => sent(url, `m${n}`, true)),
      );
      assert.deepEqual(
        told.map(countIn).sort((a, b) => a - b),
        Array.from({ length: MESSAGES }, (_, n) => n + 2),
      );
      const more = memoryOf(server.pid) - memory;
      if (WHOLE) {
        console.log(`${silent.length} connections: ${Math.round(more / 2 ** 20)} MiB more`);
      }
      assert.ok(more < silent.length * BYTES_EACH + BYTES_BESIDES, `${more} bytes more`);
      for (const one of silent) one.close();
      // Those over which the messages came may stay open.
      await until(() => openFilesOf(server.pid) <= files + MESSAGES + 1);
      assert.equal(countIn(await sent(url, "last", true)), MESSAGES + 2);
      assert.equal((await server.stop()).code, 0);
    }),
);
