/** `/http`: what a policy allows is reached and nothing else, each way around it is tried, and what may have an effect is done once. */
import type { Agent } from "../../../src/core/agent.ts";
import type { JobRun } from "../../../src/core/outside.ts";
import { memoryFiles } from "../../../src/fs/memory.ts";
import { agentId } from "../../../src/core/id.ts";
import { callText, readText, writeText } from "../../../src/fs/use.ts";
import { httpClient } from "../../../src/providers/http/client.ts";
import { httpJobs } from "../../../src/services/http/run.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import {
  certificateFor,
  nameServer,
  ok as fine,
  rawServer,
  withTls,
} from "../../providers/http/server.ts";
import { ID, inWorld, world } from "./world.ts";

const denied = { code: "permission_denied" };
const invalid = { code: "invalid_request" };
const to = (location: string, status = 302) =>
  `HTTP/1.1 ${status} Go\r\nlocation: ${location}\r\ncontent-length: 2\r\n\r\nGo`;
const pathOf = (request: string) => request.split(" ")[1]!;
const hasHeader = (request: string, name: string) => new RegExp(`^${name}: `, "m").test(request);

/** Asks as its message says. */
const asking: Agent["onTrigger"] = async (ctx, trigger) => {
  if (trigger.type !== "message" || trigger.payload.kind !== "json") return;
  const { fails, times = 1, ...request } = trigger.payload.data as {
    fails?: boolean;
    times?: number;
  };
  const said: string[] = [];
  for (let i = 0; i < times; i++) {
    try {
      said.push(
        JSON.stringify(await ctx.env.call("/http/new", JSON.stringify({ wait: true, ...request }))),
      );
    } catch (error) {
      said.push((error as { code: string }).code);
    }
  }
  if (fails && !failed.has(ctx.agent.id)) {
    failed.add(ctx.agent.id);
    throw new Error("again");
  }
  failed.delete(ctx.agent.id);
  await ctx.reply(said);
};
const failed = new Set<string>();

Deno.test("http: nothing is allowed until an operator says so, and who may not say so cannot", async () => {
  const { as, files, ask, stop } = await world();
  const policy = JSON.parse(await readText(files, "/http/policy"));
  deepEqual(policy.allowed_hosts, []);
  const error = await ask({ url: "https://example.com/" }).then(() => undefined, (error) => error);
  match(error?.detail, /example\.com is not among the allowed_hosts of \/http\/policy \(none\)/);
  match(
    error?.detail,
    /agentd write <agent>\/http\/policy '\{"allowed_hosts":\["example\.com"\]\}'/,
  );
  for (const viewer of ["local", "agent"] as const) {
    await rejects(writeText(await as(viewer), "/http/policy", "{}"), denied, viewer);
  }
  const local = await callText(await as("local"), "/http/new", '{"url":"https://example.com"}')
    .then(() => undefined, (error) => error);
  match(local?.detail, /not yours to call/);
  const bad = [
    "no",
    "[]",
    '{"hosts":["a.test"]}',
    '{"allowed_hosts":["*"]}',
    '{"methods":["TRACE"]}',
    '{"per_minute":-1}',
    '{"max_bytes":99999999}',
    '{"private_addresses":["everything"]}',
  ];
  for (const text of bad) await rejects(writeText(files, "/http/policy", text), invalid, text);
  await writeText(files, "/http/policy", '{"allowed_hosts":["A.test","a.test"],"per_day":5}');
  await writeText(files, "/http/policy", '{"private_addresses":["::1"],"per_day":null}');
  const now = JSON.parse(await readText(files, "/http/policy"));
  deepEqual([now.allowed_hosts, now.private_addresses, now.per_day], [
    ["a.test"],
    ["::1/128"],
    1_000,
  ]);
  await stop();
});

