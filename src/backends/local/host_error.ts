/** What the operating system and SQLite say, as errors of ours that name the path and what to do about it. */
import { type Code, FileError } from "../../fs/error.ts";

interface Meaning {
  readonly code: Code;
  readonly todo: string;
}

const FULL: Meaning = {
  code: "quota_exceeded",
  todo:
    "the disk is full: nothing of this was stored; free some space, what comes next works again",
};
const DENIED: Meaning = {
  code: "permission_denied",
  todo: "this user may not write here: give the directory to it, or choose another",
};
const CORRUPT: Meaning = {
  code: "corrupt",
  todo: "the file is damaged or no database; nothing was overwritten; restore it from a backup",
};
const IO: Meaning = { code: "io", todo: "the disk or file system failed" };

/** An error of Deno's file functions. */
export function hostFileError(op: string, path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const { code, todo } = meaningOfHost(error);
  return new FileError(code, op, path, { detail: `${todo}: ${text(error)}`, cause: error });
}

function meaningOfHost(error: unknown): Meaning {
  const { errors } = Deno;
  if (error instanceof errors.NotCapable) {
    return { code: "permission_denied", todo: "Deno was not given read and write access here" };
  }
  const os = (error as { code?: unknown }).code;
  if (error instanceof errors.PermissionDenied || os === "EROFS") return DENIED;
  if (os === "ENOSPC" || os === "EDQUOT") return FULL;
  if (error instanceof errors.NotFound) return { code: "not_found", todo: "there is no such path" };
  if (error instanceof errors.NotADirectory || os === "ENOTDIR") {
    return { code: "not_directory", todo: "a file stands where a directory should be" };
  }
  if (error instanceof errors.IsADirectory || os === "EISDIR") {
    return { code: "is_directory", todo: "a directory stands where a file should be" };
  }
  if (error instanceof errors.AlreadyExists || os === "EEXIST") {
    return {
      code: "already_exists",
      todo: "something stands there already and is not overwritten",
    };
  }
  return IO;
}

/** SQLite's primary result codes. */
const BY_RESULT: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [3, DENIED],
  [5, { code: "timeout", todo: "another program holds the database; close it" }],
  [6, { code: "timeout", todo: "another program holds the database; close it" }],
  [7, { code: "out_of_memory", todo: "SQLite got no memory" }],
  [8, DENIED],
  [11, CORRUPT],
  [13, FULL],
  [14, DENIED],
  [26, CORRUPT],
]);
/** SQLITE_IOERR_SHMSIZE: no room for the index of the log. */
const IOERR_SHMSIZE = 10 | (19 << 8);

/** Where an error carries no number (opening, preparing), its sentence does. */
const BY_SENTENCE: readonly (readonly [string, number])[] = [
  ["not a database", 26],
  ["malformed", 11],
  ["database or disk is full", 13],
  ["readonly database", 8],
  ["unable to open database", 14],
  ["is locked", 5],
  ["out of memory", 7],
];

/** An error of `node:sqlite`. */
export function sqliteError(op: string, path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const result = (error as { errcode?: unknown }).errcode;
  const sentence = text(error);
  const primary = typeof result === "number"
    ? result & 0xff
    : BY_SENTENCE.find(([part]) => sentence.includes(part))?.[1];
  const meaning = result === IOERR_SHMSIZE ? FULL : BY_RESULT.get(primary ?? -1) ?? IO;
  return new FileError(meaning.code, op, path, {
    detail: `${meaning.todo}: ${sentence}`,
    cause: error,
  });
}

/** An error of either. */
export function worldError(op: string, path: string, error: unknown): FileError {
  return (error as { code?: unknown }).code === "ERR_SQLITE_ERROR"
    ? sqliteError(op, path, error)
    : hostFileError(op, path, error);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
