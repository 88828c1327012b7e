import assert from "../../assert.ts";
import { MAX_GUESSES } from "../../../src/http/guesses.ts";
import { MAX_HOOK_BYTES, MAX_READING, MAX_READING_MS } from "../../../src/http/hooks/deliver.ts";
import { FAR, github, hmac, SECRET, send, world } from "./world.ts";

const CI = { agent: "bob", scheme: "github", secret: SECRET };

Deno.test("a message of GitHub reaches the agent without a token, with its event, once", async () => {
  const { app, ask, heard, close, errors } = await world({ auth: { requireToken: true } });
  assert.equal((await ask("PUT", "/hooks/ci", CI)).status, 201);
  const push = await github('{"ref":"main"}');
  const first = await send(app, "/hooks/ci", push);
  assert.equal(first.status, 202);
  assert.deepEqual(await first.json(), {
    envelope_id: "hook:ci:7d0f1e9c-0001",
    disposition: "queued",
    duplicate: false,
  });
  const { meta, payload, type } = await heard(1);
  assert.equal(type, "message");
  assert.deepEqual(payload, { kind: "json", data: { ref: "main" } });
  assert.deepEqual(meta, {
    envelope_id: "hook:ci:7d0f1e9c-0001",
    source: { kind: "webhook", name: "ci" },
    seq: 1,
    created_at: 0,
    extra: { hook: "ci", event: "push", delivery: "7d0f1e9c-0001" },
  });
  const again = await send(app, "/hooks/ci", push);
  assert.equal(again.status, 202);
  assert.equal((await again.json()).duplicate, true);
  const other = await send(app, "/hooks/ci", await github('{"ref":"other"}'));
  assert.equal(other.status, 409, "one delivery is one message");
  assert.equal((await send(app, "/hooks/ci", await github("{}", { delivery: "2" }))).status, 202);
  await heard(2);
  assert.deepEqual(errors, []);
  await close();
});

Deno.test("GitHub's form, text, JSON of another type and bytes become what they are", async () => {
  const { app, ask, heard, close } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  let n = 0;
  const payload = async (body: string, type: string) => {
    const sent = await send(app, "/hooks/ci", await github(body, { type, delivery: `d${++n}` }));
    assert.equal(sent.status, 202);
    return (await heard(n)).payload;
  };
  const form = "payload=" + encodeURIComponent('{"a":1}');
  const forms = "application/x-www-form-urlencoded";
  assert.deepEqual(await payload(form, forms), { kind: "json", data: { a: 1 } });
  assert.deepEqual(await payload("a=1", forms), { kind: "text", text: "a=1" });
  assert.deepEqual(await payload("hi", "text/plain; charset=utf-8"), { kind: "text", text: "hi" });
  assert.deepEqual(await payload("[1]", "application/vnd.x+json"), { kind: "json", data: [1] });
  const broken = await github("{", { delivery: "broken" });
  assert.equal((await send(app, "/hooks/ci", broken)).status, 400);
  const bytes = new Uint8Array([255, 0]);
  const headers = { "x-hub-signature-256": `sha256=${(await hmac(SECRET, bytes)).toHex()}` };
  const init = { method: "POST", body: bytes, headers };
  assert.equal((await send(app, "/hooks/ci", init)).status, 202);
  assert.deepEqual((await heard(++n)).payload, { kind: "binary", data: "/wA=" });
  await close();
});

