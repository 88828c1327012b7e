/** An agent's files over HTTP, held to the same laws as the files themselves. */
import { FileError, retold } from "../fs/error.ts";
import {
  type Entry,
  type FileHandle,
  type FileService,
  MATCH_ANY,
  MATCH_NONE,
  type Mode,
  type OpenOptions,
  type Stat,
} from "../fs/file.ts";
import { checkOptions, openRow } from "../fs/handle.ts";
import { RESERVED } from "../fs/namespace.ts";
import { isDirPath, segments } from "../fs/path.ts";
import type { FileRow, Writer } from "../fs/row.ts";
import { joined } from "./bytes.ts";
import { etagOf } from "./match.ts";
import { resumed } from "./resume.ts";
import { type Ask, chunksOf, type Wire } from "./wire.ts";

/** A file of up to so many bytes is written by one request, and so all or nothing. A larger one goes up in parts of this size, each of which takes effect when it arrives. */
export const PART_BYTES = 16 * 1024 * 1024;

const MODES: readonly Mode[] = ["read", "write", "append", "call", "watch"];

/** @param base `/agents/<id>` */
export function clientFiles(wire: Wire, base: string): FileService {
  return {
    open: (path, mode, options = {}) =>
      told("open", path, () => open(wire, base, path, mode, options)),
    stat: (path) =>
      told("stat", path, async () => {
        const ask = { op: "stat", path: urlOf(base, path), query: { stat: 1 } };
        return await wire.json(ask) as Stat;
      }),
    list: (path, page = {}) =>
      told("list", path, async () => {
        const url = urlOf(base, path).replace(/\/?$/, "/");
        const query = { watch: 0, limit: page.limit, after: page.after };
        const { entries } = await wire.json({ op: "list", path: url, query }) as {
          entries: (Omit<Entry, "modified"> & { modified?: string })[];
        };
        return entries.map(({ modified, ...entry }) => ({
          ...entry,
          ...(modified === undefined ? {} : { modified: Date.parse(modified) }),
        }));
      }),
    remove: (path, { match } = {}) =>
      told("remove", path, async () => {
        const headers = matchHeaders(match);
        await wire.send({ op: "remove", path: urlOf(base, path), method: "DELETE", headers });
      }),
  };
}

/** Errors by the verb and path of the caller. What the caller's own `fetch` threw is told as it is. */
async function told<T>(op: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw foreign(error) ?? retold(error, op, path);
  }
}

/** An error that is not of this program's making, also where a handle has already called it `internal`. */
function foreign(error: unknown): unknown {
  const { name, code, cause } = error as FileError;
  if (name !== "FileError") return error;
  const isOutside = code === "internal" && cause !== undefined &&
    (cause as { name?: unknown }).name !== "FileError";
  return isOutside ? cause : undefined;
}

/** @throws FileError `invalid_path`; `not_found` for the short names of the control plane, which no file can have */
function urlOf(base: string, path: string): string {
  const names = segments(path);
  if (names.length === 1 && RESERVED.includes(names[0]!)) {
    throw new FileError("not_found", "open", path, { detail: "a short name is no file" });
  }
  const end = isDirPath(path) || names.length === 0 ? "/" : "";
  return `${base}${names.map((name) => "/" + encodeURIComponent(name)).join("")}${end}`;
}

async function open(
  wire: Wire,
  base: string,
  path: string,
  mode: Mode,
  options: OpenOptions,
): Promise<FileHandle> {
  const url = urlOf(base, path);
  if (!MODES.includes(mode)) {
    const detail = `a mode is one of ${MODES.join(", ")}`;
    throw new FileError("invalid_request", "open", path, { detail });
  }
  checkOptions(options);
  if (mode === "write" || mode === "append" || mode === "call") {
    await mayOpen(wire, url, mode, options);
  }
  const handle = await openRow(rowOf(wire, url, options), mode, path, options);
  return {
    read: () => handle.read().catch(passOn),
    write: (data) => handle.write(data).catch(passOn),
    close: () => handle.close().catch(passOn),
  };
}

function passOn(error: unknown): never {
  throw foreign(error) ?? error;
}

/** The server opens it and lets go, so that what it refuses is refused here too, before a byte is written. */
async function mayOpen(wire: Wire, url: string, mode: Mode, options: OpenOptions): Promise<void> {
  const { offset, signal, match, type } = options;
  const query = { open: mode, offset };
  await wire.send({ op: "open", path: url, query, headers: matchHeaders(match), type, signal });
}

function matchHeaders(match: string | undefined): Record<string, string> {
  if (match === undefined) return {};
  if (match === MATCH_NONE) return { "if-none-match": "*" };
  return { "if-match": match === MATCH_ANY ? "*" : etagOf(match) };
}

/** The file as a declared row, so that its handles keep every promise that handles make. */
function rowOf(wire: Wire, url: string, { match }: OpenOptions): FileRow {
  const headers = matchHeaders(match);
  return {
    ranges: true,
    parts: true,
    maxBytes: PART_BYTES,
    async read({ offset, length, after, to, tail, signal }) {
      const query = { mode: "read", offset, len: length, after, to, tail };
      return chunksOf(await wire.send({ op: "read", path: url, query, headers, signal }), url);
    },
    writer: (mode, { offset, type, signal }) =>
      Promise.resolve(upload(wire, { op: mode, path: url, type, signal, headers }, mode, offset)),
    async call(request, { type, signal }) {
      const query = { mode: "call" };
      const ask = { op: "call", path: url, query, headers, body: request, type, signal };
      return chunksOf(await wire.send({ ...ask, method: "POST" }), url);
    },
    watch: ({ after, tail, signal }) => resumed(wire, url, { after, tail, signal }),
  };
}

/** A file on its way up: in one request as long as it fits into one. */
function upload(
  wire: Wire,
  ask: Ask,
  mode: "write" | "append",
  offset: number | undefined,
): Writer {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let sent = 0;

  async function put(): Promise<void> {
    const body = joined(chunks);
    const isFirst = sent === 0;
    // Only the first part may ask for a version: it makes the next one itself.
    const { headers = {}, ...rest } = ask;
    const query = mode === "append"
      ? { append: 1 }
      : { offset: isFirst ? offset : (offset ?? 0) + sent };
    await wire.send({ ...rest, ...(isFirst ? { headers } : {}), method: "PUT", query, body });
    sent += held;
    chunks = [];
    held = 0;
  }

  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length;) {
        if (held === PART_BYTES) await put();
        const part = chunk.subarray(at, at + PART_BYTES - held);
        chunks.push(part);
        held += part.length;
        at += part.length;
      }
    },
    async close() {
      if (held > 0 || sent === 0) await put();
    },
    // deno-lint-ignore require-await -- what has not been sent is only forgotten
    async abort() {
      chunks = [];
    },
  };
}