Deno.test("http: to operate an agent is not to open the host's network to it", async () => {
  const { runtime, files, stop } = await world();
  const { grant } = await runtime.tokens.create({ agents: [ID], can: "operate" });
  const operate = await runtime.files(ID, { viewer: "operator", name: "ci", grant });
  const say = (as: typeof files, fields: object) =>
    writeText(as, "/http/policy", JSON.stringify(fields));
  await say(operate, { allowed_hosts: ["a.test"] });
  await rejects(say(operate, { private_addresses: ["10.0.0.0/8"] }), denied);
  await say(files, { private_addresses: ["10.0.0.0/8", "127.0.0.1"] });
  await say(operate, { private_addresses: ["10.0.0.0/8"], per_day: 5 });
  await rejects(say(operate, { private_addresses: ["127.0.0.1"] }), denied);
  await stop();
});

Deno.test("http: a file from elsewhere brings its policy along, and opens nothing of the host", async () => {
  const { runtime, files, policy, stop } = await world();
  await policy({ allowed_hosts: ["a.test"], private_addresses: ["10.0.0.0/8"], per_day: 7 });
  const clone = agentId("clone");
  const file = ReadableStream.from(await runtime.exportAgent(ID));
  await runtime.importAgent(file, {
    mode: "clone",
    id: clone,
  });
  const there = await runtime.files(clone, { viewer: "operator", name: "operator" });
  const now = JSON.parse(await readText(there, "/http/policy"));
  deepEqual([now.allowed_hosts, now.per_day, now.private_addresses], [["a.test"], 7, []]);
  deepEqual(JSON.parse(await readText(files, "/http/policy")).private_addresses, ["10.0.0.0/8"]);
  await stop();
});

Deno.test("http: an answer is its status, headers and body, as text or as bytes", () => {
  const bodies: Record<string, string> = {
    "/text": fine("h\xc3\xa9llo", "x-one: 1\r\nx-two: a\r\nx-two: b\r\n"),
    "/bytes": fine("\xff\xfe\x00\x01"),
    "/latin": fine("h\xe9llo", "content-type: text/plain; charset=iso-8859-1\r\n"),
    "/long": fine("é".repeat(10).split("").map(() => "\xc3\xa9").join("")),
  };
  return inWorld((request) => bodies[pathOf(request)]!, async ({ ask, files }, { url }) => {
    deepEqual(await ask({ url: `${url}/text#part` }), {
      status: 200,
      headers: { "x-one": "1", "x-two": ["a", "b"] },
      body: "héllo",
      truncated: false,
    });
    equal((await ask({ url: `${url}/bytes` })).body_base64, "//4AAQ==");
    equal((await ask({ url: `${url}/latin` })).body, "héllo");
    const cut = await ask({ url: `${url}/long`, max_bytes: 5 });
    deepEqual([cut.body, cut.truncated], ["éé", true]);
    await writeText(files, "/http/policy", '{"max_bytes":2}');
    equal((await ask({ url: `${url}/long`, max_bytes: 50 })).body, "é");
  });
});

