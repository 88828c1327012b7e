/** Takes known secrets out of text, JSON and bytes, in whatever spelling programs write them down. */
import { decodeText } from "./code.ts";
import { byteText, folded, type Form, formsOf, fromLatin1, latin1, levels } from "./spelling.ts";

export interface Known {
  readonly name: string;
  readonly value: string;
}

/** A known value becomes `[secret NAME]`. What holds none is given back as it is. */
export interface Redactor {
  text(text: string): string;
  /** Texts in it and names of fields. */
  json<T>(value: T): T;
  /** UTF-8, or any bytes. */
  bytes(bytes: Uint8Array): Uint8Array;
  /** Bytes in parts; a value that the border of two parts cuts is found too. */
  stream(options?: RedactedStreamOptions): RedactedStream;
  /** So many bytes behind a place must be known before it is safe to show; 0 while there are no secrets. */
  readonly reach: number;
}

export interface RedactedStreamOptions {
  /** Shows all at once but what may be the beginning of a value: for what people wait for. */
  readonly eager?: boolean;
  /** A value becomes as many `*` as it has bytes, so that all else stays where it is. */
  readonly masked?: boolean;
  /** What an earlier stream held back. */
  readonly held?: Uint8Array;
}

export interface RedactedStream {
  /** What is not shown yet. */
  readonly held: Uint8Array;
  /** What is safe to show by now. */
  push(bytes: Uint8Array): Uint8Array;
  /** The rest. `cut`: more would have followed, so that what may be the beginning of a value is left out. */
  end(cut?: boolean): Uint8Array;
}

/** A line of a value of many lines is known by itself when it has so many characters. */
const MIN_LINE = 16;
/** Bytes that an escaped character may take: `&#x0022;`, or an escape escaped again. */
const MAX_ESCAPED = 12;
const BASE64_CHAR = /[a-z0-9+/]/;
// deno-lint-ignore no-control-regex -- all of ASCII, and nothing else
const ASCII = /^[\x00-\x7f]*$/;

interface Named {
  readonly name: string;
  readonly forms: readonly Form[];
}

/** Where a value stands. */
interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** @param known asked for at each use; another array than before says that it has changed */
export function redactor(known: () => readonly Known[]): Redactor {
  let seen: readonly Known[] = [];
  let named: readonly Named[] = [];
  let reach = 0;
  function fresh(): readonly Named[] {
    const now = known();
    if (now !== seen) {
      seen = now;
      named = now.map(({ name, value }) => ({ name, forms: partsOf(value).flatMap(formsOf) }));
      reach = Math.max(0, ...named.flatMap(({ forms }) => forms.map(reachOf)));
    }
    return named;
  }
  return {
    text: (text) => redactedText(fresh(), text),
    json(value) {
      if (fresh().length === 0) return value;
      // Escapes are looked through, so that one look at the whole finds what is in any of its texts.
      const whole = JSON.stringify(value);
      if (whole === undefined || redactedText(named, whole) === whole) return value;
      return walked(named, value) as typeof value;
    },
    bytes(bytes) {
      if (fresh().length === 0) return bytes;
      const text = latin1(bytes);
      const spans = spansIn(named, text);
      return spans.length === 0 ? bytes : fromLatin1(marked(text, spans));
    },
    stream: (options) => streamOf(fresh(), reach, options),
    get reach() {
      fresh();
      return reach;
    },
  };
}

/** Where there are no secrets. */
export const NO_REDACTION: Redactor = redactor(() => []);

/** A value, and each long line of it: keys are shown line by line. */
function partsOf(value: string): string[] {
  const lines = value.split(/\r?\n/);
  if (lines.length === 1) return [value];
  return [
    value,
    ...lines.filter((line) => line.length >= MIN_LINE && !line.startsWith("-----")),
  ];
}

function reachOf({ text }: Form): number {
  return text.length * MAX_ESCAPED + 2;
}

function redactedText(named: readonly Named[], text: string): string {
  if (named.length === 0) return text;
  const isAscii = ASCII.test(text);
  const bytes = isAscii ? text : byteText(text);
  const spans = spansIn(named, bytes);
  if (spans.length === 0) return text;
  const out = marked(bytes, spans);
  return isAscii ? out : decodeText(fromLatin1(out));
}