Deno.test("a wrong signature, none, and an unknown hook are answered alike", async () => {
  const { app, ask, close, runtime, clock } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  const right = await github("{}");
  const wrong = await github("{}", { secret: SECRET + "x" });
  const { "x-hub-signature-256": signature, ...unsigned } = right.headers as Record<string, string>;
  const tries: [string, string, RequestInit][] = [
    ["unknown", "/hooks/cj", right],
    ["no name of a hook", "/hooks/CI", right],
    ["wrong secret", "/hooks/ci", wrong],
    ["another body", "/hooks/ci", { ...right, body: "{} " }],
    ["no signature", "/hooks/ci", { ...right, headers: unsigned }],
    ["no signature, unknown", "/hooks/cj", { ...right, headers: unsigned }],
    ["empty", "/hooks/ci", { ...right, headers: { ...unsigned, "x-hub-signature-256": "" } }],
    ["bare hex", "/hooks/ci", {
      ...right,
      headers: { ...unsigned, "x-hub-signature-256": signature!.slice("sha256=".length) },
    }],
    ["of nothing", "/hooks/ci", {
      ...right,
      headers: { ...unsigned, "x-hub-signature-256": `sha256=${"0".repeat(64)}` },
    }],
  ];
  const answers = [];
  for (const [what, path, init] of tries) {
    const answer = await send(app, path, init);
    assert.equal(answer.status, 401, what);
    const { instance, path: told, ...body } = await answer.json();
    assert.deepEqual([instance, told], [path, path]);
    answers.push({ body, headers: [...answer.headers] });
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((await runtime.info("bob" as never)).queue_depth, 0);
  await clock.advance(0);
  await close();
});

Deno.test("wrong signatures are limited by address; a right one never is", async () => {
  const { app, ask, close, clock } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  const wrong = await github("{}", { secret: SECRET + "x" });
  const statuses: number[] = [];
  for (let n = 0; n <= MAX_GUESSES; n++) {
    const answer = await send(app, n % 2 ? "/hooks/ci" : "/hooks/none", wrong);
    statuses.push(answer.status);
    if (answer.status === 429) assert.ok(Number(answer.headers.get("retry-after")) > 0);
    await answer.text();
  }
  assert.deepEqual(statuses, [...new Array(MAX_GUESSES).fill(401), 429]);
  const elsewhere = { ...FAR, address: "203.0.113.10" };
  assert.equal((await send(app, "/hooks/ci", wrong, elsewhere)).status, 401);
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 202);
  await clock.advance(0);
  await close();
});

Deno.test("too large a message is refused, before it is known whose it is", async () => {
  const { app, ask, close } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  const body = "x".repeat(MAX_HOOK_BYTES + 1);
  for (const path of ["/hooks/ci", "/hooks/none"]) {
    const answer = await send(app, path, await github(body));
    assert.equal(answer.status, 413);
    assert.equal((await answer.json()).limit_bytes, MAX_HOOK_BYTES);
  }
  await close();
});

Deno.test("who sends slowly is cut off, and cannot take all places for ever", async () => {
  const { app, ask, close, clock } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  const slow = () => ({ method: "POST", body: new ReadableStream<Uint8Array>() });
  const waiting = Array.from({ length: MAX_READING }, () => send(app, "/hooks/none", slow()));
  const full = await send(app, "/hooks/ci", await github("{}"));
  assert.equal(full.status, 429);
  await clock.advance(MAX_READING_MS);
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 504);
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 202);
  await clock.advance(0);
  await close();
});

Deno.test("the server answers to its own names alone, also for hooks", async () => {
  const { app, ask, close } = await world();
  await (await ask("PUT", "/hooks/ci", CI)).text();
  const init = await github("{}");
  const headers = { ...init.headers as Record<string, string>, host: "evil.example" };
  assert.equal((await send(app, "/hooks/ci", { ...init, headers })).status, 403);
  const page = { ...init.headers as Record<string, string>, origin: "https://evil.example" };
  assert.equal((await send(app, "/hooks/ci", { ...init, headers: page })).status, 403);
  await close();
});

Deno.test("a hook whose agent is gone says so to who can sign, and to nobody else", async () => {
  const { app, ask, close } = await world();
  await (await ask("PUT", "/hooks/ci", { ...CI, agent: "gone" })).text();
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 404);
  const wrong = await github("{}", { secret: SECRET + "x" });
  assert.equal((await send(app, "/hooks/ci", wrong)).status, 401);
  await close();
});

