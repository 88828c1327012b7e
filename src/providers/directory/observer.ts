/**
 * What happens to one file, or to the files below one directory: our own changes as they are made, those of others as the
 * host tells of them. Only what is there, or was known to be, is told, so that nothing is learnt of what is elsewhere. Links
 * are not followed.
 */
import { feed } from "../../fs/feed.ts";
import { segmentFault } from "../../fs/path.ts";
import { refusal, type WatchEvent } from "../../fs/tree.ts";
import { type Disk, isUnchanged, type Names, versionOf } from "./disk.ts";
import { refused } from "./host_error.ts";
import { mustBeListed } from "./listing.ts";
import type { Places } from "./place.ts";
import type { Hearer, Watchers } from "./watchers.ts";

/** Directories below a watched one, and the files in them. Who has more watches a part of it. */
const MAX_DIRECTORIES = 20_000;
const MAX_FILES = 200_000;
/** The coarsest clock of a file system's times that is in use: FAT's two seconds. */
const CLOCK_STEP_MS = 2_000;
/** Of a file that is there, and of which nothing was told yet. */
const UNTOLD = "";

export interface ObserverDeps {
  readonly disk: Disk;
  readonly places: Places;
  readonly watchers: Watchers;
}

export interface Observer {
  listen(signal: AbortSignal): AsyncIterableIterator<WatchEvent>;
  told(names: Names, type: "created" | "modified" | "deleted", version: string | undefined): void;
  close(): void;
}

/**
 * `left` is called when nobody listens any more, and it is closed then.
 * @throws FileError `too_large` for a directory with too much below it, `quota_exceeded` when the host gives no more watchers
 */
