/** An announcer whose listeners may name what they listen for: who waits for one envelope is not woken for all the others. */
import { type Announcer, announcer } from "./announce.ts";

export interface KeyedAnnouncer<T> extends Announcer<T> {
  /** Everything of that key that is told from this call on. */
  listenTo(key: string): Ear<T>;
}

export interface Ear<T> {
  /** The next one, when it is told; undefined: there will be none any more. One call at a time. */
  next(): Promise<T | undefined>;
  /** What has been told and not been asked for. */
  rest(): T[];
  end(): void;
}

export function keyedAnnouncer<T>(keyOf: (item: T) => string): KeyedAnnouncer<T> {
  const all = announcer<T>();
  const byKey = new Map<string, Set<OwnEar<T>>>();
  let ears = 0;

  function forget(key: string, ear: OwnEar<T>): void {
    const same = byKey.get(key);
    if (!same?.delete(ear)) return;
    ears--;
    if (same.size === 0) byKey.delete(key);
  }
  return {
    get listeners() {
      return all.listeners + ears;
    },
    tell(item) {
      all.tell(item);
      for (const ear of byKey.get(keyOf(item)) ?? []) ear.push(item);
    },
    listen: (signal) => all.listen(signal),
    listenTo(key) {
      const ear = makeEar<T>(() => forget(key, ear));
      const same = byKey.get(key);
      if (same) same.add(ear);
      else byKey.set(key, new Set([ear]));
      ears++;
      return ear;
    },
    end() {
      all.end();
      for (const same of [...byKey.values()]) for (const ear of [...same]) ear.end();
    },
  };
}

interface OwnEar<T> extends Ear<T> {
  push(item: T): void;
}

function makeEar<T>(onEnd: () => void): OwnEar<T> {
  const items: T[] = [];
  let over = false;
  let answer: ((item: T | undefined) => void) | undefined;

  function give(item: T | undefined): boolean {
    const waits = answer;
    answer = undefined;
    waits?.(item);
    return waits !== undefined;
  }
  return {
    push(item) {
      if (!give(item)) items.push(item);
    },
    next() {
      if (items.length > 0) return Promise.resolve(items.shift());
      if (over) return Promise.resolve(undefined);
      return new Promise((resolve) => (answer = resolve));
    },
    rest: () => items.splice(0),
    end() {
      if (over) return;
      over = true;
      onEnd();
      give(undefined);
    },
  };
}
