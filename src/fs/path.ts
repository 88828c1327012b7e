/** The path grammar, in one place: absolute, `/`-separated UTF-8; nothing else normalises or takes apart a path. */
import { FileError } from "./error.ts";

export const MAX_PATH_BYTES = 4096;
export const MAX_SEGMENT_BYTES = 255;

// deno-lint-ignore no-control-regex -- control characters are exactly what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const encoder = new TextEncoder();

/** Is the text longer in UTF-8? Most are so short that they need not be encoded to tell. */
function longerThan(text: string, bytes: number): boolean {
  if (text.length * 3 <= bytes) return false;
  return text.length > bytes || encoder.encode(text).length > bytes;
}

/** Why `name` cannot be a segment, or undefined if it can. */
export function segmentFault(name: string): string | undefined {
  if (name === "") return "empty segment";
  if (name === "." || name === "..") return `"${name}" is not a name`;
  if (name.includes("/")) return 'a name has no "/"';
  if (CONTROL.test(name)) return "control character";
  if (!name.isWellFormed()) return "not well-formed Unicode";
  if (longerThan(name, MAX_SEGMENT_BYTES)) {
    return `a segment has at most ${MAX_SEGMENT_BYTES} bytes`;
  }
}

/**
 * The segments of an absolute path: `/` → `[]`, `/a/b` and `/a/b/` → `["a","b"]`.
 * @throws FileError `invalid_path`
 */
export function segments(path: string, op = "open"): string[] {
  const refuse = (detail: string) =>
    new FileError("invalid_path", op, String(path).slice(0, 200), { detail });
  if (typeof path !== "string" || !path.startsWith("/")) throw refuse('a path starts with "/"');
  if (longerThan(path, MAX_PATH_BYTES)) {
    throw refuse(`a path has at most ${MAX_PATH_BYTES} bytes`);
  }
  if (path === "/") return [];
  const names = path.slice(1).split("/");
  if (names.at(-1) === "") names.pop();
  for (const name of names) {
    const fault = segmentFault(name);
    if (fault) throw refuse(fault);
  }
  return names;
}

/** `["a","b"]` → `/a/b`; `[]` → `/`. */
export function joinPath(names: readonly string[]): string {
  return "/" + names.join("/");
}

/** The last segment; `""` for the root. */
export function baseName(path: string): string {
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  return path.slice(path.lastIndexOf("/", end - 1) + 1, end);
}

/** Does `path` say "the directory"? */
export function isDirPath(path: string): boolean {
  return path.length > 1 && path.endsWith("/");
}

/** Byte order of UTF-8, which is the order of code points and not that of UTF-16 units. */
export function byteOrder(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above every other unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
