/** Is the database still where its path says? An open file can be written long after its directory is gone, and nobody would ever read it. */
import { FileError } from "../../fs/error.ts";
import type { SqlPort } from "../sql_port.ts";

/**
 * The port, which begins no transaction once another file, or none, stands at the path: what is accepted must be found again. It goes on when the file is back.
 * A look costs some microseconds, a commit some hundred.
 */
export function whileThere(port: SqlPort, path: string): SqlPort {
  const own = idOf(path);
  // Where files have no numbers they cannot be told apart.
  if (own === undefined) return port;
  return {
    ...port,
    transaction(run) {
      if (idOf(path) !== own) throw moved(path);
      return port.transaction(run);
    },
  };
}

/** Device and number of the file; undefined for none. */
function idOf(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return ino === null ? undefined : `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function moved(path: string): FileError {
  return new FileError("io", "commit", path, {
    detail:
      "the data directory was moved or removed while the server runs: nothing is stored, since nobody " +
      "would find it again; put it back, or stop the server and start it where the data is",
  });
}
