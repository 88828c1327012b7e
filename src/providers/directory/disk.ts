/** The mounted directory as the host has it: what stands where, and whether a name still leads into it. Nothing here follows a symbolic link, but `target`. */
import { refusal } from "../../fs/tree.ts";
import { hosted, isAbsence } from "./host_error.ts";

/** Names below the mounted directory. */
export type Names = readonly string[];

/** One thing of the disk, however it is called: two names with one identity are one file. */
export interface Identity {
  readonly dev: number;
  readonly ino: number;
}

/** A directory that is passed on the way to something, and what it was when it was first looked at. */
export interface Passed extends Identity {
  readonly path: string;
}

export interface Disk {
  /** The host's path. It stays within this room: no error, about or event tells it. */
  path(names: Names): string;
  /** The names of a host path; undefined outside of the directory. */
  names(path: string): Names | undefined;
  /** What stands there, links being what they are; undefined if nothing does. */
  look(names: Names): Deno.FileInfo | undefined;
  /** The directories to pass from the mounted one down to `names`, itself among them. @throws FileError `not_found`, `not_directory` */
  pass(names: Names): readonly Passed[];
  /** Where a link leads to, if that is within the directory. */
  target(names: Names): Names | undefined;
  /** @throws FileError `not_ready` when the mounted directory itself has been moved or replaced */
  mustStand(): void;
}

/**
 * The directory of that path, which is the real one: no part of it is a link.
 * @throws FileError `not_found`, `not_directory`
 */
export function openDisk(root: string): Disk {
  const base = root === "/" ? "" : root;
  const pinned = hosted(() => Deno.lstatSync(root));
  if (!pinned.isDirectory || hosted(() => Deno.realPathSync(root)) !== root) {
    throw refusal("not_directory", "a link or a file stands where the directory was");
  }

  const path = (names: Names) => names.length === 0 ? root : `${base}/${names.join("/")}`;

  function look(names: Names): Deno.FileInfo | undefined {
    return lookAt(path(names));
  }

  function pass(names: Names): readonly Passed[] {
    return names.map((_, i) => {
      const at = path(names.slice(0, i + 1));
      const info = lookAt(at);
      if (!info) throw refusal("not_found");
      if (!info.isDirectory) throw refusal("not_directory", "a file has nothing below it");
      return { path: at, ...identityOf(info) };
    });
  }

  function target(names: Names): Names | undefined {
    try {
      return namesOf(Deno.realPathSync(path(names)));
    } catch {
      // Where it leads to is nothing, a circle, or not for us to see.
      return undefined;
    }
  }

  function namesOf(path: string): Names | undefined {
    if (path === root) return [];
    return path.startsWith(`${base}/`) ? path.slice(base.length + 1).split("/") : undefined;
  }

  function mustStand(): void {
    const now = lookAt(root);
    if (now && isSame(now, pinned)) return;
    throw refusal(
      "not_ready",
      "the directory that was mounted has been moved or replaced; an operator may mount it again",
    );
  }

  return { path, names: namesOf, look, pass, target, mustStand };
}

function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    return hosted(() => {
      throw error;
    });
  }
}

/**
 * What tells this thing from every other.
 * @throws FileError `not_supported` for a number that JavaScript would round, so that two things may seem to be one
 */
export function identityOf({ dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): Identity {
  if (!Number.isSafeInteger(dev) || !Number.isSafeInteger(ino)) {
    throw refusal("not_supported", "this file system numbers its files beyond 2^53");
  }
  return { dev, ino: ino! };
}

export function isSame(
  a: Pick<Deno.FileInfo, "dev" | "ino">,
  b: Pick<Deno.FileInfo, "dev" | "ino">,
): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Changes whenever the content does, as far as the host's clock of files shows it: milliseconds. */
export function versionOf({ ino, size, mtime }: Pick<Deno.FileInfo, "ino" | "size" | "mtime">) {
  return [ino ?? 0, size, mtime?.getTime() ?? 0].map((n) => n.toString(36)).join("-");
}

/** What is replaced each time while it is looked at is given up after so many tries. */
export const TRIES = 8;
/** So many rounds are proof enough: whoever deceives all of them has guessed as many coins. */
const PROOF_ROUNDS = 24;

/**
 * Is what `look` sees within the directories that were passed?
 *
 * The host knows only paths, and whoever may rename in the mounted directory can put a link to the outside in the place of
 * a directory on the way, for the microsecond in which we pass it, and back before we look at that directory. So we look
 * again and again, at every directory and at the end of the path, in an order that only chance knows. The end must be what
 * we have, and each directory what it was: if what we have is outside, the first is true only while the link is there, the
 * second only while it is not. Who does not know the order cannot be right in a round more often than every second time.
 */
export function proven(
  passed: readonly Passed[],
  look: () => boolean,
  rounds = PROOF_ROUNDS,
): boolean {
  if (passed.length === 0) return look();
  for (let round = 0; round < rounds; round++) {
    for (const turn of shuffled(passed.length + 1)) {
      const directory = passed[turn];
      if (!(directory ? isUnchanged(directory) : look())) return false;
    }
  }
  return true;
}

/**
 * For a change that only a path can name: the directories have been what they are for as long as a proof takes, and are
 * so now. Whoever exchanges them all the time changes nothing through us.
 * @throws FileError `conflict`
 */
export function mustBeSteady(passed: readonly Passed[]): void {
  if (!proven(passed, () => true) || !passed.every(isUnchanged)) throw moving();
}

/**
 * What stands there, proven to be within the directory; undefined if nothing does.
 * @throws FileError `conflict` when it is replaced again and again
 */
export function lookSurely(disk: Disk, names: Names): Deno.FileInfo | undefined {
  for (let n = 0; n < TRIES; n++) {
    const info = disk.look(names);
    if (!info) return undefined;
    if (provenThere(disk, names, info, disk.pass(names.slice(0, -1)))) return info;
  }
  throw moving();
}

export function moving() {
  return refusal("conflict", "a directory on the way, or the file, is being replaced; try again");
}

/** Is it this that stands under the name, within the directories that were passed? */
export function provenThere(
  disk: Disk,
  names: Names,
  what: Pick<Deno.FileInfo, "dev" | "ino">,
  passed: readonly Passed[],
): boolean {
  return proven(passed, () => {
    const now = disk.look(names);
    return now !== undefined && isSame(now, what);
  });
}

/** The directory is what it was, and no link. */
export function isUnchanged(directory: Passed): boolean {
  const now = lookAt(directory.path);
  return now !== undefined && now.isDirectory && isSame(now, directory);
}

/** 0 to `count - 1`, in an order by chance. */
function shuffled(count: number): number[] {
  const turns = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = below(i + 1);
    [turns[i], turns[other]] = [turns[other]!, turns[i]!];
  }
  return turns;
}

const chance = new Uint32Array(1024);
let used = chance.length;

/** An integer below `limit` that nobody can foresee. */
function below(limit: number): number {
  if (used === chance.length) {
    crypto.getRandomValues(chance);
    used = 0;
  }
  return chance[used++]! % limit;
}
