/** Who watches what: one observer a path, however many watch it. */
import { refusal, type WatchEvent } from "../../fs/tree.ts";
import type { Disk, Names } from "./disk.ts";
import { type Observer, observer } from "./observer.ts";
import type { Places } from "./place.ts";
import { openWatchers } from "./watchers.ts";

/** Different paths that are watched at a time; each takes one of the few watchers that the host gives a user, or some. */
const MAX_OBSERVED = 16;

export interface Observers {
  /** Every event from the call on, until the signal aborts. @throws FileError `too_large`, `rate_limited`, `quota_exceeded` */
  watch(names: Names, dir: boolean, signal: AbortSignal): AsyncIterableIterator<WatchEvent>;
  /** One of our own changes. */
  told(names: Names, type: "created" | "modified" | "deleted", version: string | undefined): void;
  close(): void;
}

export function openObservers(disk: Disk, places: Places): Observers {
  const all = new Map<string, Observer>();
  const deps = { disk, places, watchers: openWatchers() };

  function find(names: Names, dir: boolean): Observer {
    const key = names.join("/");
    const known = all.get(key);
    if (known) return known;
    if (all.size >= MAX_OBSERVED) {
      throw refusal("rate_limited", `at most ${MAX_OBSERVED} paths are watched at a time`);
    }
    const made = observer(deps, names, dir, () => {
      if (all.get(key) === made) all.delete(key);
    });
    all.set(key, made);
    return made;
  }

  return {
    watch: (names, dir, signal) => find(names, dir).listen(signal),
    told(names, type, version) {
      for (const one of all.values()) one.told(names, type, version);
    },
    close() {
      for (const one of [...all.values()]) one.close();
      all.clear();
    },
  };
}