Deno.test("http: what would change the request into another is refused, and nothing is sent", () =>
  inWorld(() => fine("x"), async ({ ask }, { url, port, seen }) => {
    const bad: object[] = [
      ...[
        "Host",
        "host",
        "Connection",
        "Content-Length",
        "transfer-encoding",
        "Upgrade",
        "TE",
        "Expect",
        "Proxy-Authorization",
        "accept-encoding",
        "x y",
        "x\r\ny",
        "",
        "x:",
      ].map((name) => ({
        url,
        headers: { [name]: "1" },
      })),
      { url, headers: { x: "a\r\nhost: other" } },
      { url, headers: { x: "a\nb" } },
      { url, headers: { x: "a\0b" } },
      { url, headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x${i}`, "1"])) },
      { url, headers: { x: "y".repeat(40_000) } },
      { url: `http://user:pass@127.0.0.1:${port}/` },
      { url: `http://user@127.0.0.1:${port}/` },
      { url: `http://@127.0.0.1:${port}/` },
      { url: `http:\\\\user@127.0.0.1:${port}/` },
      { url: "ftp://127.0.0.1/" },
      { url: "file:///etc/passwd" },
      { url: "data:text/plain,x" },
      { url: "127.0.0.1" },
      { url: "http://" },
      { url, method: "TRACE" },
      { url, method: "CONNECT" },
      { url, method: "GET / HTTP/1.1\r\nx: y" },
      { url, body: "x" },
      { url, method: "POST", body: "x", body_base64: "eA==" },
      { url, method: "POST", body_base64: "no base64!" },
      { url, timeout_ms: 0 },
      { url, max_bytes: 1e9 },
      { url, other: 1 },
    ];
    for (const request of bad) {
      await rejects(ask(request), invalid, JSON.stringify(request).slice(0, 100));
    }
    await rejects(ask({ url, method: "OPTIONS" }), denied);
    deepEqual(seen, []);
  }));

Deno.test("http: another spelling of a place is no way around the policy", async () => {
  const inside = rawServer(() => fine("inside"));
  const { port } = inside;
  const dns = await nameServer({
    "inside.test": ["127.0.0.1"],
    "api.test": ["192.0.2.1", "127.0.0.1"],
  });
  const { ask, policy, stop } = await world({ http: { resolve: dns.resolve } });
  // The name is allowed; where it leads is not.
  await policy({
    allowed_hosts: [
      "*.test:*",
      `127.0.0.1:${port}`,
      "[::]:*",
      "[::1]:*",
      "[::ffff:7f00:1]:*",
      "0.0.0.0:*",
    ],
  });
  const hosts = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "①②⑦.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "0",
    "inside.test",
    "INSIDE.test",
    "api.test",
  ];
  for (const host of hosts) await rejects(ask({ url: `http://${host}:${port}/` }), denied, host);
  await rejects(ask({ url: `http://api.test:${port}/` }), denied, "the second time it leads here");
  await policy({ private_addresses: ["127.0.0.1"], allowed_hosts: ["inside.test:*"] });
  for (
    const host of [
      "127.0.0.1",
      "2130706433",
      "inside.test.",
      "x.inside.test",
      "inside.test@127.0.0.1",
    ]
  ) {
    const error = await ask({ url: `http://${host}:${port}/` }).then(
      () => undefined,
      (error) => error,
    );
    ok(["permission_denied", "invalid_request"].includes(error?.code), host);
  }
  equal((await ask({ url: `http://inside.test:${port}/` })).body, "inside");
  equal(inside.seen.length, 1);
  await stop();
  await inside.close();
  await dns.close();
});

Deno.test("http: redirects are followed as far as the policy goes, five times", () =>
  inWorld((request) => {
    const path = pathOf(request);
    const [, left] = /^\/(\d+)$/.exec(path) ?? [];
    if (left !== undefined) return left === "0" ? fine("there") : to(`/${Number(left) - 1}`);
    if (path === "/evil") return to("http://evil.test/");
    if (path === "/user") return to(`http://user:pass@${/host: (.*)\r/.exec(request)![1]}/0`);
    if (path === "/file") return to("file:///etc/passwd");
    if (path === "/inside") return to("http://localhost:1/");
    return fine("?");
  }, async ({ ask }, { url, seen }) => {
    const five = await ask({ url: `${url}/5` });
    deepEqual([five.body, five.url], ["there", `${url}/0`]);
    equal(seen.length, 6);
    await rejects(ask({ url: `${url}/6` }), denied);
    for (const path of ["/evil", "/user", "/file"]) {
      const error = await ask({ url: url + path }).then(() => undefined, (error) => error);
      ok(["permission_denied", "invalid_request"].includes(error?.code), path);
    }
  }));

