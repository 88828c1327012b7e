/** The tables, how they came to be version by version, and a view for each kind of row so that people can look with `sqlite3`. */
import { FOUND_BY_OWNER, FOUND_BY_TIME, key, registryKey, runtimeKey } from "../core/keys.ts";

/**
 * Each step takes a database from the version of its index to the next; steps are never changed once released.
 * - `rows`: an owner's rows, its name interned.
 * - `work`: the rows of families that can be found over owners, apart from the others, so that looking for work costs
 *   what there is to do and not what there is.
 * - `dropped`: owners that are gone but whose rows are still being swept.
 * - `families`: which families stand in `work`.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    "CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
    `CREATE TABLE rows (owner INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
      PRIMARY KEY (owner, key)) WITHOUT ROWID`,
    `CREATE TABLE work (family TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
      PRIMARY KEY (family, owner, key)) WITHOUT ROWID`,
    "CREATE TABLE dropped (id INTEGER PRIMARY KEY)",
    "CREATE TABLE families (prefix TEXT PRIMARY KEY) WITHOUT ROWID",
  ],
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Families that live in `work`. */
export const WORK_FAMILIES: ReadonlySet<string> = new Set([...FOUND_BY_OWNER, ...FOUND_BY_TIME]);

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The condition under which the index `due` is there, and which a query must repeat word by word to use it. */
export const IS_TIMED = `family IN (${FOUND_BY_TIME.map(quoted).join(", ")})`;

/** `json` is the value's text if it is JSON, else NULL. */
const SHOWN = `length(value) AS bytes,
  CASE WHEN json_valid(CAST(value AS TEXT)) THEN CAST(value AS TEXT) END AS json`;

export interface Derived {
  readonly type: "index" | "view";
  readonly name: string;
  readonly sql: string;
}

/** What follows from `keys.ts`; it is made anew whenever its text has changed, which takes no new version. */
export const DERIVED: readonly Derived[] = [
  {
    type: "index",
    name: "due",
    sql: `CREATE INDEX due ON work (key, owner) WHERE ${IS_TIMED}`,
  },
  ...viewsOf([key, registryKey, runtimeKey]),
];

/** The key, or for a family what all its keys begin with. */
function familyOf(entry: unknown): string {
  if (typeof entry === "string") return entry;
  const sample = (entry as (...parts: unknown[]) => string)(["x"], ["x"]);
  return sample.slice(0, sample.indexOf("/") + 1);
}

/** `agent` and `agent/` are looked at through one view. */
function viewsOf(lists: readonly object[]): Derived[] {
  const named = new Map<string, Set<string>>();
  for (const entry of lists.flatMap((list) => Object.values(list))) {
    const family = familyOf(entry);
    const name = family.replace("/", "");
    named.set(name, (named.get(name) ?? new Set()).add(family));
  }
  return [...named].map(([name, families]) => ({
    type: "view",
    name,
    sql: `CREATE VIEW "${name}" AS ${[...families].map(lookAt).join(" UNION ALL ")}`,
  }));
}

/** "0" comes behind "/". */
function lookAt(family: string): string {
  if (WORK_FAMILIES.has(family)) {
    return `SELECT owner, key, ${SHOWN} FROM work WHERE family = ${quoted(family)}`;
  }
  const range = family.endsWith("/")
    ? `key >= ${quoted(family)} AND key < ${quoted(family.slice(0, -1) + "0")}`
    : `key = ${quoted(family)}`;
  return `SELECT name AS owner, key, ${SHOWN} FROM owners JOIN rows ON owner = id WHERE ${range}`;
}
