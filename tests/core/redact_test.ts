/** Known values are found in every spelling, wherever they stand, and nothing else is touched. */
import fc from "fast-check";
import { byteText, formsOf, fromLatin1, latin1, levels } from "../../src/core/spelling.ts";
import { type Known, NO_REDACTION, redactor } from "../../src/core/redact.ts";
import { deepEqual, equal, ok } from "../assert.ts";

const VALUE = 'sk-"Ab+/\\9 €&%41\nzz';
const one = redactor(() => [{ name: "KEY", value: VALUE }]);
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const base64 = (text: string) => encode(text).toBase64();
const html = (text: string) => text.replace(/[^\w]/gu, (c) => `&#${c.codePointAt(0)};`);

const SPELLINGS: Readonly<Record<string, (value: string) => string>> = {
  "as it is": (v) => v,
  "as JSON": (v) => JSON.stringify(v),
  "as JSON in JSON": (v) => JSON.stringify(JSON.stringify(v)),
  "as JSON in JSON in JSON": (v) => JSON.stringify(JSON.stringify(JSON.stringify(v))),
  "as JSON of ASCII": (v) =>
    JSON.stringify(v).replace(
      /[^\x20-\x7e]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  "in an address": encodeURIComponent,
  "in an address in an address": (v) => encodeURIComponent(encodeURIComponent(v)),
  "in a form": (v) => new URLSearchParams({ v }).toString(),
  "in HTML": html,
  "in HTML by names": (v) => v.replaceAll("&", "&amp;").replaceAll('"', "&quot;"),
  "in hexadecimal": (v) => encode(v).toHex(),
  "in HEXADECIMAL": (v) => encode(v).toHex().toUpperCase(),
  "in base64": base64,
  "in base64 behind one byte": (v) => base64(`u${v}`),
  "in base64 behind a user": (v) => base64(`user:${v}`),
  "in base64 between others": (v) => base64(`us${v}:and more`),
  "in base64url": (v) => encode(`ab${v}`).toBase64({ alphabet: "base64url", omitPadding: true }),
  "in base64 in an address": (v) => encodeURIComponent(base64(v)),
  "in capitals": (v) => v.toUpperCase(),
};

Deno.test("redact: a value is found in every spelling, in text and in bytes", () => {
  for (const [how, spell] of Object.entries(SPELLINGS)) {
    const text = `before ${spell(VALUE)} behind`;
    const out = one.text(text);
    ok(out.includes("[secret KEY]"), `${how}: ${out}`);
    ok(out.length < text.length + 12, `${how}: ${out}`);
    equal(one.text(out), out, `${how}: again`);
    equal(decode(one.bytes(encode(text))), out, `${how}, in bytes`);
    ok(out.startsWith("before ") && out.endsWith(" behind"), out);
  }
});

Deno.test("redact: what stands around a value does not hide it", () => {
  const plain = redactor(() => [{ name: "KEY", value: "41secret-value" }]);
  for (const before of ["%", "%25", "\\", "\\u00", "&#", "&amp;#", "x", "%4", "="]) {
    for (const behind of ["", "%", "\\", ";", "="]) {
      const out = plain.text(`${before}41secret-value${behind}`);
      ok(out.includes("[secret KEY]") && !out.includes("41secret"), out);
    }
  }
});

Deno.test("redact: a value of ASCII is found in UTF-16, of either order", () => {
  const plain = redactor(() => [{ name: "KEY", value: "plain-value" }]);
  const little = Uint8Array.from([..."x plain-value y"].flatMap((c) => [c.charCodeAt(0), 0]));
  const big = Uint8Array.from([..."x plain-value y"].flatMap((c) => [0, c.charCodeAt(0)]));
  for (const bytes of [little, big]) {
    const out = latin1(plain.bytes(bytes));
    ok(out.includes("[secret KEY]") && !out.replaceAll("\0", "").includes("plain"), out);
  }
});

Deno.test("redact: values, overlapping or one in another, leave nothing of each other", () => {
  const two = redactor(() => [
    { name: "A", value: "abcdef123" },
    { name: "B", value: "123xyz789" },
    { name: "C", value: "abcdef" },
  ]);
  equal(two.text("<abcdef123xyz789>"), "<[secret A]>");
  equal(two.text("<abcdef>"), "<[secret C]>");
});

Deno.test("redact: lines of a value of many lines are known too, but not what every such value begins with", () => {
  const line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
  const value = `-----BEGIN KEY-----\n${line}\nshort\n-----END KEY-----`;
  const keys = redactor(() => [{ name: "PEM", value }]);
  equal(keys.text(`1: ${line}`), "1: [secret PEM]");
  equal(keys.text("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
  equal(keys.text("short"), "short");
});

Deno.test("redact: JSON keeps its form; texts and names in it lose the value; what holds none is the same object", () => {
  const event = { type: "log", n: 1, deep: [{ [VALUE]: `x${VALUE}`, no: null, yes: true }] };
  deepEqual(one.json(event), {
    type: "log",
    n: 1,
    deep: [{ "[secret KEY]": "x[secret KEY]", no: null, yes: true }],
  });
  const plain = { type: "log", text: "hello" };
  equal(one.json(plain), plain);
  equal(one.json(undefined), undefined);
  const bytes = encode("hello");
  equal(one.bytes(bytes), bytes);
});

Deno.test("redact: what is known may change at any time", () => {
  let known: readonly Known[] = [];
  const changing = redactor(() => known);
  equal(changing.text("first-value"), "first-value");
  equal(changing.reach, 0);
  known = [{ name: "N", value: "first-value" }];
  equal(changing.text("first-value"), "[secret N]");
  ok(changing.reach > "first-value".length);
  equal(NO_REDACTION.text("first-value"), "first-value");
});

Deno.test("redact: of bytes in parts nothing is shown that a later part would have hidden", () => {
  const value = "0123456789-value";
  const known = redactor(() => [{ name: "S", value }]);
  const text = `${"a".repeat(3000)}${value}${"b".repeat(3000)}${value}`;
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }), (sizes) => {
    const stream = known.stream();
    let out = "";
    for (let at = 0, i = 0; at < text.length; i++) {
      const size = sizes[i % sizes.length]!;
      out += decode(stream.push(encode(text.slice(at, at + size))));
      at += size;
    }
    equal(out + decode(stream.end()), known.text(text));
  }));
});

Deno.test("redact: bytes that are cut off show no beginning of a value", () => {
  const value = "0123456789-value";
  const known = redactor(() => [{ name: "S", value }]);
  for (let cut = 0; cut < value.length; cut++) {
    const stream = known.stream();
    const out = decode(stream.push(encode("a".repeat(2000) + value.slice(0, cut)))) +
      decode(stream.end(true));
    ok(/^a*$/.test(out), out.slice(-20));
  }
});

Deno.test("redact: any text goes through unchanged in which no value stands", () => {
  const rare = redactor(() => [{ name: "S", value: "\u{1F512}never-said-\u{1F512}" }]);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    equal(rare.text(text), text);
    deepEqual(rare.bytes(encode(text)), encode(text));
  }));
});

Deno.test("spelling: escapes come off level by level, and each character knows where it stood", () => {
  const text = "%2522a\\u0041&lt;";
  const found = [...levels(text)];
  equal(found[0]!.text, text);
  equal(found.at(-1)!.text, '"aA<');
  deepEqual([...found.at(-1)!.from!], [0, 5, 6, 12, 16]);
  equal(fromLatin1(latin1(encode("€x"))).length, 4);
  equal(byteText("\u00e9"), "\u00c3\u00a9");
  equal(formsOf("plain-value").length, 6);
});
