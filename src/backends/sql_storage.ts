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
import { ownerIds } from "./owner_ids.ts";
import { rowCache } from "./row_cache.ts";
import type { SqlPort, SqlValue } from "./sql_port.ts";
import { IS_TIMED, WORK_FAMILIES } from "./sql_schema.ts";

export type World = Pick<Backend, "now" | "random" | "timer">;

export interface SqlBackend extends Backend {
  /** Commits all that waits, now; from then on everything asked for is `not_ready`. */
  close(): void;
}

/** So many rows of dropped owners go at a time. */
const SWEEP_ROWS = 64;

const GET_ROW = "SELECT value FROM rows WHERE owner = ? AND key = ?";
const GET_WORK = "SELECT value FROM work WHERE family = ? AND owner = ? AND key = ?";
const PUT_ROW = `INSERT INTO rows (owner, key, value) VALUES (?, ?, ?)
  ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value`;
const PUT_WORK = `INSERT INTO work (family, owner, key, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (family, owner, key) DO UPDATE SET value = excluded.value`;
const REMOVE_ROW = "DELETE FROM rows WHERE owner = ? AND key = ?";
const REMOVE_WORK = "DELETE FROM work WHERE family = ? AND owner = ? AND key = ?";
const LIST_ROWS =
  "SELECT key, value FROM rows WHERE owner = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?";
const LIST_WORK = `SELECT key, value FROM work
  WHERE family = ? AND owner = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?`;
/** An owner that was named once may have no rows any more. */
const LIST_OWNERS = `SELECT name FROM owners WHERE name > ? AND (
    EXISTS (SELECT 1 FROM rows WHERE owner = id) OR
    EXISTS (SELECT 1 FROM families JOIN work ON family = prefix WHERE owner = name)
  ) ORDER BY name LIMIT ?`;
/** Leaps from owner to owner, however many rows each has. */
const FIND_BY_OWNER = `WITH RECURSIVE leap (owner) AS (
    SELECT min(owner) FROM work WHERE family = ?1 AND owner > ?2
    UNION ALL
    SELECT (SELECT min(owner) FROM work WHERE family = ?1 AND owner > leap.owner)
    FROM leap WHERE leap.owner IS NOT NULL
  ), first (owner, key) AS (
    SELECT owner, (SELECT min(key) FROM work WHERE family = ?1 AND owner = leap.owner)
    FROM leap WHERE owner IS NOT NULL
  ) SELECT owner, key FROM first WHERE key <= ?3 LIMIT ?4`;
const FIND_BY_TIME = `SELECT owner, key FROM work WHERE ${IS_TIMED}
  AND key >= ?1 AND key <= ?2 AND (key, owner) > (?3, ?4) ORDER BY key, owner LIMIT ?5`;

const DROP_WORK = "DELETE FROM work WHERE family = ? AND owner = ?";
const DROP_OWNER = "DELETE FROM owners WHERE id = ?";
const DROP_LATER = "INSERT INTO dropped (id) VALUES (?)";
const NEXT_DROPPED = "SELECT id FROM dropped LIMIT 1";
const SWEEP = `DELETE FROM rows WHERE owner = ?1 AND key IN
  (SELECT key FROM rows WHERE owner = ?1 LIMIT ?2) RETURNING 1`;
const SWEPT = "DELETE FROM dropped WHERE id = ?";

/** The family of a key that lives in `work`, else undefined. */
function workFamily(key: string): string | undefined {
  const family = key.slice(0, key.indexOf("/") + 1);
  return WORK_FAMILIES.has(family) ? family : undefined;
}

/** What each tick reads again: rows there is one of, and work. Not logs, files, ids. */
function isHot(key: string, family: string | undefined): boolean {
  return family !== undefined || !key.includes("/");
}

