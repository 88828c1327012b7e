/** Requests as file operations: the method says which, headers and query how. */
import { FileError, hasCode } from "../fs/error.ts";
import type { FileHandle, FileService, Mode, OpenOptions, Page, Stat } from "../fs/file.ts";
import { bodyChunks, mediaType } from "./body.ts";
import { wrongMethod } from "./codes.ts";
import type { Watchers } from "./events.ts";
import { matchOf } from "./match.ts";
import { head, read, readOnly, typeOf, whole } from "./read.ts";
import { flagIn, numberIn, type Query } from "./target.ts";
import { json, noContent, type Visit } from "./visit.ts";
import { wantsWatch, watch } from "./watch.ts";

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"];
/** @throws FileError */
export async function serveFile(
  files: FileService,
  path: string,
  visit: Visit,
  watchers: Watchers,
): Promise<Response> {
  switch (visit.request.method) {
    case "GET":
      return await get(files, path, visit, watchers);
    case "HEAD":
      return head(await files.stat(path));
    case "PUT": {
      const mode = flagIn(visit.target.query, "append") ? "append" : "write";
      return await put(files, path, mode, visit);
    }
    case "POST":
      return await post(files, path, visit);
    case "DELETE": {
      const match = await matchOf(visit.request.headers, files, path);
      await files.remove(path, match === undefined ? {} : { match });
      return noContent();
    }
    default:
      return wrongMethod(visit.request.method, METHODS, visit.target.path);
  }
}

async function get(
  files: FileService,
  path: string,
  visit: Visit,
  watchers: Watchers,
): Promise<Response> {
  const { query } = visit.target;
  if (query) {
    if (flagIn(query, "stat")) return json(await files.stat(path));
    const mode = query.get("open");
    if (mode !== undefined) return await tryOpen(files, path, mode, visit);
    if (query.get("mode") === "read") return await readOnly(files, path, visit);
  }
  if (wantsWatch(path, visit)) return await watch(files, path, visit, watchers);
  if (path.endsWith("/")) return await list(files, path, query);
  const stat = await files.stat(path);
  if (stat.dir) return await list(files, path, query);
  return await read(files, path, stat, visit);
}

/** `{ path, entries, next? }`; `next` is the `after` of the following page. */
async function list(
  files: FileService,
  path: string,
  query: Query | undefined,
): Promise<Response> {
  const limit = numberIn(query, "limit");
  const after = query?.get("after");
  const page: Page = {
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  };
  const entries = await files.list(path, page);
  const last = entries.at(-1)?.name;
  // A page that is not full is the last one; whether something is behind a full one only another look can tell.
  const isFull = last !== undefined && entries.length >= Math.min(limit ?? 1000, 1000);
  const more = isFull && (await files.list(path, { after: last, limit: 1 })).length > 0;
  return json({
    path,
    entries: entries.map(({ modified, ...entry }) => ({
      ...entry,
      ...(modified === undefined ? {} : { modified: new Date(modified).toISOString() }),
    })),
    ...(more ? { next: last } : {}),
  });
}

/** May this caller open it so? Answers without having changed anything. */
async function tryOpen(
  files: FileService,
  path: string,
  mode: string,
  visit: Visit,
): Promise<Response> {
  if (mode !== "write" && mode !== "append" && mode !== "call") {
    throw new FileError("invalid_request", "open", path, {
      detail: `open is write, append or call, not ${JSON.stringify(mode.slice(0, 40))}`,
    });
  }
  const discard = new AbortController();
  const options = await optionsOf(files, path, visit, discard.signal);
  const handle = await files.open(path, mode, options);
  discard.abort();
  await handle.close().catch(() => {});
  return noContent();
}

async function optionsOf(
  files: FileService,
  path: string,
  { request, target: { query } }: Visit,
  signal: AbortSignal,
): Promise<OpenOptions> {
  const match = await matchOf(request.headers, files, path);
  const offset = numberIn(query, "offset");
  const type = mediaType(request);
  return {
    signal,
    ...(match === undefined ? {} : { match }),
    ...(offset === undefined ? {} : { offset }),
    ...(type === undefined ? {} : { type }),
  };
}

async function put(
  files: FileService,
  path: string,
  mode: "write" | "append",
  visit: Visit,
): Promise<Response> {
  if (visit.request.headers.has("content-range")) {
    const detail = "send a part with ?offset=, not with Content-Range";
    throw new FileError("invalid_request", mode, path, { detail });
  }
  const discard = new AbortController();
  const options = await optionsOf(files, path, visit, discard.signal);
  return await store(await files.open(path, mode, options), discard, path, visit);
}

/** The request's body into a handle; half a body takes no effect. */
async function store(
  handle: FileHandle,
  discard: AbortController,
  path: string,
  visit: Visit,
): Promise<Response> {
  try {
    for await (const chunk of bodyChunks(visit.request, path)) await handle.write(chunk);
  } catch (error) {
    discard.abort();
    await handle.close().catch(() => {});
    throw error;
  }
  await handle.close();
  return noContent();
}

/** The file's call; else an append; else a write. `?mode=call` is a call or nothing. */
async function post(files: FileService, path: string, visit: Visit): Promise<Response> {
  const stat = await statOrNone(files, path);
  const only = visit.target.query?.get("mode") === "call";
  if (only || stat?.kind === "call" || stat?.modes.includes("call")) {
    return await callFile(files, path, stat, visit);
  }
  const discard = new AbortController();
  const options = await optionsOf(files, path, visit, discard.signal);
  const handle = await openFirst(files, path, stat?.modes ?? ["append", "write"], options);
  return await store(handle, discard, path, visit);
}

/** A file that is not there yet may be one that is appended to, or one that is written. */
async function openFirst(
  files: FileService,
  path: string,
  modes: readonly Mode[],
  options: OpenOptions,
): Promise<FileHandle> {
  if (modes.includes("append") && options.offset === undefined) {
    try {
      return await files.open(path, "append", options);
    } catch (error) {
      const isOther = hasCode(error, "not_supported") || hasCode(error, "not_found");
      if (!isOther || !modes.includes("write")) throw error;
    }
  }
  return await files.open(path, "write", options);
}

async function callFile(
  files: FileService,
  path: string,
  stat: Stat | undefined,
  visit: Visit,
): Promise<Response> {
  const discard = new AbortController();
  const signal = AbortSignal.any([discard.signal, visit.request.signal, visit.stopping]);
  const options = await optionsOf(files, path, visit, signal);
  const handle = await files.open(path, "call", options);
  try {
    for await (const chunk of bodyChunks(visit.request, path)) await handle.write(chunk);
  } catch (error) {
    discard.abort();
    await handle.close().catch(() => {});
    throw error;
  }
  const type = stat ? typeOf(stat) : "application/octet-stream";
  const answer = await whole(handle, { "content-type": type, ...ANSWER });
  return answer;
}

const ANSWER = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

async function statOrNone(files: FileService, path: string): Promise<Stat | undefined> {
  try {
    return await files.stat(path);
  } catch (error) {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  }
}
