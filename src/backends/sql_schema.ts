/** The tables, how they came to be version by version, and a view for each kind of row so that people can look with `sqlite3`. */
import { key, registryKey, runtimeKey } from "../core/keys.ts";
import { placeOf } from "./sql_place.ts";

/**
 * Each step takes a database from the version of its index to the next; steps are never changed once released.
 * - `rows`: an owner's rows, its name interned.
 * - `work`, `due`: the rows of families that can be found over owners, by owner or by time, apart from the others, so
 *   that looking for work costs what there is to do and not what there is.
 * - `dropped`: owners that are gone but whose rows are still being swept.
 * - `families`: which families stand outside `rows`, and where.
 * - `log`: what has been written of late and does not stand in the other tables yet.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    "CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
    `CREATE TABLE rows (owner INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
      PRIMARY KEY (owner, key)) WITHOUT ROWID`,
    `CREATE TABLE work (family TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL,
      value BLOB NOT NULL, PRIMARY KEY (family, owner, key)) WITHOUT ROWID`,
    `CREATE TABLE due (family TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL,
      value BLOB NOT NULL, PRIMARY KEY (family, owner, key)) WITHOUT ROWID`,
    "CREATE INDEX due_by_time ON due (key, owner)",
    "CREATE TABLE dropped (id INTEGER PRIMARY KEY)",
    "CREATE TABLE families (prefix TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID",
  ],
  ["CREATE TABLE log (seq INTEGER PRIMARY KEY, written BLOB NOT NULL)"],
];

export const SCHEMA_VERSION = MIGRATIONS.length;

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `json` is the value's text if it is JSON, else NULL. */
const SHOWN = `length(value) AS bytes,
  CASE WHEN json_valid(CAST(value AS TEXT)) THEN CAST(value AS TEXT) END AS json`;

export interface View {
  readonly name: string;
  readonly sql: string;
}

/** What follows from `keys.ts`; a view is made anew whenever its text has changed, which takes no new version. */
export const VIEWS: readonly View[] = viewsOf([key, registryKey, runtimeKey]);

/** The key, or for a family what all its keys begin with. */
function familyOf(entry: unknown): string {
  if (typeof entry === "string") return entry;
  const sample = (entry as (...parts: unknown[]) => string)(["x"], ["x"]);
  return sample.slice(0, sample.indexOf("/") + 1);
}

/** `agent` and `agent/` are looked at through one view. */
function viewsOf(lists: readonly object[]): View[] {
  const named = new Map<string, Set<string>>();
  for (const entry of lists.flatMap((list) => Object.values(list))) {
    const family = familyOf(entry);
    const name = family.replace("/", "");
    named.set(name, (named.get(name) ?? new Set()).add(family));
  }
  return [...named].map(([name, families]) => ({
    name,
    sql: `CREATE VIEW "${name}" AS ${[...families].map(lookAt).join(" UNION ALL ")}`,
  }));
}

/** "0" comes behind "/". */
function lookAt(family: string): string {
  const { table } = placeOf(family);
  if (table !== "rows") {
    return `SELECT owner, key, ${SHOWN} FROM ${table} WHERE family = ${quoted(family)}`;
  }
  const range = family.endsWith("/")
    ? `key >= ${quoted(family)} AND key < ${quoted(family.slice(0, -1) + "0")}`
    : `key = ${quoted(family)}`;
  return `SELECT name AS owner, key, ${SHOWN} FROM owners JOIN rows ON owner = id WHERE ${range}`;
}
