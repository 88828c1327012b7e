/** One page of a directory: the names behind another in byte order, what each is, and how many names cannot be told. */
import { type Entry, MAX_LIST } from "../../fs/file.ts";
import { byteOrder, segmentFault } from "../../fs/path.ts";
import { type Paging, refusal } from "../../fs/tree.ts";
import { type Disk, isSame, lookSurely, moving, type Names, proven, TRIES } from "./disk.ts";
import { hosted } from "./host_error.ts";
import { isOwn, type Place, type Places } from "./place.ts";

/**
 * Deno gives the names of a directory all at once, some 50 MB for 100,000 of them, so that the directory's own size bounds
 * the memory. So large is one of 100,000 names of any length.
 */
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024;
/** Names behind a page that are kept for the next ones, of the directory that was read last. */
const MAX_AHEAD = 16 * MAX_LIST;
/** Names that are held while the first ones are sought. */
const MAX_SOUGHT = 2 * MAX_AHEAD;
/** A directory that was changed so lately may change again without showing it. */
const STILL_MS = 1000;
/** The page's names are looked at so often before they are believed to be in this directory. */
const LIST_ROUNDS = 10;

export interface Listed {
  readonly entries: Entry[];
  /** Names that are no segment of a path: not UTF-8, or with control characters. */
  readonly unnamed: number;
}

export interface Listing {
  /**
   * Pages do not overlap, and hold what stood there throughout. `left` is told of leftovers of our own.
   * @throws FileError `too_large` for a directory whose names do not fit into memory, `conflict` when it is replaced again and again
   */
  list(place: Place, page: Paging, left: (name: string) => void): Listed;
}

export function openListing(disk: Disk, places: Places): Listing {
  let ahead: Ahead | undefined;

  /** Names behind `after`: from the last reading, if that goes on from there and the directory has not changed since. */
  function namesBehind(place: Place, after: string | undefined, left: (name: string) => void) {
    const info = mustBeListed(disk.look(place.real));
    if (ahead && isStill(ahead, info) && after !== undefined) {
      const names = ahead.names.filter((name) => byteOrder(name, after) > 0);
      const from = ahead.from;
      if (names.length > 0 && (from === undefined || byteOrder(from, after) <= 0)) {
        return { names, more: ahead.more, unnamed: ahead.unnamed };
      }
    }
    const read = readNames(disk, place, after, left);
    const isQuiet = Date.now() - (info.mtime?.getTime() ?? Infinity) > STILL_MS;
    ahead = isQuiet && read.names.length > MAX_LIST ? { ...read, from: after, info } : undefined;
    return read;
  }

  return {
    list(place, { after, limit }, left) {
      const entries: Entry[] = [];
      for (let from = after;;) {
        const { names, more, unnamed } = namesBehind(place, from, left);
        for (let at = 0; at < names.length && entries.length < limit;) {
          const some = names.slice(at, at + Math.min(limit - entries.length, MAX_LIST));
          entries.push(...surely(disk, places, place, some));
          at += some.length;
        }
        from = names.at(-1);
        if (entries.length >= limit || !more) return { entries, unnamed };
      }
    },
  };
}

interface Ahead extends Read {
  readonly from: string | undefined;
  readonly info: Deno.FileInfo;
}

function isStill({ info }: Ahead, now: Deno.FileInfo): boolean {
  return isSame(info, now) && info.mtime?.getTime() === now.mtime?.getTime();
}

/** A directory whose names fit into memory. @throws FileError `not_found`, `not_directory`, `too_large` */
export function mustBeListed(info: Deno.FileInfo | undefined): Deno.FileInfo {
  if (!info) throw refusal("not_found");
  if (!info.isDirectory) throw refusal("not_directory", "only a directory can be listed");
  if (info.size <= MAX_DIRECTORY_BYTES) return info;
  throw refusal("too_large", "the directory has too many entries to be listed", {
    limit: MAX_DIRECTORY_BYTES,
    size: info.size,
  });
}