/** Where values stand, in order; those that touch or overlap are one. */
function spansIn(named: readonly Named[], text: string): Span[] {
  const found: Span[] = [];
  for (const level of levels(text)) {
    const where = folded(level.text);
    const at = (i: number) => level.from ? level.from[i]! : i;
    for (const { name, forms } of named) {
      for (const form of forms) {
        for (const [start, end] of places(where, form)) {
          found.push({ name, start: at(start), end: at(end) });
        }
      }
    }
  }
  return found.length === 0 ? found : joined(found);
}

function* places(text: string, form: Form): Generator<[number, number]> {
  for (let at = text.indexOf(form.text); at >= 0; at = text.indexOf(form.text, at + 1)) {
    const end = at + form.text.length;
    const before = form.before && at > 0 && BASE64_CHAR.test(text[at - 1]!) ? 1 : 0;
    const behind = form.behind && end < text.length && BASE64_CHAR.test(text[end]!) ? 1 : 0;
    yield [at - before, end + behind];
  }
}

function joined(spans: Span[]): Span[] {
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const out: Span[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (!last || span.start >= last.end) out.push(span);
    else if (span.end > last.end) out[out.length - 1] = { ...last, end: span.end };
  }
  return out;
}

function marked(text: string, spans: readonly Span[], masked = false): string {
  let out = "";
  let at = 0;
  for (const { name, start, end } of spans) {
    out += text.slice(at, start) + (masked ? "*".repeat(end - start) : `[secret ${name}]`);
    at = end;
  }
  return out + text.slice(at);
}

function walked(named: readonly Named[], value: unknown): unknown {
  if (typeof value === "string") return redactedText(named, value);
  if (Array.isArray(value)) return value.map((item) => walked(named, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [redactedText(named, name), walked(named, item)]),
  );
}

/** Shows nothing in which a value may have begun whose end is still to come. */
function streamOf(
  named: readonly Named[],
  reach: number,
  { eager = false, masked = false, held: before }: RedactedStreamOptions = {},
): RedactedStream {
  let held = before ? latin1(before) : "";
  function take(safe: number): Uint8Array {
    const spans = spansIn(named, held).filter(({ start }) => start < safe);
    const end = Math.max(safe, spans.at(-1)?.end ?? 0);
    const out = marked(held.slice(0, end), spans, masked);
    held = held.slice(end);
    return fromLatin1(out);
  }
  if (named.length === 0) {
    return {
      get held() {
        return fromLatin1(held);
      },
      push(bytes) {
        if (held === "") return bytes;
        held += latin1(bytes);
        return take(held.length);
      },
      end: () => take(held.length),
    };
  }
  const soFar = () => Math.max(0, held.length - reach + 1);
  return {
    get held() {
      return fromLatin1(held);
    },
    push(bytes) {
      held += latin1(bytes);
      if (eager) return take(Math.max(soFar(), firstBegun(named, held)));
      // Not at every few bytes, since what is held is looked through anew.
      return soFar() < reach ? new Uint8Array(0) : take(soFar());
    },
    end: (cut = false) => take(cut ? soFar() : held.length),
  };
}

/** An escape that is not whole yet, or whose second half decides what it means. */
const PARTIAL =
  /(?:\\(?:u[0-9a-f]{0,3})?|\\ud[89ab][0-9a-f]{2}(?:\\(?:u[0-9a-f]{0,3})?)?|%[0-9a-f]?|&(?:#?[0-9a-z]{0,7})?)$/i;

/** Where the end of a text may be the beginning of a value, in any spelling; the text's length where it is none. */
function firstBegun(named: readonly Named[], text: string): number {
  let first = text.length;
  // What is not whole yet would be read as something else by the levels below.
  let whole = text.length;
  for (let depth = 0;; depth++) {
    const level = [...levels(text.slice(0, whole))][depth];
    if (!level) return first;
    const at = (i: number) => level.from ? level.from[i]! : i;
    const partial = PARTIAL.exec(level.text)?.index ?? level.text.length;
    if (partial < level.text.length) whole = at(partial);
    const where = folded(level.text.slice(0, partial));
    const begun = named.flatMap(({ forms }) => forms.map((form) => begunAt(where, form)));
    first = Math.min(first, whole, ...begun.map((i) => i === undefined ? first : at(i)));
  }
}

/** Where the longest end of a text stands with which a form begins, and which is not all that may be taken out. */
function begunAt(text: string, { text: form, behind }: Form): number | undefined {
  const first = form[0]!;
  const from = Math.max(0, text.length - form.length + (behind ? 0 : 1));
  for (let at = text.indexOf(first, from); at >= 0; at = text.indexOf(first, at + 1)) {
    if (form.startsWith(text.slice(at))) return at;
  }
  return undefined;
}
