/** A backend's rows in SQL, written once over a port of two functions: one for a file on disk, one for a Durable Object, one for a browser. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage } from "../core/storage.ts";
import type { Backend, Owner } from "../core/backend.ts";
import {
  checkFind,
  checkKey,
  checkOwner,
  checkOwnersRange,
  checkRange,
  copyOf,
  ownBatch,
} from "./batch.ts";
import { groupCommit, type Job } from "./group_commit.ts";
import { type LogLimits, sqlLog } from "./sql_log.ts";
import { fromOf, sqlTables } from "./sql_tables.ts";
import type { SqlPort } from "./sql_port.ts";

export type World = Pick<Backend, "now" | "random" | "timer">;

export interface SqlBackend extends Backend {
  /** Commits all that waits, now; from then on everything asked for is `not_ready`. */
  close(): void;
}

/** How long a quiet database's rows wait in the log for their tables. */
const SETTLE_MS = 5_000;

/** `schedule` calls back soon, once the events that wait have had their turn. */
export function sqlBackend(
  port: SqlPort,
  world: World,
  schedule: (flush: () => void) => void,
  limits?: LogLimits,
): SqlBackend {
  const tables = sqlTables(port);
  const log = sqlLog(port, tables, limits);
  let closed = false;
  let cancelSettling: (() => void) | undefined;

  /** Removes a few rows of dropped owners. A failure is met again, and told, by the next commit; sweeping goes on after that. */
  function sweep(): boolean {
    if (!tables.sweeping || closed) return false;
    try {
      return tables.sweep();
    } catch {
      return false;
    }
  }

  /** What is in the log stands there safely: a failure to move it is met again, and told, by the next commit. */
  function settle(): void {
    try {
      if (closed) return;
      if (log.settleSome()) return schedule(settle);
    } catch {
      // Tried again in a while.
    }
    cancelSettling = undefined;
    settleLater();
  }
  function settleLater(): void {
    if (cancelSettling || closed || !log.waits) return;
    cancelSettling = world.timer(SETTLE_MS, () => {
      log.ripen();
      settle();
    });
  }

  function apply(jobs: readonly Job[]): (FileError | undefined)[] {
    const refusals = log.apply(jobs);
    settleLater();
    return refusals;
  }

  const group = groupCommit(apply, schedule, sweep);

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
          const value = log.get(owner, key);
          return value && copyOf(value);
        }),
      list: (range) =>
        answer(() => {
          checkRange(range);
          return log.list(owner, range.prefix, fromOf(range), range.limit ?? -1);
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
        log.settle();
        return tables.owners(range);
      }),
    async drop(owner) {
      refuseClosed();
      checkOwner("drop", owner);
      await group.add({ owner, batch: undefined });
    },
    find: (query) =>
      answer(() => {
        if (checkFind(query) === "owner") log.settle();
        return tables.find(query);
      }),
    close() {
      group.drain();
      try {
        log.settle();
      } catch {
        // It stands in the log, and the next start moves it.
      }
      closed = true;
      cancelSettling?.();
    },
  };
}
