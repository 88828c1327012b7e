/** Requests as file operations: the method says which, headers and query how. */
import { FileError, hasCode } from "../fs/error.ts";
import type { FileHandle, FileService, Mode, OpenOptions, Page, Stat } from "../fs/file.ts";
import { bodyChunks, mediaType } from "./body.ts";
import type { Watchers } from "./events.ts";
import { matchOf } from "./match.ts";
import { head, read, readOnly, typeOf, whole } from "./read.ts";
import {
  AFTER_NAME,
  APPEND,
  FROM_SEQ,
  LENGTH,
  LIMIT,
  OFFSET,
  OPEN,
  paramIn,
  READ_MODE,
  STAT_FLAG,
  TAIL,
  TO_SEQ,
  WATCH,
} from "./params.ts";
import { type Body, NO_CONTENT, type Route } from "./route.ts";
import { JSON_VALUE, LISTING, STAT } from "./schemas.ts";
import { fileOf, type Query } from "./target.ts";
import { json, noContent, type Visit } from "./visit.ts";
import { LAST_EVENT_ID, wantsWatch, watch } from "./watch.ts";

const MATCHES = {
  "if-match": "Only if the file still has one of these versions, or (`*`) is there.",
  "if-none-match": "Only if the file has none of these versions, or (`*`) is not there.",
};
const VERSION = { etag: "The file's version.", "last-modified": "When it was changed." };
const CHANGED: Body = {
  about: "The bytes, at most 16 MiB; larger files go up in parts.",
  types: { "*/*": "bytes" },
  isOptional: true,
};

/** Everything below an agent that has no short name: its files. */
export function fileRoute(
  filesOf: (visit: Visit) => Promise<FileService>,
  watchers: Watchers,
): Route {
  type Serve = (files: FileService, path: string, visit: Visit) => Promise<Response>;
  const on = (serve: Serve) => async (visit: Visit) =>
    await serve(await filesOf(visit), fileOf(visit.target, 2), visit);
  return {
    at: "/agents/{id}/{path}",
    tag: "Files",
    methods: {
      GET: {
        id: "readFile",
        about: "Reads a file, lists a directory, or watches either",
        more: "`/logs/trace` streams without being asked to, from its last 20 events on.",
        needs: "use files",
        query: [
          WATCH,
          OFFSET,
          LENGTH,
          AFTER_NAME,
          LIMIT,
          TAIL,
          FROM_SEQ,
          TO_SEQ,
          STAT_FLAG,
          OPEN,
          READ_MODE,
        ],
        headers: {
          accept: "`text/event-stream` watches.",
          range: "One range of bytes.",
          "if-range": "The range only of this version, else the whole file.",
          "last-event-id": LAST_EVENT_ID,
          ...MATCHES,
        },
        answers: {
          200: {
            about: "What is in the file; the entries of a directory; or events, as they come.",
            body: {
              "*/*": "bytes",
              "application/json": [LISTING, STAT, JSON_VALUE],
              "text/event-stream": "bytes",
            },
            headers: VERSION,
          },
          204: { about: "`open`: it may be opened so." },
          206: { about: "A part of it.", body: { "*/*": "bytes" }, headers: VERSION },
          304: { about: "It still has the version of `If-None-Match`." },
        },
        refusals: ["not_found", "range_not_satisfiable", "precondition_failed", "not_supported"],
        serve: on((files, path, visit) => get(files, path, visit, watchers)),
      },
      HEAD: {
        id: "statFile",
        about: "Tells a file's length, type, time and version",
        needs: "use files",
        answers: { 200: { about: "It is there.", headers: VERSION } },
        refusals: ["not_found"],
        serve: on(async (files, path) => head(await files.stat(path))),
      },
      PUT: {
        id: "writeFile",
        about: "Writes a file in place of what it holds, or a part of it, or at its end",
        needs: "use files",
        query: [APPEND, OFFSET],
        headers: MATCHES,
        body: CHANGED,
        answers: { 204: NO_CONTENT },
        refusals: ["not_found", "precondition_failed", "conflict", "too_large", "not_supported"],
        serve: on(async (files, path, visit) => {
          const mode = paramIn(visit.target.query, APPEND) ? "append" : "write";
          return await put(files, path, mode, visit);
        }),
      },
      POST: {
        id: "callFile",
        about: "Calls a file; one that takes no call is appended to, else written",
        needs: "use files",
        query: [OFFSET, READ_MODE],
        headers: MATCHES,
        body: CHANGED,
        answers: {
          200: { about: "What the call answers.", body: { "*/*": "bytes" } },
          204: { about: "It was appended or written." },
        },
        refusals: ["not_found", "precondition_failed", "conflict", "too_large", "not_supported"],
        serve: on(post),
      },
      DELETE: {
        id: "removeFile",
        about: "Removes a file",
        needs: "use files",
        headers: MATCHES,
        answers: { 204: NO_CONTENT },
        refusals: ["not_found", "precondition_failed", "conflict", "not_supported"],
        serve: on(async (files, path, visit) => {
          const match = await matchOf(visit.request.headers, files, path);
          await files.remove(path, match === undefined ? {} : { match });
          return noContent();
        }),
      },
    },
  };
}

async function get(
  files: FileService,
  path: string,
  visit: Visit,
  watchers: Watchers,
): Promise<Response> {
  const { query } = visit.target;
  if (query) {
    if (paramIn(query, STAT_FLAG)) return json(await files.stat(path));
    const mode = paramIn(query, OPEN);
    if (mode !== undefined) return await tryOpen(files, path, mode, visit);
    if (paramIn(query, READ_MODE) === "read") return await readOnly(files, path, visit);
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
  const limit = paramIn(query, LIMIT);
  const after = paramIn(query, AFTER_NAME);
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
  mode: "write" | "append" | "call",
  visit: Visit,
): Promise<Response> {
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
  const offset = paramIn(query, OFFSET);
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
  const only = paramIn(visit.target.query, READ_MODE) === "call";
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
