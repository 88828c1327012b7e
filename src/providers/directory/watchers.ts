/** The host's watchers of directories, for all who observe something in one mounted directory. What they hear comes in strokes. */
import { refusal } from "../../fs/tree.ts";
import { refused } from "./host_error.ts";

/** What comes within one stroke is told at once: a program that saves a file changes it several times. */
const SETTLE_MS = 30;
/** The host's watchers, before they become one again: directories that are new get a new one. */
const MAX_WATCHERS = 16;
/** Paths of one stroke. Beyond that it is cheaper to look at everything. */
const MAX_HEARD = 20_000;
/**
 * Events that older Denos hold for a watcher. More than that are dropped without a word (denoland/deno#35122), and what
 * looks at directories makes events too: so everything is looked at, until nothing was found this many times.
 */
const HELD_BEFORE_2_9 = 16;
const DROPS = before("2.9.0");
const FRUITLESS_LOOKS = 2;
const LOOK_MS = 100;
/** Directories may go while they are about to be watched. */
const TRIES = 5;

export interface Hearer {
  /** Host paths, and whether what stands there may be another thing than before. */
  hear(paths: ReadonlyMap<string, boolean>): void;
  /** Something was not heard: everything is to be looked at. Whether that told something. */
  miss(): boolean;
}

export interface Watchers {
  /** From now on the hearer hears of these directories too; of all others that are watched as well. @throws FileError `quota_exceeded` */
  watch(hearer: Hearer, paths: readonly string[]): void;
  leave(hearer: Hearer): void;
}

interface Watching {
  readonly watcher: Deno.FsWatcher;
  /** Resolves when the host has let go of it. */
  readonly ended: Promise<void>;
}

export function openWatchers(): Watchers {
  const hearers = new Map<Hearer, Set<string>>();
  /** Paths that the host was asked to watch; those where another directory may stand by now are stale. */
  const asked = new Set<string>();
  const stale = new Set<string>();
  let all: Watching[] = [];
  let heard = new Map<string, boolean>();
  let missed = false;
  /** Events in this stroke, and how often everything is still to be looked at after it. */
  let events = 0;
  let looks = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let rebuilding = false;

  function watch(hearer: Hearer, paths: readonly string[]): void {
    const own = hearers.get(hearer) ?? new Set();
    hearers.set(hearer, own);
    for (const path of paths) own.add(path);
    const fresh = paths.filter((path) => !asked.has(path));
    if (fresh.length > 0 && !rebuilding) start(fresh);
    if (all.length > MAX_WATCHERS || paths.some((path) => stale.has(path))) rebuild();
  }

  /** @throws FileError `quota_exceeded` */
  function start(paths: readonly string[]): void {
    const there = paths.filter(isThere);
    if (there.length === 0) return;
    const watcher = watchPaths(there);
    for (const path of there) asked.add(path);
    all.push({ watcher, ended: listen(watcher) });
  }

  async function listen(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind, paths, flag } of watcher) {
        events++;
        if (kind === "access") continue;
        const renews = kind !== "modify";
        for (const path of paths) {
          heard.set(path, renews || heard.get(path) === true);
          if (renews && asked.has(path)) stale.add(path);
        }
        missed ||= flag === "rescan" || heard.size > MAX_HEARD;
        timer ??= setTimeout(settle, SETTLE_MS);
      }
    } catch {
      missed = true;
      timer ??= setTimeout(settle, SETTLE_MS);
    }
  }

  function settle(): void {
    timer = undefined;
    if (DROPS && events >= HELD_BEFORE_2_9) looks = FRUITLESS_LOOKS;
    const [paths, isAll] = [heard, missed || looks > 0];
    heard = new Map();
    missed = false;
    events = 0;
    let found = false;
    for (const hearer of [...hearers.keys()]) {
      if (!isAll) hearer.hear(paths);
      else if (hearer.miss()) found = true;
    }
    if (looks === 0) return;
    looks = found ? FRUITLESS_LOOKS : looks - 1;
    if (looks > 0 && hearers.size > 0) timer ??= setTimeout(settle, LOOK_MS);
  }

  /**
   * All watchers anew. Where a directory went and another came, Deno takes the path for watched as long as any watcher of
   * before is there, and it is there until its last event has been waited for.
   */
  async function rebuild(): Promise<void> {
    if (rebuilding) return;
    rebuilding = true;
    const old = all;
    all = [];
    for (const { watcher } of old) watcher.close();
    await Promise.all(old.map(({ ended }) => ended));
    rebuilding = false;
    asked.clear();
    stale.clear();
    if (hearers.size === 0) return;
    const wanted = new Set<string>();
    for (const own of hearers.values()) {
      for (const path of own) {
        if (isThere(path)) wanted.add(path);
        else own.delete(path);
      }
    }
    try {
      start([...wanted]);
    } catch {
      // Those who look at everything now want the same again, and are told that it cannot be had.
    }
    missed = true;
    timer ??= setTimeout(settle, SETTLE_MS);
  }

  return {
    watch,
    leave(hearer) {
      hearers.delete(hearer);
      if (hearers.size > 0) return;
      for (const { watcher } of all) watcher.close();
      all = [];
      asked.clear();
      stale.clear();
      clearTimeout(timer);
      timer = undefined;
      looks = 0;
    },
  };
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Each directory for itself: a watcher of all below would follow links, out of the directory and over the whole host. */
function watchPaths(paths: readonly string[]): Deno.FsWatcher {
  for (let n = 1;; n++) {
    try {
      return Deno.watchFs(paths.filter(isThere), { recursive: false });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && n < TRIES) continue;
      if (["ENOSPC", "EMFILE"].includes((error as { code?: string }).code ?? "")) {
        throw refusal("quota_exceeded", "the host watches no more directories for this user");
      }
      throw refused(error);
    }
  }
}

function before(version: string): boolean {
  return Deno.version.deno.localeCompare(version, "en", { numeric: true }) < 0;
}
