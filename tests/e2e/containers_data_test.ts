/** Much data through a session: output without measure, large files, and files by any name. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { testWithDocker } from "../docker/engine.ts";
import { BINARY } from "./program.ts";
import { type Accepted, type Client, engineered, hasContainer } from "./containers.ts";

const LIMITS = { max_time_secs: 600, max_memory_mb: 256, max_disk_mb: 128 };
const MIB = 1024 * 1024;
/** The binary shows only that it is the same program. */
const OUTPUT_BYTES = (BINARY === undefined ? 1024 : 128) * MIB;
/** More than the server is with a stream in hand, and far less than the output. */
const MORE_RSS_BYTES = 512 * MIB;
/** How much the slow reader takes between two of its pauses. */
const STEP_BYTES = 16 * MIB;
/** The most that a request brings. */
const PART_BYTES = 16 * MIB;

async function interactive(client: Client): Promise<Accepted> {
  const session = await client.session({ kind: "interactive", limits: LIMITS });
  await client.until(session.status_path, "running");
  return session;
}

async function stopped(client: Client, session: Accepted): Promise<void> {
  await client.put(`/containers/sessions/${session.session_id}/ctl`, "stop");
  await client.until(session.status_path, "complete");
  equal(await hasContainer(session), false);
  equal((await client.served.stop()).code, 0);
}

async function rssBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

testWithDocker(
  "a gigabyte of output to a slow reader: the server does not grow with it, and what the reader missed is told",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const { pid } = client.served;
      const session = await interactive(client);
      const before = await rssBytes(pid);
      let most = before;
      const line = "0123456789".repeat(7);
      // Its exit code is that of the last one: it has printed all of it.
      const exec = await client.exec(session, `yes ${line} | head -c ${OUTPUT_BYTES}`);
      let read = 0;
      let pause = STEP_BYTES;
      let seq = 0;
      let end: number | undefined;
      let isCut = false;
      // The session's own stream: of its numbers none is missing but those of which it says so.
      for await (const event of client.events(session.output_path)) {
        const { data, type } = event;
        if (type === "gap") {
          const { from, to } = event as unknown as { from: number; to: number };
          deepEqual([from, to], [seq, event.seq]);
        } else equal(event.seq, seq + 1);
        seq = event.seq;
        if (type === "cut") isCut = true;
        if (event.exec_id !== undefined && event.exec_id !== exec.exec_id) continue;
        if (type === "exit") {
          end = event.exit_code;
          break;
        }
        if (data === undefined) continue;
        ok(/^[0-9\n]*$/.test(data));
        read += data.length;
        if (read < pause) continue;
        pause = read + STEP_BYTES;
        // It takes a rest, in which others are served.
        const other = await client.exec(session, "echo meanwhile");
        equal(await client.text(other.output_path), "meanwhile\n");
        most = Math.max(most, await rssBytes(pid));
      }
      deepEqual([end, isCut], [0, true]);
      ok(read > 8 * MIB && read <= OUTPUT_BYTES, `${read} bytes`);
      ok(most < before + MORE_RSS_BYTES, `from ${before} to ${most} bytes`);
      const { stdout } = await client.read<{ stdout: string }>(exec.result_path);
      ok(stdout.length < 2 * MIB, `${stdout.length}`);
      await stopped(client, session);
    });
  },
);

