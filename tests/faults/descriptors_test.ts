/** A server that may open no more files: it serves the connections that it has, says what is wrong, and takes new ones as soon as it can. */
import assert from "../assert.ts";
import { needs } from "../needs.ts";
import { counter, countIn, noProc, openFilesOf, run, sent, standing, until } from "./world.ts";

function missing(): string | undefined {
  try {
    new Deno.Command("prlimit", { args: ["--version"], stdout: "null" }).outputSync();
    return noProc();
  } catch {
    return "there is no program prlimit";
  }
}

/** Files that it may open besides those that it has. */
const ROOM = 16;
const encoder = new TextEncoder();
const REQUEST = encoder.encode(
  "POST /agents/bob/send?wait=60 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi",
);

/** Connections until it takes no more. */
async function allOf(port: number): Promise<Deno.TcpConn[]> {
  const open: Deno.TcpConn[] = [];
  for (let n = 0; n < 4 * ROOM; n++) {
    try {
      open.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch {
      // It listens no more at this moment.
    }
  }
  return open;
}

async function answerOn(connection: Deno.TcpConn): Promise<string> {
  await connection.write(REQUEST);
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes('"replies"')) {
    const count = await connection.read(buffer);
    assert.notEqual(count, null, `it is closed: ${text}`);
    text += new TextDecoder().decode(buffer.subarray(0, count!));
  }
  return text;
}

needs(missing())(
  "a server that may open no more files serves on, says so, and recovers",
  () =>
    standing(async ({ serve }) => {
      const server = await serve();
      const url = await counter(server);
      const port = Number(new URL(url).port);
      const first = await Deno.connect({ hostname: "127.0.0.1", port });
      assert.match(await answerOn(first), /"text":"1"/);
      const limit = openFilesOf(server.pid) + ROOM;
      await run("prlimit", "--pid", String(server.pid), `--nofile=${limit}:${limit}`);
      const silent = await allOf(port);
      await server.running.line(/too many.*served on.*ulimit -n/i);
      assert.match(await answerOn(first), /"text":"2"/);
      for (const one of silent) one.close();
      let count = 0;
      await until(async () => {
        count = await sent(url, "three", true).then(countIn, () => 0);
        return count > 0;
      });
      assert.equal(count, 3);
      first.close();
      assert.equal((await server.stop()).code, 0);
    }),
);
