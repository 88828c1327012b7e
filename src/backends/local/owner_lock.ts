/** One process at a time owns a data directory: a lock of the operating system, which ends with its holder however that ends, on a file that says who holds it. */
import { FileError } from "../../fs/error.ts";
import { hostFileError } from "./host_error.ts";

export interface OwnerLock {
  release(): void;
}

const LOCK_FILE = "agentd.lock";

/** What the file says of its holder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Does not wait.
 * @throws FileError `conflict` naming the holder, if the directory is owned already (by this process too)
 */
export async function lockOwner(dir: string, nowMs: number): Promise<OwnerLock> {
  const path = `${dir}/${LOCK_FILE}`;
  const file = await openLock(path);
  try {
    if (!await file.tryLock(true)) {
      throw new FileError("conflict", "open", dir, {
        detail: `another process owns this data directory: ${await holderIn(path)}; ` +
          "stop it first, or use another directory",
      });
    }
    const holder: Holder = {
      pid: Deno.pid,
      host: hostName(),
      since: new Date(nowMs).toISOString(),
    };
    await rewrite(file, JSON.stringify(holder) + "\n");
  } catch (error) {
    file.close();
    throw hostFileError("lock", path, error);
  }
  return {
    release() {
      // A disk that is full or gone must not keep the lock.
      try {
        file.truncateSync();
      } catch {
        // The note stays; it names a holder only while somebody holds the lock.
      }
      try {
        // A subprocess that is being started at this moment still has the file open, and would keep the lock until it runs.
        file.unlockSync();
      } finally {
        file.close();
      }
    },
  };
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw hostFileError("open", path, error);
  }
}

async function rewrite(file: Deno.FsFile, text: string): Promise<void> {
  await file.truncate();
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(text));
}

/** The note may be unreadable, half written or not yet there; the lock holds all the same. */
async function holderIn(path: string): Promise<string> {
  try {
    const { pid, host, since } = JSON.parse(await Deno.readTextFile(path)) as Holder;
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return `its note ${path} does not say which`;
  }
}

/** Asks for nothing that was not granted, so that no prompt appears. */
function hostName(): string {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : "this machine";
}
