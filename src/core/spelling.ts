/** How programs write text down: escapes taken off level by level, and the forms in which a text may stand inside another. Texts here are bytes, one character each. */

/** A text with some escapes taken off, and where each of its characters begins in the original; one more for the end. */
export interface Level {
  readonly text: string;
  /** Undefined: where they stand. */
  readonly from: Int32Array | undefined;
}

/** A text to be looked for in a level. */
export interface Form {
  readonly text: string;
  /** Its neighbours tell a part of it, as in base64. */
  readonly before: boolean;
  readonly behind: boolean;
}

/** How often a text may have been escaped again by others. */
const MAX_LEVELS = 4;
const ESCAPES = /[\\%&]/;
const FOLDED = /[ _-]/g;
const LETTERS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};
const ESCAPE =
  /\\u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\[^]|%[0-9a-fA-F]{2}|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);/g;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** Characters that the engine takes as arguments of one call. */
const SLICE = 8192;
const encoder = new TextEncoder();

/** The text itself, and it with one level of escapes after the other taken off: JSON's, those of addresses and of HTML. */
export function* levels(text: string): Generator<Level> {
  let level: Level = { text, from: undefined };
  for (let depth = 0; depth <= MAX_LEVELS; depth++) {
    yield level;
    if (!ESCAPES.test(level.text)) return;
    const next = unescaped(level);
    if (next.text === level.text) return;
    level = next;
  }
}

function unescaped({ text, from }: Level): Level {
  const out: string[] = [];
  // What is meant is never longer than what is written.
  const starts = new Int32Array(text.length + 1);
  let length = 0;
  const at = (i: number) => from ? from[i]! : i;
  const plain = (begin: number, end: number) => {
    out.push(text.slice(begin, end));
    for (let i = begin; i < end; i++) starts[length++] = at(i);
  };
  let last = 0;
  for (const { 0: escape, index } of text.matchAll(ESCAPE)) {
    plain(last, index);
    const meant = meaning(escape);
    out.push(meant);
    for (let i = 0; i < meant.length; i++) starts[length++] = at(index);
    last = index + escape.length;
  }
  plain(last, text.length);
  starts[length++] = at(text.length);
  return { text: out.join(""), from: starts.subarray(0, length) };
}

function meaning(escape: string): string {
  if (escape[0] === "%") return String.fromCharCode(parseInt(escape.slice(1), 16));
  if (escape[0] === "&") return entity(escape.slice(1, -1));
  if (escape[1] !== "u" || escape.length < 6) return LETTERS[escape[1]!] ?? escape[1]!;
  const units = escape.split("\\u").slice(1).map((hex) => parseInt(hex, 16));
  return byteText(String.fromCharCode(...units));
}

function entity(name: string): string {
  if (name[0] !== "#") return ENTITIES[name]!;
  const isHex = name[1] === "x" || name[1] === "X";
  const point = parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10);
  return point > 0x10ffff ? "?" : byteText(String.fromCodePoint(point));
}

/** Letters without their case, and characters that stand for each other in base64 and in addresses as one; as long as before. */
export function folded(text: string): string {
  return text.toLowerCase().replace(FOLDED, (c) => c === "_" ? "/" : "+");
}

/** The forms of a text, folded: itself, in UTF-16, in hexadecimal digits, and in base64 wherever it stands in what was encoded. */
export function formsOf(text: string): Form[] {
  const bytes = encoder.encode(text);
  const whole = (form: string) => ({ text: folded(form), before: false, behind: false });
  const plain = latin1(bytes);
  const meant = [...levels(plain)].at(-1)!.text;
  return [
    whole(plain),
    ...(meant === plain || meant.length < plain.length / 2 ? [] : [whole(meant)]),
    whole(units(text)),
    whole([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")),
    ...[0, 1, 2].map((shift) => base64(bytes, shift)),
  ];
}

/** In UTF-16, whichever byte of two comes first: the border bytes are not looked at. */
function units(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    out += String.fromCharCode(unit & 0xff, unit >> 8);
  }
  return out.slice(0, -1);
}

/** In base64 of `shift` other bytes (of three), this text, and who knows what: the digits that it alone decides. */
function base64(bytes: Uint8Array, shift: number): Form {
  const bits = 8 * (shift + bytes.length);
  const byteAt = (i: number) => i < shift ? 0 : bytes[i - shift] ?? 0;
  let digits = "";
  for (let i = Math.ceil(8 * shift / 6); i < Math.floor(bits / 6); i++) {
    const at = 6 * i >> 3;
    const two = byteAt(at) << 8 | byteAt(at + 1);
    digits += BASE64[two >> (10 - (6 * i & 7)) & 63]!;
  }
  return { text: folded(digits), before: shift !== 0, behind: bits % 6 !== 0 };
}

/** The UTF-8 bytes of a text, a character each. */
export function byteText(text: string): string {
  return latin1(encoder.encode(text));
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += SLICE) {
    text += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  }
  return text;
}

export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
