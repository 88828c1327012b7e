/** A file that is there whole or not at all: private from its first byte, written beside its place and moved there at the end. */
import { basename, dirname, join, resolve } from "node:path";
import type { Call } from "./call.ts";
import { EXIT, trouble } from "./exit.ts";
import { cannot, removeQuietly } from "./home.ts";

/** Only the owner may look: what an agent knows is nobody else's business. */
const FILE_MODE = 0o600;

export interface Whole {
  /** As it was written on the command line. */
  readonly path: string;
  /** Takes the place of a file that is there. */
  readonly force: boolean;
}

/** Refuses early, before anybody works for it. @throws an error that says what to do */
export function mayWrite(call: Call, { path, force }: Whole): void {
  const there = lookAt(resolve(call.cwd, path));
  if (there?.isDirectory) {
    throw trouble(EXIT.failed, `${path} is a directory`, "Name a file in it.");
  }
  if (there && !force) throw isThere(path);
}

/**
 * Writes what comes. Ctrl-C, a full disk or chunks that fail leave nothing behind, and the old file where there was one.
 * @returns bytes
 */
export async function writeWhole(
  call: Call,
  { path, force }: Whole,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  const place = resolve(call.cwd, path);
  const part = join(dirname(place), `.${basename(place)}.${crypto.randomUUID().slice(0, 8)}.part`);
  const forget = () => removeQuietly(part);
  call.hurry.addEventListener("abort", forget);
  try {
    const bytes = await writePart(part, path, chunks);
    moveInto(place, part, path, force);
    return bytes;
  } catch (error) {
    forget();
    throw error;
  } finally {
    call.hurry.removeEventListener("abort", forget);
  }
}

async function writePart(
  part: string,
  shown: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  using file = ours(shown, () =>
    Deno.openSync(part, {
      write: true,
      createNew: true,
      mode: FILE_MODE,
    }));
  let bytes = 0;
  for await (const chunk of chunks) {
    ours(shown, () => {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
    });
    bytes += chunk.length;
  }
  ours(shown, () => file.syncSync());
  return bytes;
}

/** A link refuses a name that has been taken in the meantime; a move would not. */
function moveInto(place: string, part: string, shown: string, force: boolean): void {
  if (!force) {
    try {
      Deno.linkSync(part, place);
      return removeQuietly(part);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw isThere(shown);
      // This file system has no links.
      if (lookAt(place)) throw isThere(shown);
    }
  }
  ours(shown, () => Deno.renameSync(part, place));
}

function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

function isThere(path: string): Error {
  return trouble(EXIT.failed, `${path} is there already`, "Name another file, or say --force.");
}

/** The disk's errors in the words of a person; others as they are. */
function ours<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw trouble(EXIT.failed, `Cannot write ${path}: its directory is not there`);
    }
    throw cannot("write", path, error);
  }
}
