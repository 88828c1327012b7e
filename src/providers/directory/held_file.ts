/** A file of the disk that is open, and proven to be within the mounted directory before a byte of it moves. */
import fs from "node:fs";
import { refusal } from "../../fs/tree.ts";
import {
  type Disk,
  identityOf,
  moving,
  mustBeSteady,
  type Names,
  provenThere,
  TRIES,
} from "./disk.ts";
import { hosted, refused } from "./host_error.ts";

/** Bytes that are read or written in one go. */
export const CHUNK_BYTES = 256 * 1024;

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } =
  fs.constants;
const FLAGS = { read: O_RDONLY, write: O_WRONLY, append: O_WRONLY | O_APPEND } as const;

export interface HeldFile {
  readonly fd: number;
  readonly info: fs.Stats;
}

/**
 * Opens a file that is there. It is neither made nor truncated; a link, a device, a fifo or a socket is not opened, or,
 * should one have taken the file's place in between, closed again unread. Nothing of it makes the caller wait: a fifo
 * is opened without waiting for its other end.
 * @throws FileError `not_found`, `is_directory`, `permission_denied`, `conflict` when it is replaced again and again
 */
export function holdFile(disk: Disk, names: Names, mode: keyof typeof FLAGS): HeldFile {
  const flags = FLAGS[mode] | O_NOFOLLOW | O_NONBLOCK;
  const path = disk.path(names);
  for (let n = 0; n < TRIES; n++) {
    disk.mustStand();
    const passed = disk.pass(names.slice(0, -1));
    const before = disk.look(names);
    if (!before) throw refusal("not_found");
    if (before.isDirectory) throw refusal("is_directory", "list it");
    if (!before.isFile) throw refusal("not_found");
    const fd = hosted(() => fs.openSync(path, flags));
    try {
      const info = infoOf(fd);
      identityOf(info);
      if (info.isFile() && provenThere(disk, names, info, passed)) {
        disk.mustStand();
        return { fd, info };
      }
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    fs.closeSync(fd);
  }
  throw moving();
}

/**
 * Makes a file of that name, which must not exist, and proves that it came to stand within the mounted directory.
 * Should it not, it stays empty where it is: a file without a byte, under a name by chance.
 */
export function makeFile(disk: Disk, names: Names, permissions: number): HeldFile {
  disk.mustStand();
  const passed = disk.pass(names.slice(0, -1));
  const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  mustBeSteady(passed);
  const fd = hosted(() => fs.openSync(disk.path(names), flags, permissions));
  try {
    const info = infoOf(fd);
    identityOf(info);
    if (!provenThere(disk, names, info, passed)) throw moving();
    disk.mustStand();
    return { fd, info };
  } catch (error) {
    fs.closeSync(fd);
    removeQuietly(disk, names);
    throw error;
  }
}

/** Some versions of Deno know where an open file is, and refuse one that is outside themselves. */
function infoOf(fd: number): fs.Stats {
  try {
    return fs.fstatSync(fd);
  } catch (error) {
    if ((error as { name?: unknown }).name === "NotCapable") throw moving();
    throw refused(error);
  }
}

/** For a name by chance: wherever it leads, nobody else's file has it. */
export function removeQuietly(disk: Disk, names: Names): void {
  try {
    fs.unlinkSync(disk.path(names));
  } catch {
    // It is gone already, or out of reach; a leftover is removed when its directory is listed.
  }
}

/** The same for a directory of ours, if it is empty. What did not belong into it stays, unharmed. */
export function removeBin(disk: Disk, names: Names): void {
  try {
    fs.rmdirSync(disk.path(names));
  } catch {
    // As above.
  }
}

/** Up to `CHUNK_BYTES` from `at`; undefined at the end of the file. */
export function readChunk(fd: number, at: number, most = CHUNK_BYTES): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.min(most, CHUNK_BYTES));
  const count = hosted(() => fs.readSync(fd, bytes, 0, bytes.length, at));
  return count === 0 ? undefined : bytes.subarray(0, count);
}

/** All of it, however many calls that takes; without `at`, to the end as it then is. */
export function writeChunk(fd: number, data: Uint8Array, at?: number): void {
  for (let done = 0; done < data.length;) {
    const position = at === undefined ? null : at + done;
    done += hosted(() => fs.writeSync(fd, data, done, data.length - done, position));
  }
}

/**
 * The file's bytes from `offset`, at most `length`. The descriptor is closed at the end, on an error, and when `signal`
 * aborts, whether or not anybody ever reads.
 */
export function chunksOf(
  fd: number,
  { offset = 0, length = Infinity }: { readonly offset?: number; readonly length?: number },
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const end = offset + length;
  let at = offset;
  let open = true;
  const close = () => {
    if (open) fs.closeSync(fd);
    open = false;
    signal.removeEventListener("abort", close);
  };
  if (signal.aborted) close();
  else signal.addEventListener("abort", close);

  const done = { done: true, value: undefined } as const;
  const iterator: AsyncIterator<Uint8Array> = {
    // deno-lint-ignore require-await -- its refusals are rejections
    async next() {
      try {
        const chunk = open && at < end ? readChunk(fd, at, end - at) : undefined;
        if (!chunk) close();
        else at += chunk.length;
        return chunk ? { done: false, value: chunk } : done;
      } catch (error) {
        close();
        throw error;
      }
    },
    return() {
      close();
      return Promise.resolve(done);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
