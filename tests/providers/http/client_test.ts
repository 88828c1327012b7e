/** The web by real sockets: which address is reached, whose certificate counts, and what a server may say. */
import type { HttpRequest } from "../../../src/core/net.ts";
import { httpClient, type HttpClientOptions } from "../../../src/providers/http/client.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import {
  certificateFor,
  nameServer,
  ok as fine,
  type RawServer,
  rawServer,
  type Say,
  withTls,
} from "./server.ts";

const NEVER = new AbortController().signal;
const LOOPBACK = ["127.0.0.1/32"];

function request(port: number, more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "GET",
    to: { scheme: "http", host: "127.0.0.1", port },
    target: "/",
    headers: [],
    body: undefined,
    privateAddresses: LOOPBACK,
    maxBytes: 1_000_000,
    signal: NEVER,
    ...more,
  };
}

async function withServer(
  say: Say,
  run: (server: RawServer) => Promise<void>,
  options?: Parameters<typeof rawServer>[1],
): Promise<void> {
  const server = rawServer(say, options);
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const ask = (port: number, more?: Partial<HttpRequest>, options?: HttpClientOptions) =>
  httpClient(options).exchange(request(port, more));

Deno.test("http: a request goes out as it is said, and its answer comes back", () =>
  withServer(
    () => fine("hello", "x-a: 1\r\nX-A: 2\r\nx-utf: \xc3\xa9\r\n"),
    async ({ port, seen }) => {
      const answer = await ask(port, {
        method: "POST",
        target: "/path?q=1",
        headers: [["x-mine", "ü"], ["x-two", "1"], ["x-two", "2"]],
        body: new TextEncoder().encode("body"),
      });
      deepEqual([answer.status, text(answer.body), answer.truncated], [200, "hello", false]);
      deepEqual(answer.headers, [["x-a", "1"], ["x-a", "2"], ["x-utf", "é"]]);
      equal(
        seen[0],
        `POST /path?q=1 HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n` +
          "accept-encoding: gzip\r\ncontent-length: 4\r\nx-mine: Ã¼\r\nx-two: 1\r\nx-two: 2\r\n\r\nbody",
      );
    },
  ));

Deno.test("http: private addresses are refused in every spelling, and nothing is sent; those that are listed are reached", () =>
  withServer(() => fine("inside"), async ({ port, seen }) => {
    const hosts = [
      "127.0.0.1",
      "127.8.9.1",
      "::1",
      "::ffff:7f00:1",
      "::7f00:1",
      "0.0.0.0",
      "::",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "100.100.100.200",
      "168.63.129.16",
      "224.0.0.1",
      "255.255.255.255",
      "240.0.0.1",
      "192.0.2.1",
      "198.18.0.1",
      "fe80::1",
      "fc00::1",
      "fd00:ec2::254",
      "fec0::1",
      "ff02::1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::7f00:1",
      "2002:7f00:1::",
      "2001::1",
      "2001:db8::1",
      "4000::1",
    ];
    for (const host of hosts) {
      const to = { scheme: "http", host, port } as const;
      const error = await ask(port, { to, privateAddresses: [] }).then(() => undefined, (e) => e);
      equal(error?.code, "permission_denied", host);
      equal(error.extra.asked, false);
      const named = { scheme: "http", host: "name.test", port } as const;
      const byName = ask(port, { to: named, privateAddresses: [] }, {
        resolve: () => Promise.resolve([host]),
      });
      await rejects(byName, { code: "permission_denied" }, host);
    }
    deepEqual(seen, []);
    // An address in IPv6's words is the IPv4 address, and is listed as that.
    for (const host of ["127.0.0.1", "::ffff:127.0.0.1"]) {
      const resolve = () => Promise.resolve([host]);
      const to = { scheme: "http", host: "name.test", port } as const;
      equal((await ask(port, { to }, { resolve })).status, 200, host);
    }
    equal((await ask(port, { privateAddresses: ["127.0.0.0/8"] })).status, 200);
    await rejects(ask(port, { privateAddresses: ["127.0.0.2/32", "::1/128"] }), {
      code: "permission_denied",
    });
  }));

Deno.test("http: IPv6 is reached where it is listed", async () => {
  let server: RawServer;
  try {
    server = rawServer(() => fine("six"), { hostname: "::1" });
  } catch {
    return;
  }
  const to = { scheme: "http", host: "::1", port: server.port } as const;
  const { body } = await ask(server.port, { to, privateAddresses: [httpClient().range("::1")] });
  equal(text(body), "six");
  match(server.seen[0]!, new RegExp(`host: \\[::1\\]:${server.port}\r\n`));
  await server.close();
});

Deno.test("http: a name is looked up once, and the connection goes to the address that was looked at", async () => {
  await withServer(() => fine("inside"), async ({ port, seen }) => {
    // Public first, then this machine: what a rebinding name server says.
    const dns = await nameServer({
      "turns.test": ["192.0.2.1", "127.0.0.1"],
      "inside.test": ["127.0.0.1", "192.0.2.1"],
    });
    const { resolve } = dns;
    const to = (host: string) => ({ scheme: "http", host, port } as const);
    const first = await ask(port, { to: to("turns.test"), privateAddresses: [] }, { resolve })
      .then(() => undefined, (error) => error);
    equal(first?.code, "permission_denied");
    const again = await ask(port, { to: to("turns.test"), privateAddresses: [] }, { resolve })
      .then(() => undefined, (error) => error);
    match(again?.detail, /turns\.test is at 127\.0\.0\.1, a loopback address/);
    deepEqual(seen, []);
    equal((await ask(port, { to: to("inside.test") }, { resolve })).status, 200);
    match(seen[0]!, /^host: inside\.test:\d+\r$/m);
    deepEqual(dns.asked, ["turns.test", "turns.test", "inside.test"]);
    await rejects(ask(port, { to: to("none.test") }, { resolve }), {
      code: "provider_unavailable",
      extra: { asked: false },
    });
    await dns.close();
  });
});

Deno.test("http: of several addresses only those that may be reached are tried, one after the other", () =>
  withServer(() => fine("x"), async ({ port }) => {
    const to = { scheme: "http", host: "many.test", port } as const;
    const resolve = () => Promise.resolve(["10.0.0.1", "127.0.0.2", "127.0.0.1", "::1"]);
    const privateAddresses = ["127.0.0.2/32", "127.0.0.1/32"];
    equal((await ask(port, { to, privateAddresses }, { resolve })).status, 200);
  }));

withTls("http: the certificate is the name's, and the authority one that is trusted", async () => {
  const tls = await certificateFor("api.example.test");
  await withServer(() => fine("safe"), async ({ port, seen }) => {
    const resolve = () => Promise.resolve(["127.0.0.1"]);
    const to = (host: string) => ({ scheme: "https", host, port } as const);
    const trusted = { resolve, caCerts: [tls.ca] };
    const { body } = await ask(port, { to: to("api.example.test") }, trusted);
    equal(text(body), "safe");
    const notSent = { code: "provider_unavailable", extra: { asked: false } };
    await rejects(ask(port, { to: to("other.example.test") }, trusted), notSent);
    await rejects(ask(port, { to: to("127.0.0.1") }, trusted), notSent);
    await rejects(ask(port, { to: to("api.example.test") }, { resolve }), notSent);
    equal(seen.filter((request) => request !== "").length, 1);
  }, { tls });
});

Deno.test("http: a body is read by its length, in chunks, or to its end", async () => {
  const bodies: [string, string][] = [
    ["content-length: 5\r\n\r\nhelloand more", "hello"],
    ["content-length: 5, 5\r\n\r\nhello", "hello"],
    [
      "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nx: trailer\r\n\r\n",
      "hello",
    ],
    ["\r\nhello", "hello"],
    ["content-length: 0\r\n\r\n", ""],
  ];
  for (const [said, body] of bodies) {
    await withServer(() => `HTTP/1.1 200 OK\r\n${said}`, async ({ port }) => {
      equal(text((await ask(port)).body), body, said);
    });
  }
  await withServer(
    () => "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 No\r\ncontent-length: 9\r\n\r\n",
    async ({ port }) => equal((await ask(port)).status, 204),
  );
  await withServer(() => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", async ({ port }) => {
    equal((await ask(port, { method: "HEAD" })).body.length, 0);
  });
});

