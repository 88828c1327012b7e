/** Changes in some directories, told once a while: what an editor does in several steps is one change. */
import { dirname } from "node:path";

/** A change is told when it has been quiet for so long. */
const QUIET_MS = 50;
/** And at the latest after so long. */
const MAX_WAIT_MS = 500;

export interface DirsWatch {
  /** Watches these, not what is below them, and no others. One that is not there is waited for. */
  set(dirs: Iterable<string>): void;
  /** Resolves when something has changed since the last call. */
  next(): Promise<void>;
  close(): void;
}

interface Watched {
  readonly watcher: Deno.FsWatcher;
  /** One that was removed and made again is another one. */
  readonly inode: number | null;
}

export function watchDirs(): DirsWatch {
  const watched = new Map<string, Watched>();
  let changed = Promise.withResolvers<void>();
  let lastMs = 0;

  async function hear(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind } of watcher) {
      // Reading is none.
      if (kind === "access" || kind === "other") continue;
      lastMs = Date.now();
      changed.resolve();
    }
  }

  function watch(dir: string): void {
    const { ino } = Deno.statSync(dir);
    const before = watched.get(dir);
    if (before && before.inode === ino) return;
    before?.watcher.close();
    const watcher = Deno.watchFs(dir, { recursive: false });
    watched.set(dir, { watcher, inode: ino });
    hear(watcher).catch(() => watched.delete(dir));
  }

  return {
    set(dirs) {
      const wanted = new Set(Array.from(dirs, nearest));
      for (const dir of wanted) watch(dir);
      for (const [dir, { watcher }] of watched) {
        if (wanted.has(dir)) continue;
        watched.delete(dir);
        watcher.close();
      }
    },
    async next() {
      await changed.promise;
      const endMs = Date.now() + MAX_WAIT_MS;
      for (let now = Date.now(); now < Math.min(endMs, lastMs + QUIET_MS); now = Date.now()) {
        await new Promise((done) => setTimeout(done, QUIET_MS));
      }
      changed = Promise.withResolvers();
    },
    close() {
      for (const { watcher } of watched.values()) watcher.close();
      watched.clear();
    },
  };
}

/** The directory itself, or the nearest one above it that is there. */
function nearest(dir: string): string {
  for (let at = dir;; at = dirname(at)) {
    try {
      if (Deno.statSync(at).isDirectory) return at;
    } catch {
      // One above it may be.
    }
    if (at === dirname(at)) return at;
  }
}
