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
  stream(): RedactedStream;
  /** So many bytes behind a place must be known before it is safe to show; 0 while there are no secrets. */
  readonly reach: number;
}

export interface RedactedStream {
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
    stream: () => streamOf(fresh(), reach),
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

function marked(text: string, spans: readonly Span[]): string {
  let out = "";
  let at = 0;
  for (const { name, start, end } of spans) {
    out += `${text.slice(at, start)}[secret ${name}]`;
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
function streamOf(named: readonly Named[], reach: number): RedactedStream {
  if (named.length === 0) return { push: (bytes) => bytes, end: () => new Uint8Array(0) };
  let held = "";
  function take(safe: number): Uint8Array {
    const spans = spansIn(named, held).filter(({ start }) => start < safe);
    const end = Math.max(safe, spans.at(-1)?.end ?? 0);
    const out = marked(held.slice(0, end), spans);
    held = held.slice(end);
    return fromLatin1(out);
  }
  const soFar = () => Math.max(0, held.length - reach + 1);
  return {
    push(bytes) {
      held += latin1(bytes);
      // Not at every few bytes, since what is held is looked through anew.
      return soFar() < reach ? new Uint8Array(0) : take(soFar());
    },
    end: (cut = false) => take(cut ? soFar() : held.length),
  };
}
