/** Laws of `/send`: whatever the body, one envelope; durable before it is answered, taken once, and answered on request. */
import { holds, same } from "../expect.ts";
import {
  type Ask,
  ask,
  good,
  type HttpLaw,
  json,
  post,
  put,
  refused,
  replies,
  statusOf,
  withAgent,
} from "./subject.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSON_TYPE = { "content-type": "application/json" };
const TEXT = { "content-type": "text/plain" };
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** SHA-256 of "a b", which is no envelope id. */
const KEY = "key_c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65";

const text = (value: string) => ({ kind: "text", text: value });
const data = (value: unknown) => ({ kind: "json", data: value });

/** What is sent, and the payload that an agent gets. */
const BODIES: readonly [what: string, init: Ask, payload: unknown][] = [
  ["nothing", {}, text("")],
  ["nothing, as JSON", { headers: JSON_TYPE, body: "" }, text("")],
  ["text", { headers: TEXT, body: "a=b&c" }, text("a=b&c")],
  ["text that looks like JSON", { headers: TEXT, body: '{"a":1}' }, text('{"a":1}')],
  ["JSON", { headers: JSON_TYPE, body: '{"a":[1,null]}' }, data({ a: [1, null] })],
  ["a JSON string", { headers: JSON_TYPE, body: '"x"' }, text("x")],
  ["a JSON number", { headers: JSON_TYPE, body: "5" }, data(5)],
  [
    "an envelope",
    { headers: JSON_TYPE, body: '{"payload":{"kind":"text","text":"x"}}' },
    text("x"),
  ],
  ["an envelope's plain payload", { headers: JSON_TYPE, body: '{"payload":"x"}' }, text("x")],
  ["curl -d of an object", { headers: FORM, body: '{"a":1}' }, data({ a: 1 })],
  ["curl -d of an array", { headers: FORM, body: "[1]" }, data([1])],
  ["curl -d of text", { headers: FORM, body: "a+b%20c" }, text("a+b%20c")],
  ["curl -d of a number", { headers: FORM, body: "5" }, text("5")],
  ["bytes", {
    headers: { "content-type": "application/octet-stream" },
    body: Uint8Array.of(0, 255, 16),
  }, { kind: "binary", data: "AP8Q", type: "application/octet-stream" }],
];

