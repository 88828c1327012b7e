/** Listings of a container's files, read as they come: records whose names may have anything but NUL in them, line ends too. */
import { FileError } from "../../fs/error.ts";

export interface Entry {
  /** Undefined for one that is no UTF-8: it has no name that could be asked for. */
  readonly name: string | undefined;
  /** What stands before the name. */
  readonly told: string;
  /** Of the whole record, in bytes. */
  readonly size: number;
}

/** Longer than any path that a kernel takes, with what stands before it. */
const MAX_RECORD_BYTES = 16 * 1024;
/** `81a4 5 1700000000 .//name`: the two slashes are what no path has. */
const NEXT = /\n(?=[0-9a-f -]{1,64} \.\/\/)/g;
const RECORD = /^([0-9a-f -]{1,64}) \.\/\/([^]+)$/;

/** @throws FileError `io` for what is no listing */
export async function* entries(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  let rest = "";
  for await (const bytes of stream) {
    rest += bytesAsText(bytes);
    let begin = 0;
    for (const { index } of rest.matchAll(NEXT)) {
      yield entryOf(rest.slice(begin, index));
      begin = index + 1;
    }
    rest = rest.slice(begin);
    if (rest.length > MAX_RECORD_BYTES) throw noListing();
  }
  if (rest !== "") yield entryOf(rest.replace(/\n$/, ""));
}

function entryOf(record: string): Entry {
  const [, told, name] = RECORD.exec(record) ?? [];
  if (told === undefined || name === undefined) throw noListing();
  return { name: asUtf8(name), told, size: record.length };
}

/** A character a byte, so that what is no UTF-8 is not lost before the records are known. */
function bytesAsText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return text;
}

function asUtf8(text: string): string | undefined {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function noListing(): FileError {
  const detail = "what the session tells of its files is no listing";
  return new FileError("io", "list", "", { detail });
}
