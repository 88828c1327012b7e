/** Files in one call: open, do the one thing, close. Works on any `FileService`, and adds nothing that a handle could not do. */
import { FileError, hasCode, retold } from "./error.ts";
import {
  type Entry,
  type FileHandle,
  type FileService,
  MAX_LIST,
  type Mode,
  type OpenOptions,
} from "./file.ts";
import { joinPath, segments } from "./path.ts";

/** Most bytes that the helpers hold in memory at once, unless told otherwise. Larger files: `readChunks`. */
export const MAX_READ_BYTES = 64 * 1024 * 1024;

export interface ReadLimits extends OpenOptions {
  /** More than this is `too_large`; default `MAX_READ_BYTES`. */
  readonly maxBytes?: number;
}

const encoder = new TextEncoder();

/** The file's chunks as they come; closes the handle when the loop ends, however it ends. */
export async function* readChunks(
  files: FileService,
  path: string,
  options?: OpenOptions,
): AsyncGenerator<Uint8Array> {
  const handle = await files.open(path, "read", options);
  try {
    for (let chunk = await handle.read(); chunk; chunk = await handle.read()) yield chunk;
  } finally {
    await handle.close();
  }
}

/** @throws FileError `too_large` beyond `maxBytes` */
export async function readBytes(
  files: FileService,
  path: string,
  options: ReadLimits = {},
): Promise<Uint8Array> {
  const { maxBytes, ...open } = options;
  return await using(files, path, "read", open, (handle) => all(handle, path, maxBytes));
}

export async function readText(
  files: FileService,
  path: string,
  options?: ReadLimits,
): Promise<string> {
  return textOf(await readBytes(files, path, options));
}

/** @throws FileError `corrupt` if it is not JSON */
export async function readJson<T = unknown>(
  files: FileService,
  path: string,
  options?: ReadLimits,
): Promise<T> {
  return parsed(await readText(files, path, options), "read", path) as T;
}

/** Replaces the file, or with an offset the bytes from there on; done when it resolves. */
export async function writeBytes(
  files: FileService,
  path: string,
  data: Uint8Array | AsyncIterable<Uint8Array>,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "write", data, options);
}

export async function writeText(
  files: FileService,
  path: string,
  text: string,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "write", encoder.encode(text), options);
}

export async function writeJson(
  files: FileService,
  path: string,
  value: unknown,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "write", json(value), { type: "application/json", ...options });
}

export async function appendBytes(
  files: FileService,
  path: string,
  data: Uint8Array | AsyncIterable<Uint8Array>,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "append", data, options);
}

export async function appendText(
  files: FileService,
  path: string,
  text: string,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "append", encoder.encode(text), options);
}

export async function appendJson(
  files: FileService,
  path: string,
  value: unknown,
  options?: OpenOptions,
): Promise<void> {
  await put(files, path, "append", json(value), { type: "application/json", ...options });
}

/** Writes a request and reads its answer on one handle. What fails in between is told as a `call`, which is all that was asked for. */
export async function call(
  files: FileService,
  path: string,
  request: Uint8Array | string = "",
  options: ReadLimits = {},
): Promise<Uint8Array> {
  const { maxBytes, ...open } = options;
  return await using(files, path, "call", open, async (handle) => {
    try {
      await handle.write(typeof request === "string" ? encoder.encode(request) : request);
      return await all(handle, path, maxBytes);
    } catch (error) {
      throw asCall(error);
    }
  });
}

function asCall(error: unknown): unknown {
  const { name, op, path } = error as FileError;
  const isPart = name === "FileError" && (op === "read" || op === "write");
  return isPart ? retold(error, "call", path) : error;
}

export async function callText(
  files: FileService,
  path: string,
  request?: Uint8Array | string,
  options?: ReadLimits,
): Promise<string> {
  return textOf(await call(files, path, request, options));
}

/** @throws FileError `corrupt` if the answer is not JSON */
export async function callJson<T = unknown>(
  files: FileService,
  path: string,
  value: unknown,
  options?: ReadLimits,
): Promise<T> {
  const answer = await call(files, path, json(value), { type: "application/json", ...options });
  return parsed(textOf(answer), "call", path) as T;
}

/**
 * The events of a file, parsed. Resolves once the watch stands, so that nothing after that is missed;
 * the loop over it ends when the signal aborts, and leaving the loop closes the handle.
 */
export async function watch<T = { readonly type: string; readonly [field: string]: unknown }>(
  files: FileService,
  path: string,
  options?: OpenOptions,
): Promise<AsyncGenerator<T, void>> {
  const handle = await files.open(path, "watch", options);
  return events<T>(handle, path);
}

async function* events<T>(handle: FileHandle, path: string): AsyncGenerator<T, void> {
  try {
    for (let chunk = await handle.read(); chunk; chunk = await handle.read()) {
      yield parsed(textOf(chunk), "watch", path) as T;
    }
  } finally {
    await handle.close();
  }
}

export async function exists(files: FileService, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, "not_found") || hasCode(error, "not_directory")) return false;
    throw error;
  }
}

/** All entries of a directory, page by page. */
export async function* entries(
  files: FileService,
  path: string,
  pageSize = MAX_LIST,
): AsyncGenerator<Entry> {
  let after: string | undefined;
  while (true) {
    const page = await files.list(path, {
      limit: pageSize,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    if (page.length < Math.min(pageSize, MAX_LIST)) return;
    after = page.at(-1)!.name;
  }
}

/** Everything below a directory, depth first, each directory before what is in it. Holds one page a level. */
export async function* walk(
  files: FileService,
  path = "/",
): AsyncGenerator<{ readonly path: string; readonly entry: Entry }> {
  const names = segments(path, "list");
  for await (const entry of entries(files, path)) {
    const child = joinPath([...names, entry.name]);
    yield { path: child, entry };
    if (entry.dir) yield* walk(files, child);
  }
}

/** Opens, uses, closes; of two faults the first one is told. */
async function using<T>(
  files: FileService,
  path: string,
  mode: Mode,
  options: OpenOptions,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await files.open(path, mode, options);
  let result: T;
  try {
    result = await use(handle);
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
  await handle.close();
  return result;
}

/** If the source of the data fails, nothing is written: the handle's signal is aborted before its close. */
async function put(
  files: FileService,
  path: string,
  mode: "write" | "append",
  data: Uint8Array | AsyncIterable<Uint8Array>,
  options: OpenOptions = {},
): Promise<void> {
  const discard = new AbortController();
  const outer = options.signal;
  const abort = () => discard.abort();
  if (outer?.aborted) abort();
  outer?.addEventListener("abort", abort);
  try {
    await using(files, path, mode, { ...options, signal: discard.signal }, async (handle) => {
      try {
        if (ArrayBuffer.isView(data)) await handle.write(data);
        else for await (const chunk of data) await handle.write(chunk);
      } catch (error) {
        abort();
        throw error;
      }
    });
  } finally {
    outer?.removeEventListener("abort", abort);
  }
}

async function all(
  handle: FileHandle,
  path: string,
  maxBytes = MAX_READ_BYTES,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let chunk = await handle.read(); chunk; chunk = await handle.read()) {
    size += chunk.length;
    if (size > maxBytes) {
      const detail = `more than ${maxBytes} bytes; read it in parts`;
      throw new FileError("too_large", "read", path, { detail, extra: { limit: maxBytes } });
    }
    chunks.push(chunk);
  }
  if (chunks.length === 1) return chunks[0]!;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value ?? null));
}

/** A byte order mark is kept: text that is read and written again is the same. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function parsed(text: string, op: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileError("corrupt", op, path, { detail: "it is not JSON", cause });
  }
}
