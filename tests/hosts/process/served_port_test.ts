/** What the runtime does with calls that a hostile process makes by hand. */
import assert from "../../assert.ts";
import { servedPort } from "../../../src/hosts/process/served_port.ts";
import { MAX_CALLS } from "../../../src/hosts/process/values.ts";
import { type Head, isBreach } from "../../../src/hosts/process/wire.ts";
import { makePort } from "../port.ts";

function serve(port = makePort()) {
  const answers: Head[] = [];
  const waiting = new Map<number, (head: Head) => void>();
  const served = servedPort(port, 1, (head) => {
    answers.push(head);
    waiting.get(Number(head.id))?.(head);
  });
  let id = 0;
  /** The answer to a call. */
  function call(op: string, args: unknown, body?: string): Promise<Head> {
    const answered = new Promise<Head>((answer) => waiting.set(++id, answer));
    const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
    served.take({ head: { t: "call", run: 1, id, op, args } as Head, body: bytes });
    return answered;
  }
  return { port, served, answers, call };
}

const codeOf = (head: Head) => (head.error as { code?: string } | undefined)?.code;

const REFUSED: [string, unknown, string?][] = [
  ["open", { path: 7, mode: "read" }],
  ["open", { path: "/files/a", mode: "__proto__" }],
  ["open", { path: "/files/a", mode: {} }],
  ["open", { path: "/files/a", mode: "write", options: { signal: {} } }],
  ["open", { path: "/files/a", mode: "write", options: { match: [] } }],
  ["open", {
    path: "/files/a",
    mode: "write",
    options: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`o${i}`, 1])),
  }],
  ["open", { path: "x".repeat(100_000), mode: "read" }],
  ["read", { handle: 123456 }],
  ["read", { handle: "constructor" }],
  ["write", {}],
  ["close", { handle: null }],
  ["alarm", { due: "now" }, "1"],
  ["alarm", { due: 1.5 }, "1"],
  ["send", { agent: ["a"] }, "1"],
  ["send", { agent: "a" }],
  ["reply", { to: 7 }, "1"],
  ["reply", {}, "no json"],
  ["reply", {}, "[".repeat(1000) + "]".repeat(1000)],
  ["kvSet", { name: "a" }],
  ["kvGet", { name: { toString: 1 } }],
  ["list", { path: "/", options: { limit: 0 } }],
  ["remove", { path: "/", options: 7 }],
];
for (const [op, args, body] of REFUSED) {
  Deno.test(`refused: ${op} ${JSON.stringify(args).slice(0, 60)} ${body?.slice(0, 8) ?? ""}`, async () => {
    const { call, port } = serve();
    const code = codeOf(await call(op, args, body));
    assert.ok(["invalid_request", "invalid_path", "not_supported"].includes(code!), code);
    assert.deepEqual([port.calls, port.disk.size], [[], 0]);
  });
}

const BREACHES: Record<string, Head> = {
  "a word that there is not": { t: "sudo", run: 1 },
  "a call that there is not": { t: "call", id: 1, op: "rm", args: {} },
  "a call of Object.prototype": { t: "call", id: 1, op: "__proto__", args: {} },
  "a call of a constructor": { t: "call", id: 1, op: "constructor", args: {} },
  "a call without a number": { t: "call", op: "seen", args: {} },
  "a call without arguments": { t: "call", id: 1, op: "seen" },
  "a cancel of nothing": { t: "cancel" },
  "a log entry without text": { t: "log", level: "info" },
  "a log level of Object.prototype": { t: "log", level: "constructor", text: "" },
};
for (const [what, head] of Object.entries(BREACHES)) {
  Deno.test(`a breach: ${what}`, () => {
    assert.throws(() => serve().served.take({ head, body: undefined }), isBreach);
  });
}

Deno.test("a breach: a call under a number that was used, or beyond what may be on its way", async () => {
  const { served, call } = serve();
  await call("seen", { id: "a" });
  const again = { t: "call", run: 1, id: 1, op: "seen", args: { id: "a" } };
  assert.throws(() => served.take({ head: again, body: undefined }), isBreach);

  const busy = serve();
  const slow = (id: number) => ({
    head: { t: "call", run: 1, id, op: "open", args: { path: "/files/x", mode: "write" } },
    body: undefined,
  });
  for (let id = 1; id <= MAX_CALLS; id++) busy.served.take(slow(id));
  assert.throws(() => busy.served.take(slow(MAX_CALLS + 1)), isBreach);
  const body = new Uint8Array(33 * 1024 * 1024);
  const large = { t: "call", run: 1, id: 1, op: "kvSet", args: { name: "a" } };
  assert.throws(() => serve().served.take({ head: large, body }), isBreach);
});

Deno.test("a breach: floods of what comes to nothing", () => {
  const floods: Head[] = [
    { t: "log", level: "info", text: "again" },
    { t: "cancel", id: 7 },
  ];
  for (const head of floods) {
    const { served, port } = serve();
    assert.throws(() => {
      for (let i = 0; i < 200_000; i++) served.take({ head, body: undefined });
    }, isBreach);
    assert.ok(port.logged.length <= 1001);
  }
});

Deno.test("after the end nothing is done, answered or logged", async () => {
  const { served, answers, port } = serve();
  const head = { t: "call", run: 1, id: 1, op: "open", args: { path: "/slow", mode: "call" } };
  served.take({ head, body: undefined });
  served.end();
  served.take({
    head: { ...head, id: 2, op: "kvSet", args: { name: "a" } },
    body: new Uint8Array([49]),
  });
  served.take({ head: { t: "log", level: "info", text: "late" }, body: undefined });
  await new Promise((turn) => setTimeout(turn, 0));
  assert.deepEqual([answers, port.calls, port.logged], [[], [], []]);
});

Deno.test("an error of the runtime's own tells nothing of it", async () => {
  const port = makePort();
  port.kvGet = () => Promise.reject(new TypeError("/secret/host/path is broken"));
  const answer = await serve(port).call("kvGet", { name: "a" });
  assert.equal(codeOf(answer), "internal");
  assert.ok(!JSON.stringify(answer).includes("secret"));
});

Deno.test("names of Object.prototype are just names in values", async () => {
  const { call, port } = serve();
  await call("kvSet", { name: "__proto__" }, '{"__proto__":{"polluted":1}}');
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.equal(JSON.stringify(port.kv.get("__proto__")), '{"__proto__":{"polluted":1}}');
});
