/** What a request carries, counted while it comes in and refused as soon as it is too much. */
import { FileError } from "../fs/error.ts";
import { joined } from "./bytes.ts";

/** Bytes of one request's body. Larger files go up in parts (`?offset=`, `?append=1`). */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** What `curl -d` says of anything: it tells nothing. */
const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;
/** Bodies that say they are no larger than this are read in one go, which is faster. */
const ONE_GO_BYTES = 256 * 1024;

/**
 * The whole body; empty if there is none.
 * @throws FileError `too_large`, `invalid_request`
 */
export async function readBody(request: Request, path: string): Promise<Uint8Array> {
  const length = lengthOf(request);
  if (length !== undefined && length <= ONE_GO_BYTES) {
    if (length === 0 || request.body === null) return new Uint8Array(0);
    return within(await inOneGo(request, path), path);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodyChunks(request, path)) chunks.push(chunk);
  return joined(chunks);
}

/**
 * The body as it comes in, no chunk of it empty.
 * @throws FileError `too_large` as soon as it is, whatever its length header says; `invalid_request` when the sender goes away before its end
 */
export async function* bodyChunks(
  request: Request,
  path: string,
  limit = MAX_BODY_BYTES,
): AsyncGenerator<Uint8Array> {
  const length = lengthOf(request);
  if (length !== undefined && length > limit) throw tooLarge(path, length, limit);
  if (request.body === null) return;
  const reader = request.body.getReader();
  let taken = 0;
  try {
    while (true) {
      const { done, value } = await reader.read().catch((cause) => gone(path, cause));
      if (done) return;
      taken += value.length;
      if (taken > limit) throw tooLarge(path, taken, limit);
      if (value.length) yield value;
    }
  } finally {
    // What has not been read is not waited for.
    reader.cancel().catch(() => {});
  }
}

async function inOneGo(request: Request, path: string): Promise<Uint8Array> {
  return new Uint8Array(await request.arrayBuffer().catch((cause) => gone(path, cause)));
}

/** The length header is the sender's word; what came is counted all the same. */
function within(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(path, bytes.length, MAX_BODY_BYTES);
  return bytes;
}

function lengthOf(request: Request): number | undefined {
  const text = request.headers.get("content-length");
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function gone(path: string, cause: unknown): never {
  const detail = "the request's body ended early";
  // The sender's doing: a failure inside would be counted as one of ours.
  throw new FileError("invalid_request", "read the body for", path, { detail, cause });
}

function tooLarge(path: string, bytes: number, limit: number): FileError {
  return new FileError("too_large", "read the body for", path, {
    detail: `a request's body has at most ${limit} bytes; send a larger file in parts, ` +
      "with ?offset= or ?append=1",
    extra: { limit_bytes: limit, asked_bytes: bytes },
  });
}

/** The media type with its parameters, as it was sent; undefined if there is none, or only what `curl -d` says of anything. */
export function mediaType(request: Request): string | undefined {
  const header = request.headers.get("content-type")?.trim();
  return header && !FORM.test(header) ? header : undefined;
}
