/** A data directory and its database file, made private where they are new, looked at before SQLite touches them where they are not. */
import { FileError } from "../../fs/error.ts";
import { hostFileError } from "./host_error.ts";

/** "AGTD", in the header of every database of ours. */
export const APPLICATION_ID = 0x41475444;

const MAGIC = "SQLite format 3\0";
const USER_VERSION_OFFSET = 60;
const APPLICATION_ID_OFFSET = 68;
const HEADER_BYTES = 100;

/** Makes the directory, and those above it, if there is none. @throws FileError `not_directory`, `permission_denied` … */
export async function makeDataDir(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    // A path that exists as something else is told as such, whatever mkdir called it.
    if (await isFile(dir)) {
      throw new FileError("not_directory", "open", dir, {
        detail: "a data directory is wanted, and this is a file",
      });
    }
    throw hostFileError("create", dir, error);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return !(await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

export interface Found {
  /** There was no database, or one whose making was cut off; a private file is there now. */
  readonly isNew: boolean;
  /** The schema version in the file; undefined where a log is beside it, which may say otherwise. */
  readonly version: number | undefined;
}

/**
 * Looks at the database file without SQLite, which would leave traces.
 * @throws FileError `corrupt` for what is no database, `not_supported` for another program's; neither is touched
 */
export async function findDatabase(path: string): Promise<Found> {
  const header = await readHeader(path);
  if (header.length === 0 || await isUnmade(path)) return { isNew: true, version: 0 };
  const magic = new TextDecoder("latin1").decode(header.subarray(0, MAGIC.length));
  if (magic !== MAGIC || header.length < HEADER_BYTES) {
    throw new FileError("corrupt", "open", path, {
      detail: "this is no SQLite database; it was left as it is; restore it from a backup or " +
        "move it away",
    });
  }
  const numbers = new DataView(header.buffer);
  const id = numbers.getUint32(APPLICATION_ID_OFFSET);
  if (id !== APPLICATION_ID) {
    throw new FileError("not_supported", "open", path, {
      detail: `this database belongs to another program (application_id ${id}); it was left as ` +
        "it is; use another directory",
    });
  }
  const logged = await hasBytes(`${path}-wal`);
  return { isNew: false, version: logged ? undefined : numbers.getUint32(USER_VERSION_OFFSET) };
}

/** The first bytes of the file, as many as there are. */
async function readHeader(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    using file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    const header = new Uint8Array(HEADER_BYTES);
    return header.subarray(0, await readUpTo(file, header));
  } catch (error) {
    throw hostFileError("open", path, error);
  }
}

/** What a rollback journal begins with, and where it says how many pages there were before. */
const JOURNAL_MAGIC = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const JOURNAL_PAGES_OFFSET = 16;
const JOURNAL_HEADER_BYTES = 28;

/**
 * A power cut in the very first moments of a database leaves any part of its first page, and a journal which says that there was nothing before. SQLite
 * takes it back to that when it opens it.
 */
async function isUnmade(path: string): Promise<boolean> {
  const journal = new Uint8Array(JOURNAL_HEADER_BYTES);
  try {
    using file = await Deno.open(`${path}-journal`);
    if (await readUpTo(file, journal) < journal.length) return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw hostFileError("open", `${path}-journal`, error);
  }
  return JOURNAL_MAGIC.every((byte, n) => journal[n] === byte) &&
    new DataView(journal.buffer).getUint32(JOURNAL_PAGES_OFFSET) === 0;
}

async function hasBytes(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw hostFileError("open", path, error);
  }
}

async function readUpTo(file: Deno.FsFile, into: Uint8Array): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const n = await file.read(into.subarray(at));
    if (n === null) break;
    at += n;
  }
  return at;
}

/** Makes sure that names made in the directory outlast a power cut. Where directories cannot be synced (Windows) they need not be. */
export async function syncDir(dir: string): Promise<void> {
  try {
    const file = await Deno.open(dir);
    try {
      await file.sync();
    } finally {
      file.close();
    }
  } catch {
    // The database itself is synced by SQLite; this is only for its name.
  }
}