Deno.test("http: a redirect to a private address is refused though its host is allowed", async () => {
  const inside = rawServer(() => fine("metadata"));
  const outside = rawServer(() => to(`http://metadata.test:${inside.port}/`));
  const resolve = (host: string) =>
    Promise.resolve([host === "metadata.test" ? "127.0.0.2" : "127.0.0.1"]);
  const { ask, policy, stop } = await world({ http: { resolve } });
  await policy({ allowed_hosts: ["*.test:*"], private_addresses: ["127.0.0.1"] });
  await rejects(ask({ url: `http://outside.test:${outside.port}/` }), denied);
  deepEqual([outside.seen.length, inside.seen.length], [1, 0]);
  await stop();
  await inside.close();
  await outside.close();
});

Deno.test("http: credentials stay with the host they were given for", async () => {
  const other = rawServer(() => fine("other"));
  await inWorld(
    (request) =>
      pathOf(request) === "/same"
        ? to("/end")
        : pathOf(request) === "/end"
        ? fine("end")
        : to(`http://localhost:${other.port}/`, pathOf(request) === "/307" ? 307 : 302),
    async ({ ask, secrets }, { url, port, seen }) => {
      await secrets.set("KEY", { value: "value-of-it", hosts: [`127.0.0.1:${port}`] });
      const headers = {
        "Authorization": "Bearer x",
        "Cookie": "a=b",
        "X-Key": "{{secret:KEY}}",
        "X-Open": "1",
      };
      await ask({ url: `${url}/away`, headers });
      await ask({ url: `${url}/same`, headers });
      for (const request of seen) {
        for (const name of ["authorization", "cookie", "x-key", "x-open"]) {
          ok(hasHeader(request, name));
        }
      }
      const [there] = other.seen;
      for (const name of ["authorization", "cookie", "x-key"]) ok(!hasHeader(there!, name), name);
      ok(hasHeader(there!, "x-open"));
      // A body goes along where it has to, and one with a secret in it never elsewhere.
      const plain = await ask({ url: `${url}/307`, method: "POST", body: "plain" });
      deepEqual([plain.status, plain.body], [200, "other"]);
      match(other.seen[1]!, /^POST [^]*plain$/);
      const kept = await ask({ url: `${url}/307`, method: "POST", body: "{{secret:KEY}}" });
      deepEqual([kept.status, kept.redirect], [
        307,
        "a body with a secret in it is not sent on elsewhere",
      ]);
      equal(other.seen.length, 2);
    },
  );
  await other.close();
});

withTls("http: a request with a secret in it is not sent on from https to http", async () => {
  const tls = await certificateFor("localhost");
  const plain = rawServer(() => fine("plain"));
  const safe = rawServer(() => to(`http://localhost:${plain.port}/`), { tls });
  const { ask, policy, secrets, stop } = await world({ http: { caCerts: [tls.ca] } });
  await policy({ allowed_hosts: ["localhost:*"], private_addresses: ["127.0.0.1", "::1"] });
  await secrets.set("KEY", { value: "value-of-it", hosts: ["localhost:*"] });
  const url = `https://localhost:${safe.port}/`;
  equal((await ask({ url })).body, "plain");
  await rejects(ask({ url, headers: { "x-key": "{{secret:KEY}}" } }), denied);
  equal(plain.seen.length, 1);
  await stop();
  await safe.close();
  await plain.close();
});

Deno.test("http: 303 turns what was done into a look, 307 does it again", () =>
  inWorld((request) => {
    const [, status] = /^\/(\d+)$/.exec(pathOf(request)) ?? [];
    return status ? to("/end", Number(status)) : fine(request.split(" ")[0]!);
  }, async ({ ask }, { url, seen }) => {
    const done = async (method: string, status: number) =>
      (await ask({
        url: `${url}/${status}`,
        method,
        ...(method === "GET" ? {} : { body: "b", headers: { "content-type": "text/plain" } }),
      })).body;
    deepEqual(
      await Promise.all([303, 302, 301, 307, 308].map((status) => done("POST", status))),
      ["GET", "GET", "GET", "POST", "POST"],
    );
    deepEqual(await Promise.all([302, 303].map((status) => done("PUT", status))), ["PUT", "GET"]);
    for (const request of seen.filter((r) => r.startsWith("GET /end"))) {
      ok(!hasHeader(request, "content-type"));
    }
  }));

