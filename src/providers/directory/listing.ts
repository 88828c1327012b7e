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
/** Names that are held while the first ones of a page are sought. */
const MAX_SOUGHT = 4 * MAX_LIST;
/** The page's names are looked at so often before they are believed to be in this directory. */
const LIST_ROUNDS = 10;

export interface Listed {
  readonly entries: Entry[];
  /** Names that are no segment of a path: not UTF-8, or with control characters. */
  readonly unnamed: number;
}

/**
 * Pages do not overlap, and hold what stood there throughout. `left` is told of leftovers of our own.
 * @throws FileError `too_large` for a directory whose names do not fit into memory, `conflict` when it is replaced again and again
 */
export function listDirectory(
  disk: Disk,
  places: Places,
  place: Place,
  { after, limit }: Paging,
  left: (name: string) => void,
): Listed {
  const entries: Entry[] = [];
  let from = after;
  while (true) {
    const { names, more, unnamed } = firstNames(disk, place, from, left);
    const wanted = limit - entries.length;
    for (let at = 0; at < names.length && entries.length < limit; at += wanted) {
      entries.push(...surely(disk, places, place, names.slice(at, at + wanted)));
    }
    from = names.at(-1);
    // What was read too much for this page comes again with the next.
    if (entries.length >= limit) return { entries: entries.slice(0, limit), unnamed };
    if (!more) return { entries, unnamed };
  }
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
    const [link, end] = [disk.look(entry), lookSurely(disk, real)];
    if (link && end) seen.set(name, { entry: entryOf(name, end), names: entry, was: link });
  }
  return seen;
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

interface First {
  /** In byte order, `MAX_LIST` at the most. */
  readonly names: readonly string[];
  /** There are names behind these. */
  readonly more: boolean;
  readonly unnamed: number;
}

/** The first names behind `after`, of all that the directory has. */
function firstNames(
  disk: Disk,
  place: Place,
  after: string | undefined,
  left: (name: string) => void,
): First {
  const info = disk.look(place.real);
  if (!info) throw refusal("not_found");
  if (!info.isDirectory) throw refusal("not_directory", "only a directory can be listed");
  if (info.size > MAX_DIRECTORY_BYTES) {
    throw refusal("too_large", "the directory has too many entries to be listed", {
      limit: MAX_DIRECTORY_BYTES,
      size: info.size,
    });
  }
  let first: string[] = [];
  let [unnamed, more] = [0, false];
  const narrow = () => {
    first.sort(byteOrder);
    more ||= first.length > MAX_LIST;
    first = first.slice(0, MAX_LIST);
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
