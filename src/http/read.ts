/** GET and HEAD of a file: whole or in part, with its version; large ones as a stream that waits for its reader. */
import { FileError } from "../fs/error.ts";
import type { FileHandle, FileService, OpenOptions, Stat } from "../fs/file.ts";
import { joined } from "./bytes.ts";
import { etagOf, hasAlready, matchOf } from "./match.ts";
import { type Range, rangeOf } from "./range.ts";
import { AFTER_SEQ, FROM_SEQ, LENGTH, OFFSET, paramIn, TAIL, TO_SEQ } from "./params.ts";
import type { Query } from "./target.ts";
import type { Visit } from "./visit.ts";

/** Answers up to this size are sent in one piece; larger ones are streamed. */
const INLINE_BYTES = 256 * 1024;
/** How often a file that changes under a reader is begun anew. */
const TRIES = 3;

/**
 * An agent writes what is in its files, and they are served beside the control plane: a page among them must not be able to
 * use it. The sandbox gives it an origin of its own and no script.
 */
const GUARD = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox; default-src 'none'",
  "cross-origin-resource-policy": "same-origin",
};

const BYTES = { "cache-control": "no-store", ...GUARD };

export function headersOf(stat: Stat): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": typeOf(stat),
    "cache-control": "no-cache",
    ...GUARD,
  };
  if (stat.version !== undefined) headers["etag"] = etagOf(stat.version);
  if (stat.modified !== undefined) {
    headers["last-modified"] = new Date(stat.modified).toUTCString();
  }
  if (stat.kind === "value" && !stat.dir) headers["accept-ranges"] = "bytes";
  return headers;
}

export function head(stat: Stat): Response {
  const headers = headersOf(stat);
  if (!stat.dir && stat.size !== undefined) headers["content-length"] = String(stat.size);
  return new Response(null, { headers });
}

/** @throws FileError */
export async function read(
  files: FileService,
  path: string,
  stat: Stat,
  { request, target: { query } }: Visit,
): Promise<Response> {
  const { headers } = request;
  if (hasAlready(headers, path, stat)) {
    return new Response(null, { status: 304, headers: headersOf(stat) });
  }
  const asked = query && partOf(query);
  if (asked) return await whole(await files.open(path, "read", asked), headersOf(stat));
  const range = stat.kind === "value" ? headers.get("range") : null;
  if (range !== null && isFor(headers.get("if-range"), stat)) {
    return await lengthFirst(files, path, stat, range);
  }
  if (stat.size !== undefined && stat.size > INLINE_BYTES) {
    return await lengthFirst(files, path, stat, null);
  }
  return await whole(await files.open(path, "read"), headersOf(stat));
}

/** `?mode=read`: the file's bytes or a refusal, never a listing, a watch or a `304`. @throws FileError */
export async function readOnly(
  files: FileService,
  path: string,
  { request, target: { query } }: Visit,
): Promise<Response> {
  const match = await matchOf(request.headers, files, path);
  const part = query && partOf(query);
  const handle = await files.open(path, "read", {
    ...part,
    ...(match === undefined ? {} : { match }),
  });
  return await whole(handle, { "content-type": "application/octet-stream", ...BYTES });
}

/** `?offset=&len=&after=&from=&to=&tail=`, where `from=n` is `after=n-1`; undefined without any of them. */
function partOf(query: Query): OpenOptions | undefined {
  const offset = paramIn(query, OFFSET);
  const length = paramIn(query, LENGTH);
  const from = paramIn(query, FROM_SEQ);
  const after = paramIn(query, AFTER_SEQ) ?? (from ? from - 1 : undefined);
  const to = paramIn(query, TO_SEQ);
  const tail = paramIn(query, TAIL);
  const part = {
    ...(offset === undefined ? {} : { offset }),
    ...(length === undefined ? {} : { length }),
    ...(after === undefined ? {} : { after }),
    ...(to === undefined ? {} : { to }),
    ...(tail === undefined ? {} : { tail }),
  };
  return Object.keys(part).length ? part : undefined;
}

