/** Which server owns a data directory: `server.json`, locked for as long as it lives, and `pid` for shells. */
import { join } from "node:path";
import { hasCode } from "../fs/error.ts";
import { EXIT, trouble } from "./exit.ts";
import { cannot, type Home, removeQuietly, shownIn, writePrivate } from "./home.ts";

const NOTE = "server.json";
const PID = "pid";

export interface ServerNote {
  /** `http://127.0.0.1:8080` or `unix:/run/agentd.sock`. */
  readonly url: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly started_at: string;
  readonly version: string;
}

export type Seen =
  | { readonly state: "none" }
  /** It ended without a word: it was killed, or the machine was. */
  | { readonly state: "killed" }
  /** Something holds the lock; without a note it is still starting, or stopping. */
  | { readonly state: "running"; readonly note?: ServerNote };

/**
 * Is a server running on this data directory? The lock is what counts: the operating system takes it from a server that was killed, so
 * that the token never goes to whoever has taken the port since.
 */
export function seeServer(home: Home): Seen {
  const path = join(home.dir, NOTE);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { state: "none" };
    throw cannot("read", shownIn(home, NOTE), error);
  }
  try {
    if (file.tryLockSync(false)) return { state: "killed" };
    const note = parseNote(Deno.readTextFileSync(path));
    return note ? { state: "running", note } : { state: "running" };
  } finally {
    file.close();
  }
}

function parseNote(text: string): ServerNote | undefined {
  if (text === "") return undefined;
  try {
    const value = JSON.parse(text) as ServerNote;
    return typeof value?.url === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The refusal of a second server on the same data directory, naming the first; other errors as they are. */
export function heldBy(home: Home, error: unknown): unknown {
  const seen = hasCode(error, "conflict") ? seeServer(home) : undefined;
  const note = seen?.state === "running" ? seen.note : undefined;
  if (!note) return error;
  return trouble(
    EXIT.failed,
    `${home.shown} is used by pid ${note.pid} (agentd at ${note.url})`,
    `Stop it with "kill ${note.pid}", or say --home DIR for another directory.`,
  );
}

export interface HeldNote {
  /** Says where the server is, once it listens. */
  tell(note: ServerNote): void;
  /** Takes both files away. */
  remove(): void;
}

/**
 * Takes the note's lock. Call it when the data directory's database is already ours, so that nobody but a client who looks for an instant
 * can hold it.
 */
export async function holdNote(home: Home): Promise<HeldNote> {
  const path = join(home.dir, NOTE);
  const file = await openLocked(path);
  file.truncateSync(0);
  writePrivate(home, PID, `${Deno.pid}\n`);
  return {
    tell(note) {
      file.truncateSync(0);
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode(JSON.stringify(note) + "\n"));
    },
    remove() {
      removeQuietly(path);
      removeQuietly(join(home.dir, PID));
      file.close();
    },
  };
}

async function openLocked(path: string): Promise<Deno.FsFile> {
  const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  await file.lock(true);
  return file;
}
