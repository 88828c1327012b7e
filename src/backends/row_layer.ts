/** Rows in memory that lie over those of a database: for each owner what stands, and what is gone. Any range of them is told in the order of keys. */
import type { Owner } from "../core/backend.ts";

/** A row's bytes; null: there is none any more, whatever lies below. */
export type Laid = Uint8Array | null;
export type LaidRow = readonly [key: string, value: Laid];

export interface RowLayer {
  /** Undefined: it says nothing of this row. */
  get(owner: Owner, key: string): Laid | undefined;
  /** Answers what stood before; undefined: nothing was said. */
  set(owner: Owner, key: string, value: Laid): Laid | undefined;
  /** Takes a `set` back. */
  undo(owner: Owner, key: string, before: Laid | undefined): void;
  /** Rows whose keys begin with `prefix`, from the key `from` on, in order. Not to be read on after a `set`. */
  range(owner: Owner, prefix: string, from: string): Generator<LaidRow, void>;
  /** All of it: owner by owner, family by family, in the order of keys. */
  all(): Generator<readonly [owner: Owner, key: string, value: Laid], void>;
  /** What it holds, with what a row costs beside its bytes. */
  readonly bytes: number;
}

/** Keys with the same beginning, up to their first "/". Most come in order, and those cost no search. */
interface Family {
  readonly values: Map<string, Laid>;
  readonly keys: string[];
  sorted: boolean;
}

/** Key, map entry and header. */
const OVERHEAD_BYTES = 200;

export function rowLayer(): RowLayer {
  const owners = new Map<Owner, Map<string, Family>>();
  let bytes = 0;

  function find(owner: Owner, key: string): Family | undefined {
    return owners.get(owner)?.get(familyName(key));
  }
  function make(owner: Owner, key: string): Family {
    let families = owners.get(owner);
    if (!families) owners.set(owner, families = new Map());
    const made: Family = { values: new Map(), keys: [], sorted: true };
    families.set(familyName(key), made);
    return made;
  }
  function familiesAt(owner: Owner, prefix: string): Family[] {
    const families = owners.get(owner);
    if (!families) return [];
    if (prefix.includes("/")) {
      const one = families.get(familyName(prefix));
      return one ? [one] : [];
    }
    return [...families].filter(([name]) => name === "" || name.startsWith(prefix))
      .map(([, family]) => family);
  }

  return {
    get bytes() {
      return bytes;
    },
    get: (owner, key) => find(owner, key)?.values.get(key),
    set(owner, key, value) {
      const family = find(owner, key) ?? make(owner, key);
      const before = family.values.get(key);
      if (before === undefined) {
        addKey(family, key);
        bytes += OVERHEAD_BYTES;
      }
      family.values.set(key, value);
      count(before, value);
      return before;
    },
    undo(owner, key, before) {
      const family = find(owner, key)!;
      const now = family.values.get(key);
      count(now, before);
      if (before !== undefined) {
        family.values.set(key, before);
        return;
      }
      family.values.delete(key);
      family.keys.splice(family.keys.lastIndexOf(key), 1);
      bytes -= OVERHEAD_BYTES;
    },
    *range(owner, prefix, from) {
      const families = familiesAt(owner, prefix);
      const only = families.length === 1 ? families[0]! : mixed(families);
      const keys = sortedKeys(only);
      for (let i = firstFrom(keys, from > prefix ? from : prefix); i < keys.length; i++) {
        const key = keys[i]!;
        if (!key.startsWith(prefix)) return;
        yield [key, only.values.get(key)!];
      }
    },
    *all() {
      for (const [owner, families] of owners) {
        for (const name of [...families.keys()].sort()) {
          const family = families.get(name)!;
          for (const key of sortedKeys(family)) yield [owner, key, family.values.get(key)!];
        }
      }
    },
  };

  function count(before: Laid | undefined, after: Laid | undefined): void {
    bytes += (after?.byteLength ?? 0) - (before?.byteLength ?? 0);
  }
}

function familyName(key: string): string {
  return key.slice(0, key.indexOf("/") + 1);
}

function addKey(family: Family, key: string): void {
  const { keys } = family;
  if (keys.length > 0 && key < keys[keys.length - 1]!) family.sorted = false;
  keys.push(key);
}

function sortedKeys(family: Family): readonly string[] {
  if (!family.sorted) family.keys.sort();
  family.sorted = true;
  return family.keys;
}

/** Only for a prefix without "/", which few ask for. */
function mixed(families: readonly Family[]): Family {
  const values = new Map(families.flatMap((family) => [...family.values]));
  return { values, keys: [...values.keys()], sorted: false };
}

/** The place of the first key that is not below `from`. */
function firstFrom(keys: readonly string[], from: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