export const sendLaws: readonly HttpLaw[] = [
  {
    id: "H18",
    name: "any_body_is_an_envelope",
    says: "an envelope, other JSON, text, bytes, a form of curl's and nothing at all reach the " +
      "agent as what they are",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        for (const [what, init, payload] of BODIES) {
          same(await replies(subject, at, init), [payload], what);
        }
        for (const body of ["{", '{"payload":1,"nonsense":2}', '{"id":"a b","payload":1}']) {
          const answer = await post(subject, `${at}/send`, { headers: JSON_TYPE, body });
          await refused(answer, 400, "invalid_request", body);
        }
      });
    },
  },
  {
    id: "H19",
    name: "a_send_is_answered_with_its_receipt",
    says: "202 tells envelope_id, disposition, queue_depth and duplicate",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        await (await good(await post(subject, `${at}/pause`))).text();
        for (const depth of [1, 2]) {
          const answer = await good(await post(subject, `${at}/send`, { body: "x" }), 202);
          const { envelope_id, ...rest } = await json(answer);
          holds(String(envelope_id).startsWith("env_"), `our ids are env_…, not ${envelope_id}`);
          same(rest, { disposition: "queued", queue_depth: depth, duplicate: false }, "receipt");
        }
      });
    },
  },
  {
    id: "H20",
    name: "a_repeat_takes_effect_once",
    says: "Idempotency-Key, or the envelope's id, is the envelope's id: the same again is a " +
      "duplicate, another payload under it a conflict",
    needs: [],
    async test(subject) {
      await withAgent(subject, "counter", async ({ at }) => {
        const key = `k-${subject.newId()}`;
        const send = (headers: Record<string, string>, body: string) =>
          post(subject, `${at}/send`, { headers: { ...JSON_TYPE, ...headers }, body });
        const keyed = { "idempotency-key": key };
        const first = await json(await good(await send(keyed, '"x"'), 202));
        same([first["envelope_id"], first["duplicate"]], [key, false], "the first");
        const again = await json(await good(await send(keyed, '"x"'), 202));
        same([again["envelope_id"], again["duplicate"]], [key, true], "the same again");
        const whole = JSON.stringify({ id: key, payload: "x" });
        same((await json(await good(await send({}, whole), 202)))["duplicate"], true, "by its id");
        await refused(await send(keyed, '"y"'), 409, "conflict", "another payload");
        same(await replies(subject, at, { body: "next" }), [text("2")], "messages that counted");
      });
    },
  },
  {
    id: "H21",
    name: "keys_become_ids",
    says: "a key that is no envelope id becomes key_ and its SHA-256; ids of the runtime's own " +
      "are refused",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const send = (key: string) =>
          post(subject, `${at}/send`, { headers: { "idempotency-key": key }, body: "x" });
        same((await json(await good(await send("a b"), 202)))["envelope_id"], KEY, "the id");
        for (
          const key of ["alarm:1", "approval:1", "job:1", "msg:1", "nostr:1", "hook:1", "tick_1"]
        ) {
          await refused(await send(key), 400, "invalid_request", key);
        }
        const both = await post(subject, `${at}/send`, {
          headers: { ...JSON_TYPE, "idempotency-key": "one" },
          body: '{"id":"two","payload":1}',
        });
        await refused(both, 400, "invalid_request", "two ids");
      });
    },
  },
  {
    id: "H22",
    name: "a_wait_gets_the_replies",
    says: "?wait= answers 200 with the tick and its replies; a duplicate gets the original's",
    needs: [],
    async test(subject) {
      await withAgent(subject, "counter", async ({ at }) => {
        const init = { headers: { "idempotency-key": "once" }, body: "x" };
        const all = await Promise.all([1, 2, 3].map(() => replies(subject, at, init)));
        same(all, [[text("1")], [text("1")], [text("1")]], "replies to one envelope");
        same(await replies(subject, at, init), [text("1")], "its replies later");
        same(await replies(subject, at, { body: "y" }), [text("2")], "the next");
      });
    },
  },
  {
    id: "H23",
    name: "a_wait_ends",
    says: "when the time is over the answer is 202 and the envelope stays; a wait that is no " +
      "number is refused and sends nothing",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        await (await good(await post(subject, `${at}/pause`))).text();
        for (const wait of ["0", "0.05"]) {
          const answer = await post(subject, `${at}/send?wait=${wait}`, { body: "x" });
          const { disposition } = await json(await good(answer, 202));
          same(disposition, "queued", "its disposition");
        }
        for (const wait of ["-1", "x", ""]) {
          const answer = await post(subject, `${at}/send?wait=${wait}`, { body: "x" });
          await refused(answer, 400, "invalid_request", `wait=${wait}`);
        }
        same((await statusOf(subject, at))["queue_depth"], 2, "what waits");
      });
    },
  },
  {
    id: "H24",
    name: "a_full_inbox_says_when_to_come_back",
    says: "inbox_full is 503 with Retry-After, and the sender still holds the message",
    needs: ["token"],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        await (await good(await post(subject, `${at}/pause`))).text();
        const policy = JSON.stringify({ max_depth: 1 });
        await (await good(await put(subject, `${at}/inbox/overflow`, policy), 204)).text();
        await (await good(await post(subject, `${at}/send`), 202)).text();
        const full = await post(subject, `${at}/send`);
        const after = Number(full.headers.get("retry-after"));
        await refused(full, 503, "inbox_full", "one more");
        holds(Number.isInteger(after) && after > 0, `Retry-After is ${after}`);
        same((await statusOf(subject, at))["queue_depth"], 1, "what waits");
      });
    },
  },
  {
    id: "H25",
    name: "a_body_has_a_limit",
    says: "more than 16 MiB in one request is 413 and changes nothing",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const body = new Uint8Array(MAX_BODY_BYTES + 1);
        const file = `${at}/files/a`;
        await (await good(await put(subject, file, "stands"), 204)).text();
        const limit = await refused(await put(subject, file, body), 413, "too_large", "PUT");
        same(limit["limit_bytes"], MAX_BODY_BYTES, "the limit that is told");
        const sent = await post(subject, `${at}/send`, { headers: TEXT, body });
        await refused(sent, 413, "too_large", "send");
        same(await (await ask(subject, file)).text(), "stands", "the file");
        same((await statusOf(subject, at))["queue_depth"], 0, "what waits");
      });
    },
  },
];
