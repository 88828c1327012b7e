/** What is plain JSON, and where inside a value it is not; names the place and what to keep instead. */
import { FileError } from "../fs/error.ts";
import type { Json } from "../core/envelope.ts";

/** Objects and arrays inside each other; deeper is a mistake, and would exhaust the stack of who reads it. */
export const MAX_JSON_DEPTH = 256;

/** What a handler sends, keeps or writes in one call as JSON; the engine's own limits are below this. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;

export type Trail = readonly (string | number)[];

/** Thrown by nobody outside: why a value is not plain JSON of at most so many bytes. */
export interface PlainFault {
  readonly kind: "not_plain" | "too_large";
  /** `state.items[3].when is a Date; keep its toISOString() or getTime()` */
  readonly detail: string;
}

/**
 * Why `value` cannot be kept as JSON of at most `maxBytes`, or undefined. Refuses what JSON would drop or change without a word;
 * fields that are `undefined` are just absent. The size is a lower bound: a value that shares large parts is refused before it is
 * written out, and what passes must still be measured.
 */
export function plainFault(
  root: string,
  value: unknown,
  maxBytes: number,
): PlainFault | undefined {
  try {
    visit(root, value, maxBytes);
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}

/**
 * A copy of what a handler gives away, so that what it changes afterwards changes nothing.
 * @throws FileError `invalid_request`, `too_large`
 */
export function jsonCopy(value: unknown, op: string): Json {
  const plain = mustBePlain(value, op);
  return typeof plain === "object" ? JSON.parse(JSON.stringify(plain)) : plain;
}

/** A copy of what is known to be plain JSON: so many times cheaper than the platform's, which must be ready for anything. */
export function plainCopy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plainCopy) as T;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const field = plainCopy((value as Record<string, unknown>)[name]);
    // Assigned, this one name would be the copy's prototype.
    if (name !== "__proto__") copy[name] = field;
    else Object.defineProperty(copy, name, { ...FIELD, value: field });
  }
  return copy as T;
}

const FIELD = { configurable: true, enumerable: true, writable: true };

/** @throws FileError `invalid_request`, `too_large` */
export function mustBePlain(value: unknown, op: string): Json {
  if (typeof value === "string" && value.length <= MAX_VALUE_BYTES) return value;
  const wrong = plainFault("value", value, MAX_VALUE_BYTES);
  if (!wrong) return value as Json;
  const code = wrong.kind === "too_large" ? "too_large" : "invalid_request";
  throw new FileError(code, op, "ctx", { detail: wrong.detail });
}

function isFault(error: unknown): error is PlainFault {
  const kind = (error as { kind?: unknown } | undefined)?.kind;
  return kind === "not_plain" || kind === "too_large";
}

function visit(root: string, value: unknown, maxBytes: number): void {
  const trail: (string | number)[] = [];
  const above: object[] = [];
  let atLeast = 0;

  function refuse(what: string): PlainFault {
    return { kind: "not_plain", detail: `${placeIn(root, trail)} ${what}` };
  }

  function count(size: number): void {
    atLeast += size;
    if (atLeast > maxBytes) {
      throw { kind: "too_large", detail: `more than ${maxBytes} bytes` } satisfies PlainFault;
    }
  }

  function visitValue(value: unknown): void {
    if (typeof value === "string") return count(value.length + 2);
    count(1);
    if (value === null || typeof value === "boolean") return;
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw refuse(`is ${value}, which JSON does not have`);
    } else if (typeof value === "object") visitObject(value);
    else throw refuse(`is ${nameKind(value)}; ${remedy(value)}`);
  }

  function visitObject(value: object): void {
    if (above.length >= MAX_JSON_DEPTH) {
      if (above.includes(value)) throw refuse("refers back to an object that it is in");
      throw refuse(`is more than ${MAX_JSON_DEPTH} levels deep`);
    }
    above.push(value);
    if (Array.isArray(value)) visitArray(value);
    else visitFields(value as Record<string, unknown>);
    above.pop();
  }

  function visitArray(items: unknown[]): void {
    for (let i = 0; i < items.length; i++) {
      trail.push(i);
      if (items[i] === undefined) {
        throw refuse(i in items ? "is undefined; use null" : "is a hole; use null");
      }
      visitValue(items[i]);
      trail.pop();
    }
  }

  function visitFields(fields: Record<string, unknown>): void {
    if (!isPlain(fields)) throw refuse(`is ${nameKind(fields)}; ${remedy(fields)}`);
    const [symbol] = Object.getOwnPropertySymbols(fields);
    if (symbol) throw refuse(`has a field named by ${String(symbol)}; names are strings`);
    for (const name of Object.keys(fields)) {
      const value = fields[name];
      if (value === undefined) continue;
      count(name.length + 3);
      trail.push(name);
      visitValue(value);
      trail.pop();
    }
  }

  visitValue(value);
}

/** `state.items[3].when`, `state["a b"]` */
export function placeIn(root: string, trail: Trail): string {
  let text = root;
  for (const step of trail) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(step)) text += `.${step}`;
    else text += `[${JSON.stringify(step.slice(0, 100))}]`;
    if (text.length > 500) return text.slice(0, 500) + "…";
  }
  return text;
}

/** Made by `{}`, `JSON.parse` or `Object.create(null)`, in whatever realm. */
function isPlain(value: object): boolean {
  const parent = Object.getPrototypeOf(value);
  return parent === null ||
    (Object.getPrototypeOf(parent) === null && Object.hasOwn(parent, "hasOwnProperty"));
}

/** `a Date`, `an array`, `undefined` */
export function nameKind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "undefined") return "undefined";
  if (typeof value !== "object") return `a ${typeof value}`;
  if (isPlain(value)) return "an object";
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  if (typeof name !== "string" || name === "") return "an object with a prototype of its own";
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name.slice(0, 60)}`;
}

function remedy(value: unknown): string {
  if (value instanceof Date) return "keep its toISOString() or getTime()";
  if (value instanceof Map) return "keep Object.fromEntries(map)";
  if (value instanceof Set) return "keep [...set]";
  if (ArrayBuffer.isView(value)) return "keep it in a file, or as base64";
  if (typeof value === "bigint") return "keep its toString()";
  return "JSON holds null, booleans, numbers, strings, arrays and plain objects";
}