Deno.test("http: so many a minute and a day, whatever becomes of the tick and the server", async () => {
  await inWorld(() => fine("x"), async (w, { url, seen }) => {
    await w.policy({ per_minute: 2, per_day: 3 });
    await w.tick({ url, fails: true });
    await w.tick({ url, fails: true });
    await rejects(w.ask({ url }), { code: "rate_limited" });
    deepEqual(JSON.parse(await readText(w.files, "/http/usage")), {
      minute: { used: 2, limit: 2 },
      day: { used: 2, limit: 3 },
    });
    await w.backend.clock.advance(60_000);
    await w.ask({ url });
    await w.backend.clock.advance(60_000);
    await w.runtime.stop(1000);
    const again = await world({ backend: w.backend });
    const error = await again.ask({ url }).then(() => undefined, (error) => error);
    equal(error?.code, "rate_limited");
    match(error.detail, /per_day of \/http\/policy is 3/);
    await again.backend.clock.advance(86_400_000);
    await again.ask({ url });
    equal(seen.length, 4);
    // Many at once are counted one by one.
    await again.policy({ per_minute: 3, per_day: 100 });
    const many = await Promise.allSettled(Array.from({ length: 10 }, () => again.ask({ url })));
    equal(many.filter(({ status }) => status === "fulfilled").length, 2);
    // What is refused for another reason is not counted.
    await again.backend.clock.advance(60_000);
    await rejects(again.ask({ url: "https://not-allowed.test" }), denied);
    equal(JSON.parse(await readText(again.files, "/http/usage")).minute.used, 0);
    await again.stop();
  }, { onTrigger: asking });
});

Deno.test("http: what may have an effect is done once though the tick is tried again; what only looks is looked at again", () => {
  let n = 0;
  return inWorld(() => fine(String(++n)), async (w, { url }) => {
    await w.runtime.configure(ID, { limits: { retry_ms: [1_000] } }, "keeper");
    const twice = async (method: string) => {
      const ended = w.tick({ url, method, fails: true });
      while (w.keys("retry/").length === 0) await turn();
      await w.backend.clock.advance(1_000);
      const [reply] = (await ended).replies as unknown as [{ data: string[] }];
      return JSON.parse(reply.data[0]!).body;
    };
    equal(await twice("POST"), "1");
    equal(await twice("GET"), "3");
  }, { onTrigger: asking });
});

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("http: of an effect whose connection broke nobody knows the outcome, and it is not done again; a look may be repeated", () =>
  inWorld(() => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", async (w, { url, seen }) => {
    const key = { idempotency_key: "pay-1", url, method: "POST", body: "pay" };
    const error = await w.ask(key).then(() => undefined, (error) => error);
    equal(error?.code, "interrupted");
    match(error.detail, /127\.0\.0\.1 was asked, and nobody knows whether it did it/);
    await rejects(w.ask(key), { code: "interrupted" });
    equal(seen.length, 1);
    await rejects(w.ask({ url }), { code: "provider_unavailable" });
    await rejects(w.ask({ url }), { code: "provider_unavailable" });
    equal(seen.length, 3);
    const job = JSON.parse(
      await callText(w.files, "/http/new", JSON.stringify({ url, method: "POST" })),
    );
    const { status, error: why } = await w.ended(job.job_id);
    deepEqual([status, why?.code], ["failed", "interrupted"]);
  }));

