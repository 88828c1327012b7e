/** In which table a row lives, and the statements to reach it there. */
import { FOUND_BY_OWNER, FOUND_BY_TIME } from "../core/keys.ts";

export interface Place {
  /** The beginning of its keys; empty for the place of all families that cannot be found over owners. */
  readonly family: string;
  readonly table: "rows" | "work" | "due";
  /** (owner, key) → value */
  readonly get: string;
  /** (owner, key, value) */
  readonly put: string;
  /** (owner, key) */
  readonly remove: string;
  /** (owner, from, before, limit) → key, value */
  readonly list: string;
  /** (owner) */
  readonly drop: string;
}

/** Owners are numbers in `rows`, names elsewhere: there, what is found is told in the order of names. */
export const ROWS: Place = {
  family: "",
  table: "rows",
  get: "SELECT value FROM rows WHERE owner = ? AND key = ?",
  put: `INSERT INTO rows (owner, key, value) VALUES (?, ?, ?)
    ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value`,
  remove: "DELETE FROM rows WHERE owner = ? AND key = ?",
  list: `SELECT key, value FROM rows WHERE owner = ? AND key >= ? AND key < ?
    ORDER BY key LIMIT ?`,
  drop: "DELETE FROM rows WHERE owner = ?",
};

function found(table: "work" | "due", family: string): Place {
  const here = `family = '${family}' AND owner = ?`;
  return {
    family,
    table,
    get: `SELECT value FROM ${table} WHERE ${here} AND key = ?`,
    put: `INSERT INTO ${table} (family, owner, key, value) VALUES ('${family}', ?, ?, ?)
      ON CONFLICT (family, owner, key) DO UPDATE SET value = excluded.value`,
    remove: `DELETE FROM ${table} WHERE ${here} AND key = ?`,
    list: `SELECT key, value FROM ${table} WHERE ${here} AND key >= ? AND key < ?
      ORDER BY key LIMIT ?`,
    drop: `DELETE FROM ${table} WHERE ${here}`,
  };
}

/** Families that can be found over owners, each in its place. */
export const FOUND_PLACES: readonly Place[] = [
  ...FOUND_BY_OWNER.map((family) => found("work", family)),
  ...FOUND_BY_TIME.map((family) => found("due", family)),
];

const BY_FAMILY: ReadonlyMap<string, Place> = new Map(FOUND_PLACES.map((p) => [p.family, p]));

/** Where the row of a key, or all rows of a prefix that has a slash, live. */
export function placeOf(key: string): Place {
  const slash = key.indexOf("/");
  return slash < 0 ? ROWS : BY_FAMILY.get(key.slice(0, slash + 1)) ?? ROWS;
}
