/** Rows in their tables: owners by number, families that are found over owners in places of their own. Everything here is synchronous. */
import type { Range, Row } from "../core/storage.ts";
import type { FindQuery, Found, Owner } from "../core/backend.ts";
import { checkFind, prefixEnd } from "./batch.ts";
import { type KnownOwner, ownerCache } from "./owner_cache.ts";
import { FOUND_PLACES, type Place, placeOf, ROWS } from "./sql_place.ts";
import type { SqlPort, SqlValue } from "./sql_port.ts";

export interface OwnedRow extends Row {
  readonly owner: Owner;
}

export interface SqlTables {
  /** The bytes as they stand; perhaps the cache's own, not for callers. */
  get(owner: Owner, key: string): Uint8Array | undefined;
  put(owner: Owner, row: Row): void;
  /** No key twice. */
  putAll(rows: readonly OwnedRow[]): void;
  remove(owner: Owner, key: string): void;
  /** `from`: the lowest key that may be told. */
  list(owner: Owner, prefix: string, from: string, limit: number): Row[];
  /** The owner is gone at once; an agent's hundred thousand other rows, which its old number no longer leads to, are swept later. */
  drop(owner: Owner): void;
  owners(range: { readonly after?: Owner; readonly limit: number }): Owner[];
  find(query: FindQuery): Found[];
  /** Removes a few rows of dropped owners; answers whether there are more. */
  sweep(): boolean;
  readonly sweeping: boolean;
  /** Runs in one transaction; what the memory knows of a failed one is forgotten. */
  transaction<T>(run: () => T): T;
}

/** So many rows of dropped owners go at a time. */
const SWEEP_ROWS = 64;

const GET_OWNER = "SELECT id FROM owners WHERE name = ?";
const ADD_OWNER = "INSERT INTO owners (name) VALUES (?) RETURNING id";
/** An owner that was named once may have no rows any more. */
const LIST_OWNERS = `SELECT name FROM owners WHERE name > ? AND (
    EXISTS (SELECT 1 FROM rows WHERE owner = id) OR
    ${
  FOUND_PLACES.map(({ table, family }) =>
    `EXISTS (
      SELECT 1 FROM ${table} WHERE family = '${family}' AND owner = name)`
  ).join(" OR ")
}
  ) ORDER BY name LIMIT ?`;
/** Leaps from owner to owner, however many rows each has. */
const FIND_BY_OWNER = `WITH RECURSIVE leap (owner) AS (
    SELECT (SELECT owner FROM work WHERE family = ?1 AND owner > ?2 ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT owner FROM work WHERE family = ?1 AND owner > leap.owner ORDER BY owner LIMIT 1)
    FROM leap WHERE leap.owner IS NOT NULL
  ), first (owner, key) AS (
    SELECT owner,
      (SELECT key FROM work WHERE family = ?1 AND owner = leap.owner ORDER BY key LIMIT 1)
    FROM leap WHERE owner IS NOT NULL
  ) SELECT owner, key FROM first WHERE key <= ?3 LIMIT ?4`;
const FIND_BY_TIME = `SELECT owner, key FROM due
  WHERE key >= ?1 AND key <= ?2 AND (key, owner) > (?3, ?4) ORDER BY key, owner LIMIT ?5`;

/** Whether an id was seen is asked for each message, and ids that are given here rise: a new one is above all that stand. */
const RISING = "seen/";
const TOP =
  "SELECT key FROM rows WHERE owner = ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT 1";

/** A statement costs more than a row of it. */
const PUT_ROWS = 16;
const PUT_MANY = ROWS.put.replace("(?, ?, ?)", Array(PUT_ROWS).fill("(?, ?, ?)").join(", "));

const DROP_OWNER = "DELETE FROM owners WHERE id = ?";
const DROP_LATER = "INSERT INTO dropped (id) VALUES (?)";
const NEXT_DROPPED = "SELECT id FROM dropped LIMIT 1";
const SWEEP = `DELETE FROM rows WHERE owner = ?1 AND key IN
  (SELECT key FROM rows WHERE owner = ?1 LIMIT ?2) RETURNING 1`;
const SWEPT = "DELETE FROM dropped WHERE id = ?";

/** What each tick reads again: rows there is one of, and work. Not logs, files, ids. */
function isHot(key: string, place: Place): boolean {
  return place !== ROWS || !key.includes("/");
}

