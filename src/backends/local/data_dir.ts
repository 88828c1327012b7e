/** A data directory and its database file, made private where they are new, looked at before SQLite touches them where they are not. */
import { FileError } from "../../fs/error.ts";
import { hostFileError } from "./host_error.ts";

/** "AGTD", in the header of every database of ours. */
export const APPLICATION_ID = 0x41475444;

const MAGIC = "SQLite format 3\0";
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

/**
 * Is there a database yet? Makes an empty private file if not.
 * @throws FileError `corrupt` for what is no database, `not_supported` for another program's; neither is touched
 */
export async function isNewDatabase(path: string): Promise<boolean> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw hostFileError("open", path, error);
  }
  const header = new Uint8Array(HEADER_BYTES);
  let size: number;
  try {
    size = (await file.stat()).size;
    if (size > 0) await readFully(file, header);
  } catch (error) {
    throw hostFileError("read", path, error);
  } finally {
    file.close();
  }
  if (size === 0) return true;
  if (new TextDecoder("latin1").decode(header.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new FileError("corrupt", "open", path, {
      detail: "this is no SQLite database; it was left as it is; restore it from a backup or " +
        "move it away",
    });
  }
  const id = new DataView(header.buffer).getUint32(APPLICATION_ID_OFFSET);
  if (id !== APPLICATION_ID) {
    throw new FileError("not_supported", "open", path, {
      detail: `this database belongs to another program (application_id ${id}); it was left as ` +
        "it is; use another directory",
    });
  }
  return false;
}

async function readFully(file: Deno.FsFile, into: Uint8Array): Promise<void> {
  for (let at = 0; at < into.length;) {
    const n = await file.read(into.subarray(at));
    if (n === null) return;
    at += n;
  }
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