Deno.test("http: who was not reached did nothing, so that it may be asked again", async () => {
  const gone = rawServer(() => fine("x"));
  await gone.close();
  await inWorld(() => fine("done"), async ({ ask, policy }, { port, seen }) => {
    const key = { idempotency_key: "pay-1", method: "POST", body: "pay" };
    await rejects(ask({ ...key, url: `http://127.0.0.1:${gone.port}/` }), {
      code: "provider_unavailable",
    });
    await policy({ private_addresses: [] });
    await rejects(ask({ ...key, url: `http://127.0.0.1:${port}/` }), denied);
    await policy({ private_addresses: ["127.0.0.1"] });
    const first = await ask({ ...key, url: `http://127.0.0.1:${port}/` });
    deepEqual(await ask({ ...key, url: `http://127.0.0.1:${port}/` }), first);
    equal(seen.length, 1);
    await rejects(ask({ ...key, wait: false, url: `http://127.0.0.1:${port}/` }), {
      code: "conflict",
    }, "a job is another answer");
    await rejects(ask({ ...key, body: "more", url: `http://127.0.0.1:${port}/` }), {
      code: "conflict",
    });
  });
});

Deno.test("http: no answer in time is told as that: of a look as late, of an effect as unknown", () => {
  const came: (() => void)[] = [];
  return inWorld(() => (came.shift()!(), "hang"), async ({ ask, backend }, { url }) => {
    for (const [method, code] of [["GET", "timeout"], ["POST", "interrupted"]]) {
      const asked = new Promise<void>((resolve) => came.push(resolve));
      const answer = ask({ url, method, timeout_ms: 500 });
      answer.catch(() => {});
      await asked;
      await backend.clock.advance(500);
      await rejects(answer, { code }, method!);
    }
  });
});

Deno.test("http: a job answers with its paths, and is refused at once where it may not be sent", () =>
  inWorld(() => fine("late"), async (w, { url, seen }) => {
    const begin = async (request: object) =>
      JSON.parse(await callText(w.files, "/http/new", JSON.stringify(request)));
    const made = await begin({ url, method: "POST", body_base64: "AP8=" });
    equal(made.result_path, `/http/jobs/${made.job_id}/result`);
    equal((await w.ended(made.job_id)).status, "complete");
    const status = JSON.parse(await readText(w.files, made.status_path));
    deepEqual([status.method, status.url], ["POST", `${url}/`]);
    equal(JSON.parse(await readText(w.files, made.result_path)).body, "late");
    ok(seen[0]!.endsWith("\r\n\r\n\x00\xff"));
    await rejects(readText(w.files, "/http/jobs/none/status"), { code: "not_found" });
    await rejects(begin({ url: "https://not-allowed.test" }), denied);
  }));

Deno.test("http: a job is sent by the policy of the moment in which it is sent", () =>
  inWorld(() => fine("late"), async ({ backend, secrets }, { url, seen }) => {
    const { run } = httpJobs({ provider: httpClient(), secrets });
    const files = memoryFiles(backend);
    const asked: string[] = [];
    const job = (method: string) =>
      run({
        files,
        agent: ID,
        input: () => Promise.resolve({ method, url: `${url}/`, headers: [] }),
        signal: new AbortController().signal,
        asking: () => Promise.resolve(void asked.push(method)),
      } as unknown as JobRun);
    const policy = {
      allowed_hosts: ["127.0.0.1:*"],
      methods: ["GET", "POST"],
      private_addresses: ["127.0.0.1/32"],
    };
    const say = (fields: object) => writeText(files, "/http/policy", JSON.stringify(fields));
    await rejects(job("POST"), { code: "not_found" }, "the mount was taken away");
    await say({ ...policy, allowed_hosts: [] });
    await rejects(job("POST"), denied);
    deepEqual([asked, seen], [[], []]);
    await say(policy);
    await job("GET");
    // A look that a crash cut off may be looked at again; all else is said to be asked before it is.
    deepEqual(asked, []);
    await job("POST");
    deepEqual(asked, ["POST"]);
  }));
