/** Parts of a file: `Range` (RFC 9110, one range of bytes) and `?offset=&len=`. */
import { FileError } from "../fs/error.ts";

/** Bytes `start` to `end`, both included. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a header asks for; undefined for a header that we may ignore: another unit, several ranges, nonsense.
 * @throws FileError `range_not_satisfiable`
 */
export function rangeOf(header: string, size: number, path: string): Range | undefined {
  const found = /^bytes=([0-9]*)-([0-9]*)$/.exec(header.trim());
  if (!found) return undefined;
  const [, first, last] = found as unknown as [string, string, string];
  if (first === "") {
    if (last === "") return undefined;
    const count = Number(last);
    if (count === 0 || size === 0) throw beyond(header, size, path);
    return { start: Math.max(0, size - count), end: size - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) throw beyond(header, size, path);
  return { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}

function beyond(header: string, size: number, path: string): FileError {
  return new FileError("range_not_satisfiable", "read", path, {
    detail: `it has ${size} bytes, and ${header.slice(0, 100)} has none of them`,
    extra: { size },
  });
}