interface Seen {
  readonly entry: Entry;
  readonly names: Names;
  readonly was: Deno.FileInfo;
}

/**
 * The entries of those names, each seen time and again to be in this directory: only what is there every time is. What is
 * replaced meanwhile is looked at once more.
 */
function surely(
  disk: Disk,
  places: Places,
  place: Place,
  names: readonly string[],
  again = true,
): Entry[] {
  for (let n = 0; n < TRIES; n++) {
    disk.mustStand();
    const passed = disk.pass(place.real);
    const seen = look(disk, places, place, names);
    const replaced: string[] = [];
    const narrow = () => {
      for (const [name, { names, was }] of seen) {
        const now = disk.look(names);
        if (now && isSame(now, was)) continue;
        seen.delete(name);
        if (now) replaced.push(name);
      }
      return true;
    };
    if (!proven(passed, narrow, LIST_ROUNDS)) continue;
    disk.mustStand();
    const entries = [...seen.values()].map(({ entry }) => entry);
    if (!again || replaced.length === 0) return entries;
    return [...entries, ...surely(disk, places, place, replaced, false)]
      .sort((a, b) => byteOrder(a.name, b.name));
  }
  throw moving();
}

function look(
  disk: Disk,
  places: Places,
  place: Place,
  names: readonly string[],
): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const name of names) {
    const found = places.step(place, name);
    if (found.kind !== "file" && found.kind !== "directory") continue;
    const { entry, real } = found.place;
    if (entry.join("/") === real.join("/")) {
      seen.set(name, { entry: entryOf(name, found.info), names: entry, was: found.info });
      continue;
    }
    const [link, end] = [disk.look(entry), endOf(disk, real)];
    if (link && end) seen.set(name, { entry: entryOf(name, end), names: entry, was: link });
  }
  return seen;
}

/** What a link leads to; one whose end is on the move is left out. */
function endOf(disk: Disk, real: Names): Deno.FileInfo | undefined {
  try {
    return lookSurely(disk, real);
  } catch {
    return undefined;
  }
}

function entryOf(name: string, info: Deno.FileInfo): Entry {
  const time = info.mtime ? { modified: info.mtime.getTime() } : {};
  return info.isDirectory ? { name, dir: true, ...time } : {
    name,
    dir: false,
    size: info.size,
    ...time,
  };
}

interface Read {
  /** In byte order, `MAX_AHEAD` at the most. */
  readonly names: readonly string[];
  /** There are names behind these. */
  readonly more: boolean;
  readonly unnamed: number;
}

/** The first names behind `after`, of all that the directory has. */
function readNames(
  disk: Disk,
  place: Place,
  after: string | undefined,
  left: (name: string) => void,
): Read {
  let first: string[] = [];
  let [unnamed, more] = [0, false];
  const narrow = () => {
    first.sort(byteOrder);
    more ||= first.length > MAX_AHEAD;
    first = first.slice(0, MAX_AHEAD);
  };
  for (const { name, isFile, isDirectory, isSymlink } of hosted(() => namesIn(disk, place))) {
    if (isOwn(name)) left(name);
    else if (isLost(disk, place, name)) unnamed++;
    else if (isFile || isDirectory || isSymlink) {
      if (after !== undefined && byteOrder(name, after) <= 0) continue;
      first.push(name);
      if (first.length >= MAX_SOUGHT) narrow();
    }
  }
  narrow();
  return { names: [...new Set(first)], more, unnamed };
}

function namesIn(disk: Disk, place: Place): Deno.DirEntry[] {
  return [...Deno.readDirSync(disk.path(place.real))];
}

/** No path can name it: it breaks the grammar, or its bytes were no UTF-8 and Deno has put U+FFFD in their place. */
function isLost(disk: Disk, place: Place, name: string): boolean {
  if (segmentFault(name) !== undefined) return true;
  return name.includes("\ufffd") && disk.look([...place.real, name]) === undefined;
}
