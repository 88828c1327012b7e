/** A copy of the database for a backup: made in the data directory, read once, and gone, whatever happens. */
import { join } from "node:path";
import { hostFileError } from "../backends/local/host_error.ts";
import type { LocalBackend } from "../backends/local/sqlite.ts";
import { FileError, retold } from "../fs/error.ts";
import type { DatabaseCopy } from "../http/backup.ts";
import type { Home } from "./home.ts";

/** Only copies are in it, and none of them outlives its server. */
const PLACE = "backup.tmp";
const CHUNK_BYTES = 256 * 1024;

/** Takes away what a server left that was killed while it made a copy. Call it when the data directory is ours. */
export function removeCopies(home: Home): void {
  try {
    Deno.removeSync(join(home.dir, PLACE), { recursive: true });
  } catch (error) {
    // What cannot be removed does no harm until the next copy, which says so.
    if (!(error instanceof Deno.errors.NotFound)) return;
  }
}

/** Makes copies, one at a time: each is as large as the database. */
export function databaseCopies(home: Home, backend: LocalBackend): () => Promise<DatabaseCopy> {
  let busy = false;
  return async () => {
    if (busy) {
      throw new FileError("conflict", "back up", "", {
        detail: "another backup is being made; try again when it has ended",
      });
    }
    busy = true;
    const end = () => {
      removeCopies(home);
      busy = false;
    };
    try {
      const path = join(home.dir, PLACE, "agentd.db");
      removeCopies(home);
      await Deno.mkdir(join(home.dir, PLACE), { mode: 0o700 });
      await backend.backup(path);
      const file = await Deno.open(path, { read: true });
      // An open file can be read where it has no name any more; and then nothing can leave it behind.
      if (Deno.build.os !== "windows") removeCopies(home);
      return { bytes: (await file.stat()).size, chunks: chunksOf(file, end) };
    } catch (error) {
      end();
      // A caller is not told where on the disk.
      throw retold(ofDisk(error), "back up", "");
    }
  };
}

/** A data directory without a place for a copy is the disk's trouble, and no path that the caller got wrong. */
function ofDisk(error: unknown): FileError {
  const told = hostFileError("back up", "", error);
  if (told.code !== "not_found") return told;
  return new FileError("io", "back up", "", { detail: told.detail!, cause: error });
}

async function* chunksOf(file: Deno.FsFile, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    while (true) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const count = await file.read(chunk);
      if (count === null) return;
      yield chunk.subarray(0, count);
    }
  } finally {
    file.close();
    end();
  }
}
