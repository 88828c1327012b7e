/** The body of an answer, read as far as it is wanted: framed as its head says, and decompressed in small steps. */
import type { Header } from "../../core/net.ts";
import type { Reader } from "./reader.ts";
import type { Head } from "./head.ts";

/** Bytes of a line of a chunked body. */
const MAX_CHUNK_LINE = 4096;
/** Compressed bytes that are taken at a time: at most a thousand times as many come out of them. */
const GZIP_STEP = 2048;
const SOME = 64 * 1024;
/** Compressed bytes that may be read for one byte that is wanted, with some to begin with: empty parts cost time too. */
const COMPRESSED_SLACK = 256 * 1024;

export interface ReadBody {
  readonly body: Uint8Array;
  readonly truncated: boolean;
}

/** @throws a sentence when it is not whole, or not as its head says */
export async function readBody(
  reader: Reader,
  { status, headers }: Head,
  method: string,
  maxBytes: number,
): Promise<ReadBody> {
  if (method === "HEAD" || status === 204 || status === 304) {
    return { body: new Uint8Array(0), truncated: false };
  }
  const raw = framed(reader, headers);
  const coding = one(headers, "content-encoding")?.toLowerCase() ?? "identity";
  if (coding === "identity" || coding === "") return await taken(raw, maxBytes);
  if (coding === "gzip" || coding === "x-gzip") {
    return await taken(gunzipped(raw, maxBytes + COMPRESSED_SLACK), maxBytes);
  }
  throw new Error("its body is coded in a way that nobody asked for");
}

async function taken(parts: AsyncIterable<Uint8Array>, maxBytes: number): Promise<ReadBody> {
  const kept: Uint8Array[] = [];
  let length = 0;
  let truncated = false;
  for await (const part of parts) {
    const rest = maxBytes - length;
    if (part.length > rest) truncated = true;
    kept.push(part.subarray(0, rest));
    length += Math.min(part.length, rest);
    if (truncated) break;
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of kept) {
    body.set(part, at);
    at += part.length;
  }
  return { body, truncated };
}

/** By the standard, a coding of the transfer goes before a length; both at once is what attacks look like. */
function framed(reader: Reader, headers: readonly Header[]): AsyncIterable<Uint8Array> {
  const coding = one(headers, "transfer-encoding");
  const length = one(headers, "content-length");
  if (coding !== undefined) {
    if (length !== undefined) throw new Error("its head says two ends of its body");
    if (coding.toLowerCase() !== "chunked") {
      throw new Error("its body comes in a way that nobody asked for");
    }
    return chunked(reader);
  }
  if (length === undefined) return toTheEnd(reader);
  if (!/^\d{1,15}$/.test(length)) throw new Error("its head says no length of its body");
  return ofLength(reader, Number(length));
}

/** The one value of a header; the same value again is no other. */
function one(headers: readonly Header[], name: string): string | undefined {
  const values = new Set(
    headers.filter(([at]) => at === name).flatMap(([, value]) =>
      name === "content-length" ? value.split(/ *, */) : [value]
    ),
  );
  if (values.size > 1) throw new Error(`its head says ${name} twice`);
  return [...values][0];
}

async function* toTheEnd(reader: Reader): AsyncGenerator<Uint8Array> {
  for (let part = await reader.some(SOME); part; part = await reader.some(SOME)) yield part;
}

async function* ofLength(reader: Reader, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const part = await reader.some(Math.min(SOME, left));
    if (!part) throw new Error("the connection ended before its body did");
    left -= part.length;
    yield part;
  }
}

async function* chunked(reader: Reader): AsyncGenerator<Uint8Array> {
  while (true) {
    const line = await reader.line(MAX_CHUNK_LINE);
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line ?? "")?.[1];
    if (size === undefined) throw new Error("the connection ended before its body did");
    const length = parseInt(size, 16);
    // What follows the last chunk is of no use to anybody here.
    if (length === 0) return;
    yield* ofLength(reader, length);
    if (await reader.line(2) !== "") throw new Error("a part of its body has another length");
  }
}

/** @param maxRaw compressed bytes that are read at the most */
async function* gunzipped(
  raw: AsyncIterable<Uint8Array>,
  maxRaw: number,
): AsyncGenerator<Uint8Array> {
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const feeding = (async () => {
    let left = maxRaw;
    for await (const part of raw) {
      for (let at = 0; at < part.length; at += GZIP_STEP) {
        await writer.write(part.slice(at, at + GZIP_STEP));
      }
      left -= part.length;
      if (left < 0) throw new Error("too much was sent for what comes out of it");
    }
    await writer.close();
  })();
  // What fails there fails the reading too, which tells it.
  feeding.catch((error) => writer.abort(error).catch(() => {}));
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    await feeding;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
