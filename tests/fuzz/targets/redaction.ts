/** Secrets, in every spelling that is promised to be found, in noise. */
import { redactor } from "../../../src/core/redact.ts";
import { formsOf, latin1, levels } from "../../../src/core/spelling.ts";
import { equal, ok } from "../../assert.ts";
import { anyBytes, anyText, brokenText, partsOf, sizesOf, WORDS } from "../mutate.ts";
import type { Chance } from "../../sim/chance.ts";
import type { Target } from "../target.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const base64 = (text: string) => encoder.encode(text).toBase64();

/** How programs write a text down, as docs/security.md lists it. */
const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  json: (text) => JSON.stringify(text).slice(1, -1),
  "json in json": (text) => JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1),
  address: encodeURIComponent,
  "address in address": (text) => encodeURIComponent(encodeURIComponent(text)),
  html: (text) => text.replace(/[^\w]/gu, (c) => `&#${c.codePointAt(0)};`),
  hex: (text) => encoder.encode(text).toHex(),
  // Of other letters than these, case is not looked through.
  capitals: (text) => text.replace(/[a-z]/g, (c) => c.toUpperCase()),
  base64,
  "base64 behind one": (text) => base64(`u${text}`),
  "base64 behind two": (text) => base64(`u:${text}!`),
};
const NAMES = Object.keys(SPELLINGS);
/** What is shorter cannot be set as a secret. */
const MIN_SECRET = 6;
const NOISE = ["GET /?key=", '{"a":"', "Bearer ", "\\", "%", "&#", "&amp;", "=", "\\u00", "%2"];

function secretOf(chance: Chance): string {
  const length = MIN_SECRET + chance.below(20);
  const letters = "abcXYZ0189-_/+=.:$\\\"'&%<> \n\té€\u{1f512}";
  const text = Array.from({ length }, () => chance.pick([...letters])).join("");
  // White space at an end cannot be, and a last backslash takes along whatever stands behind it.
  return /^\s|[\s\\]$/.test(text) ? `k${text.trim()}k12345` : text;
}

/** An escape that has begun and not ended; what stands behind it would become a part of it. */
const UNFINISHED = /(?:%[0-9a-f]?|\\(?:u[0-9a-f]{0,3})?|&#?x?[0-9a-z]{0,7})$/i;

/** What no escape reaches across: whoever puts half an escape beside a secret hides a letter of it, and could as well hide all. */
function apart(before: string, behind: string): string {
  const isOpen = [...levels(before)].some(({ text }) => UNFINISHED.test(text));
  return isOpen && behind !== "" ? `${before} ${behind}` : before + behind;
}

function noise(chance: Chance): string {
  switch (chance.below(4)) {
    case 0:
      return "";
    case 1:
      return chance.pick(NOISE);
    case 2:
      return chance.pick(WORDS);
    default:
      return brokenText(chance, chance.pick(NOISE)).slice(-40);
  }
}

export const target: Target<{
  secret: string;
  how: number;
  before: string;
  behind: string;
  bytes: Uint8Array;
  sizes: number[];
}> = {
  about: "a secret is shown in none of its spellings, in text, JSON, bytes and parts of them",
  make: (chance) => ({
    secret: secretOf(chance),
    how: chance.below(NAMES.length),
    before: noise(chance) + (chance.percent(5) ? anyText(chance, 200) : ""),
    behind: noise(chance),
    bytes: anyBytes(chance, 60),
    sizes: sizesOf(chance),
  }),
  begin: () => ({
    try({ secret, how, before, behind, bytes, sizes }) {
      if (secret.length < MIN_SECRET) return;
      const known = [{ name: "S", value: secret }];
      const { text, json, bytes: ofBytes, stream } = redactor(() => known);
      const how_ = NAMES[how] ?? "plain";
      const spelt = SPELLINGS[how_]!(secret);
      const whole = apart(apart(before, spelt), behind);
      const out = text(whole);
      ok(out.includes("[secret S]"), `${how_}: ${out}`);
      ok(!folded(out).includes(folded(spelt)), `${how_}: ${out}`);
      for (const { text: form } of formsOf(secret)) {
        ok(!folded(latin1(encoder.encode(out))).includes(form), `${how_}: ${out}`);
      }
      equal(text(out), out, "what is redacted once is done");
      const value = json({ [before]: [whole, { deep: whole }] });
      ok(!folded(JSON.stringify(value)).includes(folded(spelt)) || spelt === "", how_);
      const all = encoder.encode(whole);
      const redacted = ofBytes(all);
      if (whole.isWellFormed()) equal(decoder.decode(redacted), out);
      mustEqual(partly(stream, partsOf(all, sizes)), redacted);
      // Bytes that mean nothing go through as they are, however they are cut.
      mustEqual(partly(stream, partsOf(bytes, sizes)), ofBytes(bytes));
    },
  }),
};

const folded = (text: string) => text.toLowerCase().replace(/[ _-]/g, (c) => c === "_" ? "/" : "+");

function partly(
  stream: ReturnType<typeof redactor>["stream"],
  parts: Iterable<Uint8Array>,
): Uint8Array {
  const { push, end } = stream();
  const out = [...parts].flatMap((part) => [...push(part)]);
  return Uint8Array.from([...out, ...end()]);
}

function mustEqual(a: Uint8Array, b: Uint8Array): void {
  equal(a.toHex(), b.toHex());
}