Deno.test("a scheme of one's own: headers, several signatures, hex and base64, a signed time", async () => {
  const { app, ask, heard, close, clock } = await world();
  const made = await ask("PUT", "/hooks/pay", {
    agent: "bob",
    scheme: "hmac-sha256",
    secret: SECRET,
    signature_header: "X-Sign",
    id_header: "X-Id",
    event_header: "X-Kind",
    timestamp_header: "X-Time",
    tolerance_s: 60,
  });
  assert.equal(made.status, 201, await made.clone().text());
  const nowS = Math.floor(clock.now() / 1000);
  let n = 0;
  const status = async (
    time: string,
    sign: (bytes: Uint8Array) => string,
    body = "paid",
    id = `p${++n}`,
  ) => {
    const signature = sign(await hmac(SECRET, `${time}.${body}`));
    const headers = { "x-sign": signature, "x-id": id, "x-kind": "charge", "x-time": time };
    const answer = await send(app, "/hooks/pay", { method: "POST", body, headers });
    await answer.text();
    return answer.status;
  };
  const hex = (bytes: Uint8Array) => bytes.toHex();
  assert.equal(await status(`${nowS}`, hex), 202);
  const { meta } = await heard(1) as { meta: { envelope_id: string; extra: unknown } };
  assert.equal(meta.envelope_id, "hook:pay:p1");
  assert.deepEqual(meta.extra, { hook: "pay", event: "charge", delivery: "p1" });
  assert.equal(await status(`${nowS - 60}`, hex), 202);
  assert.equal(await status(`${nowS - 61}`, hex), 401, "too old");
  assert.equal(await status(`${nowS + 61}`, hex), 401, "too far ahead");
  assert.equal(await status(`${nowS * 1000}`, (b) => `sha256=${hex(b)}`), 202);
  assert.equal(await status(new Date(nowS * 1000).toISOString(), (b) => b.toBase64()), 202);
  assert.equal(await status(`${nowS}`, (b) => `v1=${b.toBase64({ alphabet: "base64url" })}`), 202);
  assert.equal(
    await status(`${nowS}`, (b) => `${"0".repeat(64)}, v1=${hex(b).toUpperCase()}`),
    202,
  );
  assert.equal(await status("yesterday", hex), 401);
  assert.equal(await status("", hex), 401);
  const moved = await hmac(SECRET, `${nowS}.paid`);
  assert.equal(await status(`${nowS + 1}`, () => hex(moved)), 401, "the time is signed too");
  await close();
});

Deno.test("without a name of its own a delivery is named by what was signed", async () => {
  const { app, ask, close, clock } = await world();
  const config = { agent: "bob", scheme: "hmac-sha256", secret: SECRET };
  await (await ask("PUT", "/hooks/plain", config)).text();
  await (await ask("PUT", "/hooks/slack", {
    ...config,
    signature_header: "x-slack-signature",
    timestamp_header: "x-slack-request-timestamp",
    signed: "v0:{timestamp}:{body}",
  })).text();
  const post = async (path: string, headers: Record<string, string>) => {
    const answer = await send(app, path, { method: "POST", body: "hi", headers });
    assert.equal(answer.status, 202);
    return await answer.json();
  };
  const signed = { "x-signature-256": (await hmac(SECRET, "hi")).toHex() };
  const first = await post("/hooks/plain", signed);
  assert.match(first.envelope_id, /^hook:plain:[0-9a-f]{64}$/);
  assert.deepEqual(await post("/hooks/plain", signed), { ...first, duplicate: true });
  const slack = async (time: number) => ({
    "x-slack-signature": `v0=${(await hmac(SECRET, `v0:${time}:hi`)).toHex()}`,
    "x-slack-request-timestamp": String(time),
  });
  const nowS = Math.floor(clock.now() / 1000);
  const one = await post("/hooks/slack", await slack(nowS));
  const two = await post("/hooks/slack", await slack(nowS + 1));
  assert.notEqual(one.envelope_id, two.envelope_id, "the same words at another time");
  assert.equal((await post("/hooks/slack", await slack(nowS))).duplicate, true);
  await clock.advance(0);
  await close();
});
