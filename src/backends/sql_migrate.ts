/** Brings a database of any earlier version to this program's tables, in one transaction. */
import { prefixEnd } from "./batch.ts";
import type { SqlPort } from "./sql_port.ts";
import { DERIVED, MIGRATIONS, SCHEMA_VERSION, WORK_FAMILIES } from "./sql_schema.ts";

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
      for (const { type, name } of DERIVED) drop(port, type, name);
      for (const step of MIGRATIONS.slice(from)) for (const sql of step) port.exec(sql, []);
      version.set(SCHEMA_VERSION);
    }
    derive(port);
    settleFamilies(port);
  });
}

function drop(port: SqlPort, type: string, name: string): void {
  port.exec(`DROP ${type} IF EXISTS "${name}"`, []);
}

function derive(port: SqlPort): void {
  const standing = new Map(
    port.exec("SELECT name, sql FROM sqlite_schema WHERE type IN ('view', 'index')", [])
      .map(([name, sql]) => [name, sql]),
  );
  for (const { type, name, sql } of DERIVED) {
    if (standing.get(name) === sql) continue;
    drop(port, type, name);
    port.exec(sql, []);
  }
}

/** When `keys.ts` has begun or ceased to find a family, its rows change their table. */
function settleFamilies(port: SqlPort): void {
  const standing = new Set(port.exec("SELECT prefix FROM families", []).map(([p]) => p as string));
  for (const family of WORK_FAMILIES) if (!standing.has(family)) moveToWork(port, family);
  for (const family of standing) if (!WORK_FAMILIES.has(family)) moveToRows(port, family);
}

function moveToWork(port: SqlPort, family: string): void {
  const range = [family, prefixEnd(family)];
  port.exec(
    `INSERT INTO work (family, owner, key, value) SELECT ?1, name, key, value
      FROM owners JOIN rows ON owner = id WHERE key >= ?1 AND key < ?2`,
    range,
  );
  port.exec("DELETE FROM rows WHERE key >= ? AND key < ?", range);
  port.exec("INSERT INTO families (prefix) VALUES (?)", [family]);
}

function moveToRows(port: SqlPort, family: string): void {
  port.exec(
    `INSERT INTO rows (owner, key, value) SELECT id, key, value
      FROM owners JOIN work ON owner = name WHERE family = ?`,
    [family],
  );
  port.exec("DELETE FROM work WHERE family = ?", [family]);
  port.exec("DELETE FROM families WHERE prefix = ?", [family]);
}