/** A range for another version is none: the whole file is sent. */
function isFor(ifRange: string | null, { version }: Stat): boolean {
  return ifRange === null || (version !== undefined && ifRange.trim() === etagOf(version));
}

/** Bytes of a file whose service does not know without reading. */
async function measured(files: FileService, path: string): Promise<number> {
  const handle = await files.open(path, "read");
  let size = 0;
  for (let chunk = await handle.read(); chunk; chunk = await handle.read()) size += chunk.length;
  await handle.close();
  return size;
}

/**
 * An answer that tells its length before its last byte is read: version, length and bytes must belong together, so it is
 * begun anew when the file is another one by the time its first bytes are here.
 */
async function lengthFirst(
  files: FileService,
  path: string,
  first: Stat,
  header: string | null,
): Promise<Response> {
  let stat = first;
  for (let n = 0; n < TRIES; n++) {
    const size = stat.size ?? await measured(files, path);
    const range = header === null ? undefined : rangeOf(header, size, path);
    if (header !== null && !range) {
      return await whole(await files.open(path, "read"), headersOf(stat));
    }
    const length = range ? range.end + 1 - range.start : size;
    const asked = { offset: range?.start ?? 0, length };
    const answer = await begun(await files.open(path, "read", asked));
    const now = await files.stat(path);
    if (now.version === stat.version && (!answer.ended || answer.bytes === length)) {
      return respond(answer, partHeaders(stat, size, length, range), range ? 206 : 200, length);
    }
    await answer.handle.close();
    stat = now;
  }
  const detail = "it changed while it was read; read it again";
  throw new FileError("conflict", "read", path, { detail });
}

function partHeaders(stat: Stat, size: number, length: number, range: Range | undefined) {
  return {
    ...headersOf(stat),
    "content-length": String(length),
    ...(range ? { "content-range": `bytes ${range.start}-${range.end}/${size}` } : {}),
  };
}

/** What a handle gives, as a response without a length known before. */
export async function whole(
  handle: FileHandle,
  headers: Record<string, string>,
): Promise<Response> {
  return respond(await begun(handle), headers);
}

/** The first chunks of an answer, and the handle that has the rest. */
export interface Begun {
  readonly handle: FileHandle;
  readonly chunks: Uint8Array[];
  readonly bytes: number;
  /** There is no rest. */
  readonly ended: boolean;
}

/** Reads until the end, or until it is clear that it is a large one. */
export async function begun(handle: FileHandle): Promise<Begun> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    while (bytes <= INLINE_BYTES) {
      const chunk = await handle.read();
      if (!chunk) {
        await handle.close();
        return { handle, chunks, bytes, ended: true };
      }
      chunks.push(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
  return { handle, chunks, bytes, ended: false };
}

/** @param length bytes that the headers promise: less is an error that the reader sees */
export function respond(
  { handle, chunks, bytes, ended }: Begun,
  headers: Record<string, string>,
  status = 200,
  length?: number,
): Response {
  if (ended && (length === undefined || length === bytes)) {
    return new Response(joined(chunks), { status, headers });
  }
  let sent = 0;
  let left = length ?? Infinity;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = chunks[sent++] ?? (ended ? undefined : await handle.read());
        if (chunk && left > 0) {
          left -= chunk.length;
          controller.enqueue(left < 0 ? chunk.subarray(0, chunk.length + left) : chunk);
        }
        if (chunk && left > 0) return;
        await handle.close();
        if (left > 0 && left !== Infinity) controller.error(new Error("the file became shorter"));
        else controller.close();
      } catch (error) {
        controller.error(error);
        await handle.close().catch(() => {});
      }
    },
    cancel: () => handle.close(),
  }, { highWaterMark: 0 });
  return new Response(body, { status, headers });
}

export function typeOf({ type, name, kind }: Stat): string {
  if (type !== undefined) return type;
  if (name.endsWith(".json")) return "application/json";
  return kind === "stream" ? "application/x-ndjson" : "application/octet-stream";
}
