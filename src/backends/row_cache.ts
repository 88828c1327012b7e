/** A few megabytes of rows as they stand in the database, so that what every tick checks need not be asked for. */

export interface RowCache {
  get(key: string): Uint8Array | undefined;
  set(key: string, value: Uint8Array): void;
  delete(key: string): void;
  clear(): void;
}

/** One generation; the cache holds two, so at most twice this, plus names. */
const GENERATION_BYTES = 8 * 1024 * 1024;
/** What a row costs beside its value: map entry, key, array header. */
const ROW_OVERHEAD_BYTES = 200;
/** Larger values are cheap to fetch compared with what else is done with them. */
const MAX_CACHED_BYTES = 64 * 1024;

/** When the young generation is full it becomes the old one, and what nobody asked for since is forgotten. */
export function rowCache(generationBytes = GENERATION_BYTES): RowCache {
  let young = new Map<string, Uint8Array>();
  let old = new Map<string, Uint8Array>();
  let youngBytes = 0;

  function keep(key: string, value: Uint8Array): void {
    young.set(key, value);
    youngBytes += value.byteLength + ROW_OVERHEAD_BYTES;
    if (youngBytes <= generationBytes) return;
    old = young;
    young = new Map();
    youngBytes = 0;
  }

  function forget(key: string): void {
    const value = young.get(key);
    if (value) {
      young.delete(key);
      youngBytes -= value.byteLength + ROW_OVERHEAD_BYTES;
    }
    old.delete(key);
  }

  return {
    get(key) {
      const value = young.get(key);
      if (value) return value;
      const aged = old.get(key);
      if (aged) {
        old.delete(key);
        keep(key, aged);
      }
      return aged;
    },
    set(key, value) {
      forget(key);
      if (value.byteLength <= MAX_CACHED_BYTES) keep(key, value);
    },
    delete: forget,
    clear() {
      young = new Map();
      old = new Map();
      youngBytes = 0;
    },
  };
}
