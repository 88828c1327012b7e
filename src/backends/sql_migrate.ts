/** Brings a database of any earlier version to this program's tables, in one transaction. */
import { prefixEnd } from "./batch.ts";
import type { SqlPort } from "./sql_port.ts";
import { FOUND_PLACES } from "./sql_place.ts";
import { MIGRATIONS, SCHEMA_VERSION, VIEWS } from "./sql_schema.ts";

/** Where a database keeps its schema version: 0 in a new one. `set` is called inside the transaction. */
export interface SchemaVersion {
  get(): number;
  set(version: number): void;
}

/** The caller has refused versions newer than `SCHEMA_VERSION`. */
export function migrate(port: SqlPort, version: SchemaVersion): void {
  port.transaction(() => {
    const from = version.get();
    if (from < SCHEMA_VERSION) {
      // Views stand in the way of changes to what they look at.
      for (const { name } of VIEWS) dropView(port, name);
      for (const step of MIGRATIONS.slice(from)) for (const sql of step) port.exec(sql, []);
      version.set(SCHEMA_VERSION);
    }
    renewViews(port);
    settleFamilies(port);
  });
}

function dropView(port: SqlPort, name: string): void {
  port.exec(`DROP VIEW IF EXISTS "${name}"`, []);
}

function renewViews(port: SqlPort): void {
  const standing = new Map(
    port.exec("SELECT name, sql FROM sqlite_schema WHERE type = 'view'", [])
      .map(([name, sql]) => [name, sql]),
  );
  for (const { name, sql } of VIEWS) {
    if (standing.get(name) === sql) continue;
    dropView(port, name);
    port.exec(sql, []);
  }
}

/** When `keys.ts` has begun or ceased to find a family, its rows change their table. */
function settleFamilies(port: SqlPort): void {
  const wanted = new Map(FOUND_PLACES.map(({ family, table }) => [family, table as string]));
  const standing = new Map(
    port.exec("SELECT prefix, place FROM families", []).map(([p, t]) => [p as string, t as string]),
  );
  for (const [family, table] of standing) {
    if (wanted.get(family) !== table) moveToRows(port, family, table);
  }
  for (const [family, table] of wanted) {
    if (standing.get(family) !== table) moveFromRows(port, family, table);
  }
}

function moveFromRows(port: SqlPort, family: string, table: string): void {
  const range = [family, prefixEnd(family)];
  port.exec(
    `INSERT INTO ${table} (family, owner, key, value) SELECT ?1, name, key, value
      FROM owners JOIN rows ON owner = id WHERE key >= ?1 AND key < ?2`,
    range,
  );
  port.exec("DELETE FROM rows WHERE key >= ? AND key < ?", range);
  port.exec("INSERT INTO families (prefix, place) VALUES (?, ?)", [family, table]);
}

function moveToRows(port: SqlPort, family: string, table: string): void {
  port.exec(
    `INSERT INTO rows (owner, key, value) SELECT id, key, value
      FROM owners JOIN ${table} ON owner = name WHERE family = ?`,
    [family],
  );
  port.exec(`DELETE FROM ${table} WHERE family = ?`, [family]);
  port.exec("DELETE FROM families WHERE prefix = ?", [family]);
}