Deno.test("http: what is no whole answer is an error, and it is known that the server was asked", async () => {
  const said = [
    "",
    "garbage\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    "HTTP/1.1 101 Other\r\n\r\n",
    "HTTP/1.1 100 Go on\r\n\r\n".repeat(20),
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(50_000)}\r\n`,
    `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`,
    "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\nxx",
    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nno gzip at all",
    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\n\r\n",
  ];
  for (const answer of said) {
    await withServer(() => answer, async ({ port }) => {
      const error = await ask(port).then(() => undefined, (error) => error);
      equal(error?.code, "provider_unavailable", JSON.stringify(answer.slice(0, 100)));
      equal(error.extra, undefined, answer.slice(0, 100));
    });
  }
});

Deno.test("http: who is not there was not asked", async () => {
  const server = rawServer(() => fine(""));
  await server.close();
  await rejects(ask(server.port), { code: "provider_unavailable", extra: { asked: false } });
});

Deno.test("http: no more is read than is wanted, however much there is", () =>
  withServer(() => endless(), async ({ port }) => {
    const { body, truncated } = await ask(port, { maxBytes: 100_000 });
    deepEqual([body.length, truncated], [100_000, true]);
  }));

async function* endless(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n");
  while (true) yield new Uint8Array(65_536);
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = ReadableStream.from([bytes as Uint8Array<ArrayBuffer>])
    .pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

Deno.test("http: a compressed body is given as it was, and a bomb only as far as it is wanted", async () => {
  const small = await gzip(new TextEncoder().encode("hello, hello"));
  const head = (length: number) =>
    new TextEncoder().encode(
      `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${length}\r\n\r\n`,
    );
  const said = (body: Uint8Array) => () => Uint8Array.from([...head(body.length), ...body]);
  await withServer(said(small), async ({ port }) => {
    const { body, headers } = await ask(port);
    equal(text(body), "hello, hello");
    deepEqual(headers, []);
  });
  const bomb = await gzip(new Uint8Array(200 * 1024 * 1024));
  ok(bomb.length < 300_000);
  await withServer(said(bomb), async ({ port }) => {
    const { body, truncated } = await ask(port, { maxBytes: 50_000 });
    deepEqual([body.length, truncated], [50_000, true]);
  });
  await withServer(said(small.subarray(0, -4)), async ({ port }) => {
    await rejects(ask(port), { code: "provider_unavailable" });
  });
});

Deno.test("http: a signal ends it at once, whatever it waits for", async () => {
  const reason = new Error("enough");
  let asked = Promise.withResolvers<void>();
  await withServer(() => (asked.resolve(), "hang"), async ({ port }) => {
    const abort = new AbortController();
    const answer = ask(port, { signal: abort.signal });
    answer.catch(() => {});
    await asked.promise;
    abort.abort(reason);
    await rejects(answer, reason);
  });
  asked = Promise.withResolvers();
  const abort = new AbortController();
  const resolve = () => {
    abort.abort(reason);
    return new Promise<string[]>(() => {});
  };
  const to = { scheme: "http", host: "slow.test", port: 1 } as const;
  await rejects(ask(1, { to, signal: abort.signal }, { resolve }), {
    code: "provider_unavailable",
    extra: { asked: false },
  });
});

Deno.test("http: an answer that comes before all was sent counts", () =>
  withServer(() => holding(), async ({ port }) => {
    const body = new Uint8Array(32 * 1024 * 1024);
    const { status } = await ask(port, { method: "POST", body });
    equal(status, 413);
    held();
  }, { early: true }));

/** Answers, and reads no more, so that what is sent is stuck. */
async function* holding(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode("HTTP/1.1 413 Too much\r\ncontent-length: 0\r\n\r\n");
  await new Promise<void>((resolve) => held = resolve);
}
let held = () => {};

Deno.test("http: ranges of addresses have one form, and what is none is refused", async () => {
  const { range } = httpClient();
  deepEqual(
    ["127.0.0.1", "10.0.0.0/8", "::1", "0:0::1", "fd00::/8", "::ffff:10.0.0.1"].map(range),
    ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "::1/128", "fd00::/8", "10.0.0.1/32"],
  );
  for (
    const bad of [
      "",
      "10.1",
      "2130706433",
      "0x7f.1",
      "10.0.0.1/8",
      "10.0.0.0/33",
      "name",
      "fe80::1%1",
      "::/129",
    ]
  ) {
    await rejects(Promise.resolve().then(() => range(bad)), { code: "invalid_request" }, bad);
  }
});