testWithDocker("50 MB up and down, byte for byte, at once, in parts and from within", async () => {
  await engineered(async ({ serve }) => {
    const client = await serve();
    const session = await interactive(client);
    const bytes = noise(50_000_000);
    const at = `/containers/sessions/${session.session_id}/files/in/big.bin`;
    for (let from = 0; from < bytes.length; from += PART_BYTES) {
      await client.put(`${at}?offset=${from}`, bytes.subarray(from, from + PART_BYTES));
    }
    const down = await (await client.ask(at)).bytes();
    ok(isSame(down, bytes));
    const sum = await client.exec(session, "sha256sum <in/big.bin; cp in/big.bin copy");
    equal(await client.text(sum.output_path), `${await digest(bytes)}  -\n`);

    const info = await client.read<{ size_bytes: number; chunks: number }>(`${at}/meta`);
    deepEqual([info.size_bytes, info.chunks], [bytes.length, Math.ceil(bytes.length / MIB)]);
    const copy = `/containers/sessions/${session.session_id}/files/copy`;
    for (const n of [0, 7, info.chunks - 1]) {
      const chunk = await (await client.ask(`${copy}/chunks/${n}`)).bytes();
      ok(isSame(chunk, bytes.subarray(n * MIB, (n + 1) * MIB)));
    }
    const range = await client.ask(`${copy}?offset=31415926&len=1000003`);
    ok(isSame(await range.bytes(), bytes.subarray(31_415_926, 32_415_929)));

    const beyond = { method: "PUT", body: bytes.subarray(0, 10_000_001) };
    const more = await client.ask(`${copy}?offset=50000000`, beyond);
    equal(more.status, 413);
    match(await more.text(), /max_file_size_bytes/);
    await stopped(client, session);
  }, { max_file_size_bytes: 60_000_000 });
});

testWithDocker("files have any name, and no path leads out of the work directory", async () => {
  await engineered(async ({ serve }) => {
    const client = await serve();
    const session = await interactive(client);
    const at = (path: string) => `/containers/sessions/${session.session_id}/files/${path}`;
    const names = [
      "with space",
      `quo'te"s`,
      "ünï ☃",
      "$(id);`id`",
      "-rf",
      "a%2Fb",
      "#?&=+",
    ];
    for (const name of names) {
      await client.put(at(encodeURIComponent(name)), name);
      equal(await (await client.ask(at(encodeURIComponent(name)))).text(), name);
    }
    const listed = await client.exec(
      session,
      'for f in * .[a-z]*; do [ -e "$f" ] && printf \'%s\\0\' "$f"; done',
    );
    const seen = (await client.text(listed.output_path)).split("\0").filter(Boolean);
    deepEqual(seen.sort(), names.toSorted());

    // What no path can name is there for the program, and not in the way of the others.
    const odd = await client.exec(
      session,
      "touch \"$(printf 'line\\nbreak')\" \"$(printf '\\377')\"; ls | wc -l",
    );
    await client.text(odd.output_path);
    const { entries } = await client.read<{ entries: { name: string }[] }>(at(""));
    deepEqual(entries.map(({ name }) => name).sort(), names.toSorted());

    const links = await client.exec(
      session,
      "ln -s /etc/passwd out; ln -s / root; ln -s ../etc dir; mkfifo pipe; ln -s /proc/self/root/etc/passwd magic",
    );
    await client.text(links.output_path);
    for (
      const path of [
        "..",
        "%2e%2e",
        "%2e%2e/etc/passwd",
        "a/%2e%2e/%2e%2e/etc/passwd",
        "%2Fetc%2Fpasswd",
        "..%2Fetc%2Fpasswd",
        "/etc/passwd",
        "out",
        "root/etc/passwd",
        "dir/passwd",
        "magic",
        "pipe",
        "%00",
        "a%00b",
        "line%0Abreak",
        "x".repeat(300),
      ]
    ) {
      const read = await raw(client, "GET", at(path));
      ok(read.status >= 400 && read.status < 500, `GET ${path}: ${read.status} ${read.body}`);
      ok(!read.body.includes("root:x"), read.body);
      if (path === "pipe") continue;
      const write = await raw(client, "PUT", at(path));
      ok(write.status >= 400 && write.status < 500, `PUT ${path}: ${write.status} ${write.body}`);
    }
    const whole = await client.exec(session, "cat /etc/passwd | wc -l");
    equal(await client.text(whole.output_path), "2\n");
    await stopped(client, session);
  });
});

/** As it is written: `fetch` takes the dots out of a path. */
async function raw(
  client: Client,
  method: string,
  path: string,
): Promise<{ status: number; body: string }> {
  const { hostname, port, host, pathname } = new URL(client.url("/"));
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const body = method === "PUT" ? "mine" : "";
  const head = [
    `${method} ${pathname.slice(0, -1)}${path} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: ${client.authorization}`,
    "Connection: close",
    `Content-Length: ${body.length}`,
  ];
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`));
  const text = await new Response(connection.readable).text();
  return { status: Number(text.slice(9, 12)), body: text };
}

function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Without a comparison's wish to show what differs. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
