/** Valid inputs, broken: texts, bytes and JSON with a few changes of the kind that parsers get wrong. */
import type { Json } from "../../src/core/envelope.ts";
import type { Chance } from "../sim/chance.ts";

/** What has been trouble for somebody's parser. */
export const WORDS: readonly string[] = [
  ..."\0\t\n\r\x1b \"'`\\/.,:;?#&=+-_*%@!|~^$()[]{}<>09azAZ\x7f\x80\xff\u2028\ufeff\ufffd",
  "\u{1f512}",
  "\ud800",
  "\udfff",
  "\r\n",
  "..",
  "//",
  "%2e%2e",
  "%00",
  "%",
  "%ff",
  "\\u0000",
  "\\ud800",
  "null",
  "true",
  "NaN",
  "Infinity",
  "-0",
  "1e309",
  "9007199254740993",
  "18446744073709551616",
  "-1",
  "0x10",
  "__proto__",
  "constructor",
  "toString",
  "{",
  "}",
  "[[[[[[[[",
  '{"a":',
  "data: ",
  "id: ",
  "event: ",
  "\n\n",
  "e\u0301",
  "*/",
  "//",
  "&amp;",
];
const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  255,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e21,
  1e308,
  8_640_000_000_000_001,
];
/** Longer inputs are rare, since most of what they show shorter ones show as well. */
const MAX_CHARS = 2_000;

/** One to a few changes. @param others what may be mixed in */
export function brokenText(chance: Chance, text: string, others: readonly string[] = []): string {
  let out = text;
  for (let left = 1 + chance.below(4); left > 0; left--) out = changed(chance, out, others);
  return chance.below(500) === 0 ? out : out.slice(0, MAX_CHARS);
}

function changed(chance: Chance, text: string, others: readonly string[]): string {
  const at = chance.below(text.length + 1);
  const size = chance.percent(70) ? 1 + chance.below(4) : chance.below(text.length + 1);
  const [before, part, behind] = [
    text.slice(0, at),
    text.slice(at, at + size),
    text.slice(at + size),
  ];
  switch (chance.below(9)) {
    case 0:
      return before + behind;
    case 1:
      return before + part + part + behind;
    case 2:
      return before + chance.pick(WORDS) + part + behind;
    case 3:
      return before + chance.pick(WORDS) + behind;
    case 4:
      return before + part.repeat(1 + chance.below(chance.percent(5) ? 300 : 5)) + behind;
    case 5:
      return before + [...part].reverse().join("") + behind;
    case 6:
      return before + String.fromCharCode(chance.below(chance.percent(70) ? 256 : 65_536)) + behind;
    case 7:
      return before + (chance.percent(50) ? part.toUpperCase() : part.toLowerCase()) + behind;
    default: {
      const other = others.length > 0 ? chance.pick(others) : text;
      return before + other.slice(chance.below(other.length + 1));
    }
  }
}

/** One to a few changes of bytes. */
export function brokenBytes(
  chance: Chance,
  bytes: Uint8Array,
  others: readonly Uint8Array[] = [],
): Uint8Array {
  let out = [...bytes.subarray(0, MAX_CHARS)];
  for (let left = 1 + chance.below(4); left > 0; left--) {
    const at = chance.below(out.length + 1);
    const size = chance.percent(70) ? 1 + chance.below(4) : chance.below(out.length + 1);
    switch (chance.below(6)) {
      case 0:
        out.splice(at, size);
        break;
      case 1:
        out.splice(at, 0, ...out.slice(at, at + size));
        break;
      case 2:
        out.splice(at, 1, chance.pick([0, 1, 10, 13, 127, 128, 192, 237, 255]));
        break;
      case 3:
        out.splice(at, 0, ...Array.from({ length: size % 9 }, () => chance.below(256)));
        break;
      case 4:
        if (at < out.length) out[at]! ^= 1 << chance.below(8);
        break;
      default:
        out = [...out.slice(0, at), ...(others.length > 0 ? chance.pick(others) : bytes)];
    }
    out = out.slice(0, MAX_CHARS);
  }
  return Uint8Array.from(out);
}

/** A value of JSON with one to a few of its parts changed; what it is made of stays JSON. */
export function brokenJson(chance: Chance, value: Json): Json {
  let out = value;
  for (let left = 1 + chance.below(3); left > 0; left--) out = changedPart(chance, out);
  return out;
}

function changedPart(chance: Chance, value: Json): Json {
  const isList = Array.isArray(value);
  if (typeof value !== "object" || value === null || chance.percent(15)) {
    return otherThan(chance, value);
  }
  const names = Object.keys(value);
  if (names.length === 0 || chance.percent(15)) {
    return isList ? [...value, anyJson(chance)] : withField(value, chance);
  }
  const name = chance.pick(names);
  if (chance.percent(20)) {
    return isList
      ? value.filter((_, i) => String(i) !== name)
      : fieldsOf(Object.entries(value).filter(([at]) => at !== name));
  }
  if (isList) return value.map((one, i) => String(i) === name ? changedPart(chance, one) : one);
  return fieldsOf(
    Object.entries(value).map(([at, one]) => [at, at === name ? changedPart(chance, one) : one]),
  );
}

/** A name may be `__proto__`, and is then a name. */
function fieldsOf(entries: readonly (readonly [string, Json])[]): { [name: string]: Json } {
  return Object.fromEntries(entries);
}

function withField(value: { [name: string]: Json }, chance: Chance): { [name: string]: Json } {
  return fieldsOf([...Object.entries(value), [chance.pick(WORDS), anyJson(chance)]]);
}

function otherThan(chance: Chance, value: Json): Json {
  if (chance.percent(30)) return anyJson(chance);
  if (typeof value === "string") return brokenText(chance, value);
  if (typeof value === "number") return chance.pick([value + 1, -value, value / 2, value * 1e9]);
  return chance.percent(50) ? [value] : { value };
}

/** Small values of every kind, and now and then one that is deep. */
export function anyJson(chance: Chance, depth = 0): Json {
  switch (chance.below(depth > 3 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return chance.percent(50);
    case 2:
      return chance.pick(NUMBERS);
    case 3:
      return chance.pick(WORDS);
    case 4:
      return anyText(chance, 12);
    case 5:
      return Array.from({ length: chance.below(4) }, () => anyJson(chance, depth + 1));
    case 6:
      return chance.below(50) === 0 ? deep(chance.below(3_000)) : [];
    default:
      return fieldsOf(
        Array.from({ length: chance.below(4) }, () => [
          chance.pick(WORDS),
          anyJson(chance, depth + 1),
        ]),
      );
  }
}

function deep(depth: number): Json {
  let value: Json = 0;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** Words and characters in a row. */
export function anyText(chance: Chance, max: number): string {
  let out = "";
  for (let left = chance.below(max + 1); left > 0; left--) {
    out += chance.percent(50)
      ? chance.pick(WORDS)
      : String.fromCharCode(chance.below(chance.percent(80) ? 128 : 65_536));
  }
  return out;
}

export function anyBytes(chance: Chance, max: number): Uint8Array {
  return Uint8Array.from({ length: chance.below(max + 1) }, () => chance.below(256));
}

/** Sizes at which something is cut into parts, so that every border is met. */
export function sizesOf(chance: Chance): number[] {
  const max = chance.pick([1, 3, 20, 500]);
  return Array.from({ length: 1 + chance.below(4) }, () => 1 + chance.below(max));
}

/** Bytes in parts of these sizes, over and over. */
export function* partsOf(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? bytes.length);
    yield bytes.slice(at, at + size);
    at += size;
  }
}
