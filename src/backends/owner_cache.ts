/** Owners' numbers and the rows that every tick reads again, as they stand in the database. Bounded; what is forgotten is asked for again. */
import type { Owner } from "../core/backend.ts";

/** An owner that has a number. Values in `hot` are never changed by anyone. */
export interface KnownOwner {
  readonly id: number;
  readonly hot: Map<string, Uint8Array>;
  /** The highest `seen/` key that was ever there; undefined before anybody asked. */
  top: string | undefined;
  /** What `hot` was given since it was last empty: at least what it holds. */
  hotBytes: number;
}

export interface OwnerCache {
  get(owner: Owner): KnownOwner | undefined;
  learn(owner: Owner, id: number): KnownOwner;
  /** Keeps a row of an owner, if it is worth it; the row that stood under that key is forgotten in any case. */
  keep(known: KnownOwner, key: string, value: Uint8Array): void;
  forget(owner: Owner): void;
  clear(): void;
}

/** One generation; the cache holds two. */
const GENERATION_BYTES = 16 * 1024 * 1024;
/** One owner's rows. */
const OWNER_BYTES = 1024 * 1024;
/** Larger values are cheap to fetch compared with what else is done with them. */
const MAX_HOT_BYTES = 64 * 1024;
/** What an owner and what a row cost beside their bytes: map entry, key, header. */
const OVERHEAD_BYTES = 200;
/** A value may keep alive so many times its own size of the array that it is part of; it pays for the whole. */
const MAX_SHARE = 16;

/** When the young generation is full it becomes the old one; who is asked for comes along, the others are forgotten with the next. */
export function ownerCache(generationBytes = GENERATION_BYTES): OwnerCache {
  let young = new Map<Owner, KnownOwner>();
  let old = new Map<Owner, KnownOwner>();
  let youngBytes = 0;

  function add(owner: Owner, known: KnownOwner): KnownOwner {
    young.set(owner, known);
    youngBytes += known.hotBytes + OVERHEAD_BYTES;
    return known;
  }

  return {
    get(owner) {
      if (youngBytes > generationBytes) {
        old = young;
        young = new Map();
        youngBytes = 0;
      }
      const known = young.get(owner);
      if (known) return known;
      const aged = old.get(owner);
      return aged && add(owner, aged);
    },
    learn: (owner, id) => add(owner, { id, hot: new Map(), top: undefined, hotBytes: 0 }),
    keep(known, key, value) {
      if (value.byteLength > MAX_HOT_BYTES) {
        known.hot.delete(key);
        return;
      }
      const own = value.buffer.byteLength <= value.byteLength * MAX_SHARE ? value : value.slice();
      const bytes = own.buffer.byteLength + OVERHEAD_BYTES;
      if (known.hotBytes + bytes > OWNER_BYTES) {
        known.hot.clear();
        known.hotBytes = 0;
      }
      known.hot.set(key, own);
      known.hotBytes += bytes;
      youngBytes += bytes;
    },
    forget(owner) {
      young.delete(owner);
      old.delete(owner);
    },
    clear() {
      young = new Map();
      old = new Map();
      youngBytes = 0;
    },
  };
}
