/** What the laws of files need of whoever keeps them: files, and a few places in them where something may be tried. */
import type { FileHandle, FileService, Mode, OpenOptions } from "../../src/fs/file.ts";
import { exists } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import type { Law } from "../law.ts";

/**
 * What a subject has; a law is asked only of those that have all it needs.
 * - `scratch`: a directory, empty or not there before the first write, whose files can be written, read and removed
 * - `append`, `parts`: its files can be appended to, and written from an offset on
 * - `versions`: its files have a version, a size and a time, and `match` is kept
 * - `nested`: writing below it makes directories
 * - `limit`: one write takes `maxBytes` at the most
 * - `watch`, `watch_dir`: its files, and the directory itself, can be watched
 * - `stream`, `gap`: a file of events; and its oldest can be made to go
 * - `call`: a file that answers
 */
export type Feature =
  | "scratch"
  | "append"
  | "parts"
  | "versions"
  | "nested"
  | "limit"
  | "watch"
  | "watch_dir"
  | "stream"
  | "gap"
  | "call";

export interface Scratch {
  readonly dir: string;
  /** `limit`: more than this in one write is `too_large`. */
  readonly maxBytes?: number;
}

export interface StreamPlace {
  readonly path: string;
  /** Adds one event; done when it is kept. */
  emit(): Promise<void>;
  /** `gap`: lets the oldest event that is kept go, or a few of the oldest. */
  forget?(): Promise<void>;
}

export interface CallPlace {
  readonly path: string;
  /** The nth request, and what must come back for it; another n, another answer. */
  request(n: number): Uint8Array;
  answer(n: number): Uint8Array;
  /** How often it has been performed. */
  performed(): Promise<number>;
}

export interface FileSubject {
  readonly files: FileService;
  readonly scratch?: Scratch;
  readonly stream?: StreamPlace;
  readonly call?: CallPlace;
}

export interface FileLaw extends Law<FileSubject> {
  readonly needs: readonly Feature[];
}

export const MODES: readonly Mode[] = ["read", "write", "append", "call", "watch"];

/** The path of a name in the scratch directory. */
export function inScratch({ scratch }: FileSubject, name = ""): string {
  holds(scratch, "the subject gives a scratch directory");
  return name ? `${scratch.dir === "/" ? "" : scratch.dir}/${name}` : scratch.dir;
}

export function streamOf({ stream }: FileSubject): StreamPlace {
  holds(stream, "the subject gives a stream file");
  return stream;
}

export function callOf({ call }: FileSubject): CallPlace {
  holds(call, "the subject gives a call file");
  return call;
}

/** Opens, uses, and closes whatever happened. */
export async function withHandle<T>(
  files: FileService,
  path: string,
  mode: Mode,
  use: (handle: FileHandle) => Promise<T>,
  options?: OpenOptions,
): Promise<T> {
  const handle = await files.open(path, mode, options);
  try {
    return await use(handle);
  } finally {
    await handle.close().catch(() => {});
  }
}

/** The error with which `run` rejects. */
export async function faultOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Every byte, over and over. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

/** Nothing of `path` may be seen, by any verb. */
export async function isAbsent(subject: FileSubject, name: string, when: string): Promise<void> {
  const { files } = subject;
  const path = inScratch(subject, name);
  await refuses("not_found", () => files.stat(path), `stat ${when}`);
  await refuses("not_found", () => files.open(path, "read"), `open to read ${when}`);
  await refuses("not_found", () => files.remove(path), `remove ${when}`);
  const names = await exists(files, inScratch(subject))
    ? (await files.list(inScratch(subject))).map((e) => e.name)
    : [];
  holds(!names.includes(name), `it is not listed ${when}`);
}

/** As `same`, for many bytes. */
export function sameBytes(got: Uint8Array, want: Uint8Array, what: string): void {
  same(got.length, want.length, `length of ${what}`);
  const at = got.findIndex((byte, i) => byte !== want[i]);
  holds(at < 0, `${what}: byte ${at} is ${got[at]}, want ${want[at]}`);
}