/** `schedule` calls back soon, once the events that wait have had their turn. */
export function sqlBackend(
  port: SqlPort,
  world: World,
  schedule: (flush: () => void) => void,
): SqlBackend {
  const ids = ownerIds(port);
  /**
   * Holds what the database would answer: it follows every statement inside a transaction (nobody reads meanwhile,
   * all is synchronous), and forgets everything when one fails.
   */
  const cache = rowCache();
  let closed = false;
  let sweeping = port.exec(NEXT_DROPPED, []).length > 0;

  /** The bytes as they stand; the cache's own, not for callers. */
  function read(owner: Owner, key: string): Uint8Array | undefined {
    const id = ids.get(owner);
    if (id === undefined) return undefined;
    const family = workFamily(key);
    const hot = isHot(key, family);
    const name = `${id} ${key}`;
    const cached = hot ? cache.get(name) : undefined;
    if (cached) return cached;
    const rows = family ? port.exec(GET_WORK, [family, owner, key]) : port.exec(GET_ROW, [id, key]);
    const value = rows[0]?.[0] as Uint8Array | undefined;
    if (hot && value) cache.set(name, value);
    return value;
  }

  function put(owner: Owner, { key, value }: Row): void {
    const id = ids.intern(owner);
    const family = workFamily(key);
    if (family) port.exec(PUT_WORK, [family, owner, key, value]);
    else port.exec(PUT_ROW, [id, key, value]);
    if (isHot(key, family)) cache.set(`${id} ${key}`, value);
  }

  function remove(owner: Owner, key: string): void {
    const id = ids.get(owner);
    if (id === undefined) return;
    const family = workFamily(key);
    if (family) port.exec(REMOVE_WORK, [family, owner, key]);
    else port.exec(REMOVE_ROW, [id, key]);
    cache.delete(`${id} ${key}`);
  }

  /** @returns why the batch is refused, having changed nothing; undefined if it is written */
  function write(owner: Owner, batch: Batch): FileError | undefined {
    for (const { key, value } of batch.check) {
      if (!sameBytes(read(owner, key), value)) return conflict(owner, key);
    }
    for (const key of batch.remove) remove(owner, key);
    for (const row of batch.put) put(owner, row);
  }

  /** The owner is gone at once; an agent's hundred thousand other rows, which its old number no longer leads to, are swept later. */
  function drop(owner: Owner): undefined {
    const id = ids.get(owner);
    if (id === undefined) return;
    for (const family of WORK_FAMILIES) port.exec(DROP_WORK, [family, owner]);
    port.exec(DROP_OWNER, [id]);
    port.exec(DROP_LATER, [id]);
    ids.forget(owner);
    sweeping = true;
  }

  /** Runs in one transaction; what the memory knows of a failed one is forgotten. */
  function inTransaction<T>(run: () => T): T {
    try {
      return port.transaction(run);
    } catch (error) {
      cache.clear();
      ids.clear();
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
    if (!sweeping) return false;
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
    const id = ids.get(owner);
    if (id === undefined) return [];
    const { prefix } = range;
    const from = range.after !== undefined && range.after >= prefix ? behind(range.after) : prefix;
    const to = prefixEnd(prefix);
    const limit = range.limit ?? -1;
    const family = workFamily(prefix);
    if (family) return port.exec(LIST_WORK, [family, owner, from, to, limit]).map(rowOf);
    const rows = port.exec(LIST_ROWS, [id, from, to, limit]).map(rowOf);
    const families = prefix.includes("/")
      ? []
      : [...WORK_FAMILIES].filter((f) => f.startsWith(prefix));
    if (families.length === 0) return rows;
    for (const f of families) {
      for (const row of port.exec(LIST_WORK, [f, owner, from, to, limit])) rows.push(rowOf(row));
    }
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return range.limit === undefined ? rows : rows.slice(0, range.limit);
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
          const value = read(owner, key);
          return value && copyOf(value);
        }),
      list: (range) =>
        answer(() => {
          checkRange(range);
          return list(owner, range);
        }),
      async commit(batch) {
        refuseClosed();
        await group.add({ owner, batch: ownBatch(batch) });
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

function rowOf([key, value]: readonly SqlValue[]): Row {
  return { key: key as string, value: value as Uint8Array };
}
