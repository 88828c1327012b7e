/** What the laws of storage are tried on, and the few words in which they are written. */
import { holds } from "../expect.ts";
import type { Law } from "../law.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { AgentStorage, Batch, Row } from "../../src/core/storage.ts";

export interface StorageSubject {
  /** Without any rows. */
  readonly backend: Backend;
  /** Gives the backend up and opens its rows again, as after a restart. May be called again on what it gave. */
  reopen(): Promise<Backend>;
}

export type StorageLaw = Law<StorageSubject>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** `get` as text. */
export async function textOf(storage: AgentStorage, key: string): Promise<string | undefined> {
  const value = await storage.get(key);
  return value && decoder.decode(value);
}

/** Rows as `key=text`. */
export function shown(rows: readonly Row[]): string[] {
  return rows.map(({ key, value }) => `${key}=${decoder.decode(value)}`);
}

/** All rows under a prefix, as `key=text`. */
export async function all(storage: AgentStorage, prefix = ""): Promise<string[]> {
  return shown(await storage.list({ prefix }));
}

/** Rows of texts by key; keys are told as pairs where an object would not keep them (`__proto__`). */
export function rowsOf(texts: Readonly<Record<string, string>>): Row[] {
  return Object.entries(texts).map(([key, text]) => ({ key, value: bytes(text) }));
}

export function puts(texts: Readonly<Record<string, string>>): Batch {
  return { check: [], remove: [], put: rowsOf(texts) };
}

export function removes(...keys: string[]): Batch {
  return { check: [], remove: keys, put: [] };
}

/** A batch that expects `key` to hold `text` (undefined: to be absent) and puts. */
export function expecting(
  key: string,
  text: string | undefined,
  put: Readonly<Record<string, string>> = {},
): Batch {
  return {
    check: [{ key, value: text === undefined ? undefined : bytes(text) }],
    remove: [],
    put: rowsOf(put),
  };
}

/** More pages than any law has; a storage that ignores where to go on is told so, instead of asked for ever. */
const MAX_PAGES = 1000;

/** What pages hold, put together: `next` gives the page behind the last thing of the one before. */
export async function inPages<T>(
  limit: number,
  next: (after: T | undefined) => Promise<readonly T[]>,
): Promise<T[]> {
  const whole: T[] = [];
  for (let n = 0; n < MAX_PAGES; n++) {
    const page = await next(whole.at(-1));
    holds(page.length <= limit, `a page of at most ${limit} has ${page.length}`);
    if (page.length === 0) return whole;
    whole.push(...page);
  }
  throw new Error(`pages of ${limit} do not come to an end`);
}
