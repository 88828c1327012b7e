/** A backend's rows in SQL, written once over a port of two functions: one for a file on disk, one for a Durable Object, one for a browser. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Batch, Range, Row } from "../core/storage.ts";
import type { Backend, FindQuery, Found, Owner } from "../core/backend.ts";
import {
  checkFind,
  checkKey,
  checkOwner,
  checkOwnersRange,
  checkRange,
  conflict,
  copyOf,
  ownBatch,
  prefixEnd,
  sameBytes,
} from "./batch.ts";
import { groupCommit, type Job } from "./group_commit.ts";
import { type KnownOwner, ownerCache } from "./owner_cache.ts";
import { FOUND_PLACES, type Place, placeOf, ROWS } from "./sql_place.ts";
import type { SqlPort } from "./sql_port.ts";

export type World = Pick<Backend, "now" | "random" | "timer">;

export interface SqlBackend extends Backend {
  /** Commits all that waits, now; from then on everything asked for is `not_ready`. */
  close(): void;
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

/** `schedule` calls back soon, once the events that wait have had their turn. */
export function sqlBackend(
  port: SqlPort,
  world: World,
  schedule: (flush: () => void) => void,
): SqlBackend {
  /**
   * Holds what the database would answer: it follows every statement inside a transaction (nobody reads meanwhile, all
   * is synchronous), and forgets everything when one fails.
   */
  const cache = ownerCache();
  let closed = false;
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

  /** The bytes as they stand; perhaps the cache's own, not for callers. */
  function read(owner: Owner, known: KnownOwner, key: string): Uint8Array | undefined {
    const cached = known.hot.get(key);
    if (cached) return cached;
    const place = placeOf(key);
    const rows = port.exec(place.get, [place === ROWS ? known.id : owner, key]);
    const value = rows[0]?.[0] as Uint8Array | undefined;
    if (value && isHot(key, place)) cache.keep(known, key, value);
    return value;
  }

  function put(owner: Owner, known: KnownOwner, { key, value }: Row): void {
    const place = placeOf(key);
    port.exec(place.put, [place === ROWS ? known.id : owner, key, value]);
    if (isHot(key, place)) cache.keep(known, key, value);
  }

  function remove(owner: Owner, known: KnownOwner, key: string): void {
    const place = placeOf(key);
    port.exec(place.remove, [place === ROWS ? known.id : owner, key]);
    known.hot.delete(key);
  }

  /** @returns why the batch is refused, having changed nothing; undefined if it is written */
  function write(owner: Owner, batch: Batch): FileError | undefined {
    let known = know(owner);
    for (const { key, value } of batch.check) {
      if (!sameBytes(known && read(owner, known, key), value)) return conflict(owner, key);
    }
    if (known) { for (const key of batch.remove) remove(owner, known, key); }
    if (batch.put.length === 0) return;
    known ??= intern(owner);
    for (const row of batch.put) put(owner, known, row);
  }

  /** The owner is gone at once; an agent's hundred thousand other rows, which its old number no longer leads to, are swept later. */
  function drop(owner: Owner): undefined {
    const known = know(owner);
    if (!known) return;
    for (const place of FOUND_PLACES) port.exec(place.drop, [owner]);
    port.exec(DROP_OWNER, [known.id]);
    port.exec(DROP_LATER, [known.id]);
    cache.forget(owner);
    sweeping = true;
  }

  /** Runs in one transaction; what the memory knows of a failed one is forgotten. */
  function inTransaction<T>(run: () => T): T {
    try {
      return port.transaction(run);
    } catch (error) {
      cache.clear();
      throw error;
    }
  }

  function apply(jobs: readonly Job[]): (FileError | undefined)[] {
    return inTransaction(() =>
      jobs.map(({ owner, batch }) => batch ? write(owner, batch) : drop(owner))
    );
  }

  /** Removes a few rows of dropped owners. A failure is met again, and told, by the next commit; sweeping goes on after that. */
  function sweep(): boolean {
    if (!sweeping || closed) return false;
    try {
      return sweeping = inTransaction(() => {
        const id = port.exec(NEXT_DROPPED, [])[0]?.[0];
        if (id === undefined) return false;
        if (port.exec(SWEEP, [id, SWEEP_ROWS]).length < SWEEP_ROWS) port.exec(SWEPT, [id]);
        return true;
      });
    } catch {
      return false;
    }
  }

  const group = groupCommit(apply, schedule, sweep);

  function list(owner: Owner, range: Range): Row[] {
    const known = know(owner);
    if (!known) return [];
    const { prefix, after } = range;
    const from = after !== undefined && after >= prefix ? behind(after) : prefix;
    function listIn(place: Place): Row[] {
      const of = place === ROWS ? known!.id : owner;
      return port.exec(place.list, [of, from, prefixEnd(prefix), range.limit ?? -1])
        .map(([key, value]) => ({ key: key as string, value: value as Uint8Array }));
    }
    if (prefix.includes("/")) return listIn(placeOf(prefix));
    const places = FOUND_PLACES.filter(({ family }) => family.startsWith(prefix));
    if (places.length === 0) return listIn(ROWS);
    return [ROWS, ...places].flatMap(listIn)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, range.limit);
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

  function refuseClosed(): void {
    if (!closed) return;
    throw new FileError("not_ready", "use", "storage", { detail: "it has been closed" });
  }

  /** What `run`, which runs now, answers, as a promise; what it throws rejects. */
  function answer<T>(run: () => T): Promise<T> {
    return new Promise((resolve) => {
      refuseClosed();
      resolve(run());
    });
  }

  function storage(owner: Owner): AgentStorage {
    checkOwner("open storage", owner);
    return {
      get: (key) =>
        answer(() => {
          checkKey("get", key);
          const known = know(owner);
          const value = known && read(owner, known, key);
          return value && copyOf(value);
        }),
      list: (range) =>
        answer(() => {
          checkRange(range);
          return list(owner, range);
        }),
      // One promise, not the three of an async function: this is the busiest call of all.
      commit(batch) {
        try {
          refuseClosed();
          return group.add({ owner, batch: ownBatch(batch) });
        } catch (error) {
          return Promise.reject(error);
        }
      },
    };
  }

  return {
    ...world,
    storage,
    owners: (range) =>
      answer(() => {
        checkOwnersRange(range);
        return port.exec(LIST_OWNERS, [range.after ?? "", range.limit])
          .map(([name]) => name as string);
      }),
    async drop(owner) {
      refuseClosed();
      checkOwner("drop", owner);
      await group.add({ owner, batch: undefined });
    },
    find: (query) => answer(() => find(query)),
    close() {
      group.drain();
      closed = true;
    },
  };
}

/** The lowest text behind a key: no key has a character as low as this. */
function behind(key: string): string {
  return key + "\x01";
}