export function observer(
  { disk, places, watchers }: ObserverDeps,
  scope: Names,
  dir: boolean,
  left: () => void,
): Observer {
  const events = feed();
  /** Files by their path below the mounted directory, with the version that was last told. */
  const files = new Map<string, string>();
  /** Directories whose files are known, and when each was last changed before it was read. */
  const directories = new Map<string, number>();
  const hearer: Hearer = {
    hear: (paths) =>
      surely(() => {
        for (const [path, renewed] of paths) compareHeard(path, renewed);
      }),
    miss() {
      const before = told;
      surely(() => compare(scope, dir));
      return told > before;
    },
  };
  let closed = false;
  /** Events that were told. */
  let told = 0;

  function isWithin(names: Names): boolean {
    const fits = dir ? names.length > scope.length : names.length === scope.length;
    return fits && scope.every((name, i) => names[i] === name) && !places.isHidden(names) &&
      names.every((name) => segmentFault(name) === undefined);
  }

  function tell(key: string, type: string, version?: string): void {
    const name = dir ? { name: key.split("/").slice(scope.length).join("/") } : {};
    told++;
    events.tell({ type, ...name, ...(version ? { version } : {}) });
  }

  /** What stands there, if no directory on the way is a link. */
  function look(names: Names): Deno.FileInfo | undefined {
    try {
      const passed = disk.pass(names.slice(0, -1));
      const info = disk.look(names);
      return passed.every(isUnchanged) ? info : undefined;
    } catch {
      return undefined;
    }
  }

  /** Holds what stands there against what was told of it. */
  function compare(names: Names, renewed = false): void {
    const key = names.join("/");
    const info = look(names);
    if (info?.isFile && isWithin(names)) found(key, versionOf(info));
    else if (!info?.isDirectory || !dir) gone(key);
    else if (renewed || !directories.has(key)) renew(names, key);
  }

  /** A directory that is new: nobody watches it yet, whatever stood there before. */
  function renew(names: Names, key: string): void {
    for (const known of below(directories, key)) directories.delete(known);
    learn([names], (child) => compare(child));
    for (const file of below(files, key)) compare(file.split("/"));
  }

  function found(key: string, version: string): void {
    const before = files.get(key);
    if (before === version) return;
    files.set(key, version);
    tell(key, before === undefined ? "created" : "modified", version);
  }

  /** A file, or a directory with all that was known in it. */
  function gone(key: string): void {
    if (files.delete(key)) tell(key, "deleted");
    if (!directories.has(key)) return;
    for (const known of below(directories, key)) directories.delete(known);
    for (const file of below(files, key)) {
      files.delete(file);
      tell(file, "deleted");
    }
  }

  /** Takes directories in, with all below them; `meet` gets every file that is not known yet. */
  function learn(tops: readonly Names[], meet: (names: Names) => void): void {
    const fresh: Names[] = [];
    for (let todo = [...tops], names = todo.pop(); names; names = todo.pop()) {
      const info = look(names);
      if (!info?.isDirectory || directories.has(names.join("/"))) continue;
      mustBeListed(info);
      mustFit();
      directories.set(names.join("/"), timeOf(info));
      fresh.push(names);
      todo.push(...read(names, meet));
    }
    watch(fresh);
    // Between the look and the watcher something may have come.
    for (const names of fresh) {
      const info = look(names);
      if (info?.isDirectory && mayDiffer(info, directories.get(names.join("/")))) {
        learn(read(names, meet), meet);
      }
    }
  }

  /** The directories in a directory. */
  function read(names: Names, meet: (names: Names) => void): Names[] {
    const below: Names[] = [];
    for (const { name, isFile, isDirectory } of namesIn(names)) {
      const child = [...names, name];
      if (!isWithin(child)) continue;
      if (isDirectory) below.push(child);
      else if (isFile && !files.has(child.join("/"))) meet(child);
    }
    return below;
  }

  function namesIn(names: Names): Deno.DirEntry[] {
    try {
      return [...Deno.readDirSync(disk.path(names))];
    } catch {
      // It has gone, or may not be read: nothing in it is known.
      return [];
    }
  }

  function mustFit(): void {
    if (directories.size < MAX_DIRECTORIES && files.size < MAX_FILES) return;
    throw refusal(
      "too_large",
      `at most ${MAX_DIRECTORIES} directories and ${MAX_FILES} files are watched; watch a part`,
      { limit: MAX_FILES },
    );
  }

  /** The directory above tells when the watched one goes and comes again. */
  function watch(fresh: readonly Names[]): void {
    if (fresh.length === 0 || closed) return;
    const above = scope.length === 0 ? [] : [disk.path(scope.slice(0, -1))];
    watchers.watch(hearer, [...fresh.map(disk.path), ...above]);
  }

  function surely(run: () => void): void {
    try {
      if (!closed) run();
    } catch {
      // More than can be watched has come: who watches is told that not all is told any more.
      events.tell({ type: "gap" });
    }
  }

  function compareHeard(path: string, renewed: boolean): void {
    const names = disk.names(path);
    if (names && (isWithin(names) || names.join("/") === scope.join("/"))) {
      compare(names, renewed);
    }
  }

  function close(): void {
    if (closed) return;
    closed = true;
    watchers.leave(hearer);
    left();
  }

  try {
    if (dir) learn([scope], (names) => files.set(names.join("/"), UNTOLD));
    else {
      watch([scope.slice(0, -1)]);
      const info = look(scope);
      if (info?.isFile) files.set(scope.join("/"), versionOf(info));
    }
  } catch (error) {
    close();
    throw refused(error);
  }

  return {
    close,
    listen(signal) {
      const listening = events.listen(signal);
      const end = () => {
        signal.removeEventListener("abort", end);
        if (events.listeners === 0) close();
      };
      // The feed listens to the signal too, and has been told before.
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
      return listening;
    },
    told(names, type, version) {
      if (!isWithin(names)) return;
      const key = names.join("/");
      if (type === "deleted") return gone(key);
      files.set(key, version ?? UNTOLD);
      tell(key, type, version);
    },
  };
}

/** The keys of a directory and of what is below it. */
function below(map: ReadonlyMap<string, unknown>, key: string): string[] {
  const prefix = key === "" ? "" : `${key}/`;
  return [...map.keys()].filter((known) => known === key || known.startsWith(prefix));
}

/** A change right after another one may leave the same time on the directory. */
function mayDiffer(info: Deno.FileInfo, before: number | undefined): boolean {
  return timeOf(info) !== before || Math.abs(Date.now() - timeOf(info)) < CLOCK_STEP_MS;
}

function timeOf({ mtime }: Deno.FileInfo): number {
  return mtime?.getTime() ?? 0;
}