export function sqlTables(port: SqlPort): SqlTables {
  /**
   * Holds what the database would answer: it follows every statement inside a transaction (nobody reads meanwhile, all
   * is synchronous), and forgets everything when one fails.
   */
  const cache = ownerCache();
  let sweeping = port.exec(NEXT_DROPPED, []).length > 0;

  /** undefined for an owner that never had a row. */
  function know(owner: Owner): KnownOwner | undefined {
    const known = cache.get(owner);
    if (known) return known;
    const id = port.exec(GET_OWNER, [owner])[0]?.[0];
    return id === undefined ? undefined : cache.learn(owner, id as number);
  }

  /** Gives a new owner its number; only inside a transaction. */
  function intern(owner: Owner): KnownOwner {
    return know(owner) ?? cache.learn(owner, port.exec(ADD_OWNER, [owner])[0]![0] as number);
  }

  function find(query: FindQuery): Found[] {
    const { prefix, after, limit } = query;
    const through = query.through ?? prefixEnd(prefix);
    const rows = checkFind(query) === "time"
      ? port.exec(FIND_BY_TIME, [
        prefix,
        through < prefixEnd(prefix) ? through : prefixEnd(prefix),
        after?.key ?? "",
        after?.owner ?? "",
        limit,
      ])
      : port.exec(FIND_BY_OWNER, [prefix, after?.owner ?? "", through, limit]);
    return rows.map(([owner, key]) => ({ owner: owner as string, key: key as string }));
  }

  function topOf(known: KnownOwner): string {
    const highest = () => port.exec(TOP, [known.id, RISING, prefixEnd(RISING)])[0]?.[0];
    return known.top ??= highest() as string ?? "";
  }
  function raise(known: KnownOwner, key: string): void {
    if (known.top !== undefined && key > known.top && key.startsWith(RISING)) known.top = key;
  }

  function put(owner: Owner, { key, value }: Row): void {
    const known = intern(owner);
    const place = placeOf(key);
    raise(known, key);
    port.exec(place.put, [place === ROWS ? known.id : owner, key, value]);
    if (isHot(key, place)) cache.keep(known, key, value);
  }

  function transaction<T>(run: () => T): T {
    try {
      return port.transaction(run);
    } catch (error) {
      cache.clear();
      throw error;
    }
  }

  return {
    transaction,
    find,
    get(owner, key) {
      const known = know(owner);
      if (!known) return undefined;
      const cached = known.hot.get(key);
      if (cached) return cached;
      if (key.startsWith(RISING) && key > topOf(known)) return undefined;
      const place = placeOf(key);
      const rows = port.exec(place.get, [place === ROWS ? known.id : owner, key]);
      const value = rows[0]?.[0] as Uint8Array | undefined;
      if (value && isHot(key, place)) cache.keep(known, key, value);
      return value;
    },
    put,
    putAll(rows) {
      const many: SqlValue[][] = [];
      for (const row of rows) {
        if (placeOf(row.key) !== ROWS) {
          put(row.owner, row);
          continue;
        }
        const known = intern(row.owner);
        raise(known, row.key);
        if (!row.key.includes("/")) cache.keep(known, row.key, row.value);
        many.push([known.id, row.key, row.value]);
      }
      let at = 0;
      for (; at + PUT_ROWS <= many.length; at += PUT_ROWS) {
        port.exec(PUT_MANY, many.slice(at, at + PUT_ROWS).flat());
      }
      for (const params of many.slice(at)) port.exec(ROWS.put, params);
    },
    remove(owner, key) {
      const known = know(owner);
      if (!known) return;
      const place = placeOf(key);
      port.exec(place.remove, [place === ROWS ? known.id : owner, key]);
      known.hot.delete(key);
    },
    list(owner, prefix, from, limit) {
      const known = know(owner);
      if (!known) return [];
      const listIn = (place: Place): Row[] =>
        port.exec(place.list, [place === ROWS ? known.id : owner, from, prefixEnd(prefix), limit])
          .map(([key, value]) => ({ key: key as string, value: value as Uint8Array }));
      if (prefix.includes("/")) return listIn(placeOf(prefix));
      const places = FOUND_PLACES.filter(({ family }) => family.startsWith(prefix));
      if (places.length === 0) return listIn(ROWS);
      const rows = [ROWS, ...places].flatMap(listIn).sort((a, b) => (a.key < b.key ? -1 : 1));
      return limit < 0 ? rows : rows.slice(0, limit);
    },
    drop(owner) {
      const known = know(owner);
      if (!known) return;
      for (const place of FOUND_PLACES) port.exec(place.drop, [owner]);
      port.exec(DROP_OWNER, [known.id]);
      port.exec(DROP_LATER, [known.id]);
      cache.forget(owner);
      sweeping = true;
    },
    owners: ({ after, limit }) =>
      port.exec(LIST_OWNERS, [after ?? "", limit]).map(([name]) => name as string),
    sweep: () =>
      sweeping = transaction(() => {
        const id = port.exec(NEXT_DROPPED, [])[0]?.[0];
        if (id === undefined) return false;
        if (port.exec(SWEEP, [id, SWEEP_ROWS]).length < SWEEP_ROWS) port.exec(SWEPT, [id]);
        return true;
      }),
    get sweeping() {
      return sweeping;
    },
  };
}

/** The lowest key that a range may tell. */
export function fromOf({ prefix, after }: Range): string {
  return after !== undefined && after >= prefix ? behind(after) : prefix;
}

/** The lowest text behind a key: no key has a character as low as this. */
export function behind(key: string): string {
  return key + "\x01";
}
