import assert from "../assert.ts";
import { digest } from "../../src/core/code.ts";
import { codeOf } from "../../src/fs/error.ts";
import { envelopeOf, idOfKey } from "../../src/http/send.ts";

const FORM = "application/x-www-form-urlencoded";

/** The envelope that a body of this type becomes. */
async function envelope(
  body: BodyInit | undefined,
  type?: string,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const request = new Request("http://localhost/agents/abc/send", {
    method: "POST",
    ...(body === undefined ? {} : { body: typeof body === "string" ? bytes(body) : body }),
    headers: { ...(type === undefined ? {} : { "content-type": type }), ...headers },
  });
  return await envelopeOf(request, "/agents/abc/send");
}
/** Text without the content type that `Request` gives it. */
const bytes = (text: string) => new TextEncoder().encode(text);

async function refusal(...args: Parameters<typeof envelope>): Promise<unknown> {
  try {
    return await envelope(...args);
  } catch (error) {
    return codeOf(error);
  }
}

Deno.test("no body is an empty text, whatever its type says", async () => {
  for (const type of [undefined, "application/json", FORM, "image/png"]) {
    assert.deepEqual(await envelope(undefined, type), { payload: "" });
    assert.deepEqual(await envelope("", type), { payload: "" });
  }
});

Deno.test("JSON with a payload is an envelope, other JSON a payload", async () => {
  const json = "application/json";
  const whole = { id: "a", payload: { kind: "text", text: "x" }, metadata: { trace_id: "t" } };
  assert.deepEqual(await envelope(JSON.stringify(whole), json), whole);
  assert.deepEqual(await envelope('{"payload":null}', json), { payload: null });
  assert.deepEqual(await envelope('{"a":1}', json), { payload: { a: 1 } });
  assert.deepEqual(await envelope("[1]", json), { payload: [1] });
  assert.deepEqual(await envelope('"x"', json), { payload: "x" });
  assert.deepEqual(await envelope("5", "application/ld+json; charset=utf-8"), { payload: 5 });
  assert.equal(await refusal("{", json), "invalid_request");
  assert.equal(await refusal(new Uint8Array([0x22, 0xff, 0x22]), json), "invalid_request");
});

Deno.test("JSON that is nested too deep is refused where it says that it is JSON, and is text elsewhere", async () => {
  const deep = "[".repeat(5_000) + "]".repeat(5_000);
  assert.equal(await refusal(deep, "application/json"), "invalid_request");
  assert.equal(await refusal(`{"payload":${deep}}`, "application/json"), "invalid_request");
  assert.deepEqual(await envelope(deep, FORM), { payload: deep });
});

Deno.test("text is text, even if it looks like JSON", async () => {
  assert.deepEqual(await envelope('{"a":1}', "text/plain"), { payload: '{"a":1}' });
  assert.deepEqual(await envelope("<a/>", "application/xml"), { payload: "<a/>" });
  const latin = new Uint8Array([0xe9]);
  assert.deepEqual(await envelope(latin, "text/plain; charset=ISO-8859-1"), { payload: "é" });
  assert.equal(await refusal(latin, "text/plain"), "invalid_request");
  assert.equal(await refusal("x", "text/plain; charset=none-such"), "invalid_request");
});

Deno.test("what curl -d sends is JSON if it is an object or array, else text, never decoded", async () => {
  assert.deepEqual(await envelope('{"a":1}', FORM), { payload: { a: 1 } });
  assert.deepEqual(await envelope('{"payload":{"a":1}}', FORM), { payload: { a: 1 } });
  assert.deepEqual(await envelope(" [1, 2]", FORM), { payload: [1, 2] });
  assert.deepEqual(await envelope("5", FORM), { payload: "5" });
  assert.deepEqual(await envelope('"x"', FORM), { payload: '"x"' });
  assert.deepEqual(await envelope("{not json", FORM), { payload: "{not json" });
  assert.deepEqual(await envelope("a+b%20c=d&e", FORM), { payload: "a+b%20c=d&e" });
});

Deno.test("a body without a type is looked at; what is no text is bytes", async () => {
  assert.deepEqual(await envelope('{"a":1}'), { payload: { a: 1 } });
  assert.deepEqual(await envelope("hi"), { payload: "hi" });
  const some = new Uint8Array([0xff, 0]);
  assert.deepEqual(await envelope(some), { payload: { kind: "binary", data: "/wA=" } });
});

Deno.test("bytes are base64 with their type, of any length", async () => {
  const many = Uint8Array.from({ length: 100_001 }, (_, i) => i % 251);
  const { payload } = await envelope(many, "Image/PNG; x=y") as {
    payload: { kind: string; data: string; type: string };
  };
  assert.deepEqual([payload.kind, payload.type], ["binary", "image/png"]);
  assert.deepEqual(Uint8Array.from(atob(payload.data), (c) => c.charCodeAt(0)), many);
});

Deno.test("Idempotency-Key is the envelope's id; another than the envelope's own is refused", async () => {
  const key = (value: string) => ({ "idempotency-key": value });
  assert.deepEqual(await envelope("x", "text/plain", key("k-1")), { payload: "x", id: "k-1" });
  const own = '{"id":"a","payload":1}';
  const json = "application/json";
  assert.deepEqual(await envelope(own, json, key("a")), { payload: 1, id: "a" });
  assert.equal(await refusal(own, json, key("b")), "invalid_request");
  assert.equal(await refusal("x", "text/plain", key("")), "invalid_request");
});

Deno.test("a key outside the alphabet becomes key_ and the SHA-256 of its bytes", () => {
  assert.equal(idOfKey("Order:1.2_3-4"), "Order:1.2_3-4");
  for (const key of ["a b", '"quoted"', "a/b", "..", "list", "ctl", "x".repeat(129)]) {
    assert.equal(idOfKey(key), `key_${digest(key)}`, key);
  }
  // As a header carries it: the bytes of UTF-8, one character each.
  assert.equal(idOfKey("\u00c3\u00a9"), `key_${digest("é")}`);
  for (const key of ["alarm:1", "approval:1", "job:1", "msg:1", "nostr:1", "hook:1", "tick_1"]) {
    assert.throws(() => idOfKey(key), (error: unknown) => codeOf(error) === "invalid_request");
  }
});
