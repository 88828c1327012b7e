/** The backend on a local disk: one SQLite database in a data directory that one process owns. The one file that knows `node:sqlite`. */
import { backup as copyDatabase, DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { FileError } from "../../fs/error.ts";
import type { Backend } from "../../core/backend.ts";
import { migrate } from "../sql_migrate.ts";
import type { SqlPort, SqlValue } from "../sql_port.ts";
import { SCHEMA_VERSION } from "../sql_schema.ts";
import { sqlBackend, type World } from "../sql_storage.ts";
import { APPLICATION_ID, findDatabase, makeDataDir, syncDir } from "./data_dir.ts";
import { hostFileError, sqliteError, worldError } from "./host_error.ts";
import { localWorld } from "./local_world.ts";
import { lockOwner } from "./owner_lock.ts";
import { whileThere } from "./still_there.ts";

export interface LocalBackend extends Backend {
  /** The database file. */
  readonly path: string;
  /** Commits what waits, closes the database and gives the directory up. Everything asked for afterwards is `not_ready`. */
  close(): Promise<void>;
  /**
   * Writes a copy as of one moment to a new file. Everything else waits meanwhile, about a second for each GB.
   * @throws FileError `already_exists`, `not_found` for a directory that is not there, `quota_exceeded` …
   */
  backup(path: string): Promise<void>;
}

const DATABASE_FILE = "agentd.db";
const PAGE_BYTES = 4096;
const CACHE_KIB = 32 * 1024;
/** The write-ahead log is copied into the database about every 16 MiB: pages that many commits wrote are then copied once. */
const CHECKPOINT_PAGES = 4000;
/** What the log may keep of the disk after a peak. */
const LOG_KEEP_BYTES = 64 * 1024 * 1024;
/** Only somebody who looks with `sqlite3` can be in the way, and then not for long; the event loop stands meanwhile. */
const BUSY_MS = 1000;

/**
 * Opens the data directory, making it if there is none.
 * @throws FileError `conflict` while somebody owns it, `permission_denied`, `not_directory`, `corrupt`, `not_supported`
 * (a newer schema, or another program's database), `quota_exceeded`; what stands there is then left as it is
 */
export async function openLocal(
  dir: string,
  options: Partial<World> = {},
): Promise<LocalBackend> {
  const world = { ...localWorld, ...options };
  await makeDataDir(dir);
  const lock = await lockOwner(dir, world.now());
  const path = `${dir}/${DATABASE_FILE}`;
  let db: DatabaseSync | undefined;
  try {
    const { isNew, version } = await findDatabase(path);
    refuseNewer(path, version ?? loggedVersion(path));
    const opened = db = told("open", path, () => new DatabaseSync(path));
    const port = sqlitePort(db, path);
    told("open", path, () => configure(opened, path, isNew));
    migrate(port, {
      get: () => pragma(opened, "user_version") as number,
      set: (version) => pragma(opened, `user_version = ${version}`),
    });
    if (isNew) await syncDir(dir);
    return localBackend(db, whileThere(port, path), world, path, lock.release);
  } catch (error) {
    db?.close();
    lock.release();
    throw error;
  }
}

export interface Inspected {
  /** Of the schema it has, and of the newest that this program knows. */
  readonly version: number;
  readonly known: number;
  /** What SQLite finds wrong with it; empty: nothing. */
  readonly faults: readonly string[];
}

/** Faults that are told; one alone is bad enough. */
const MAX_FAULTS = 5;

/**
 * Looks at a directory's database from end to end and changes nothing in it. Not while another process owns it.
 * @throws FileError `corrupt` for what is no database, `not_found`
 */
export function inspectLocal(dir: string): Inspected {
  const path = `${dir}/${DATABASE_FILE}`;
  return told("open", path, () => {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const version = pragma(db, "user_version") as number;
      return { version, known: SCHEMA_VERSION, faults: faultsIn(db) };
    } finally {
      db.close();
    }
  });
}

function faultsIn(db: DatabaseSync): string[] {
  try {
    const said = db.prepare(`PRAGMA quick_check(${MAX_FAULTS})`).all();
    return said.map((row) => String(Object.values(row)[0])).filter((line) => line !== "ok");
  } catch (error) {
    // So damaged that it cannot even be looked at to the end.
    if (/malformed/.test(String(error))) return [(error as Error).message];
    throw error;
  }
}

function localBackend(
  db: DatabaseSync,
  port: SqlPort,
  world: World,
  path: string,
  release: () => void,
): LocalBackend {
  let closed = false;
  let backups: Promise<unknown> = Promise.resolve();
  const { close: closeStorage, ...backend } = sqlBackend(port, world, (flush) => {
    setImmediate(flush);
  });
  return {
    ...backend,
    path,
    async close() {
      await backups;
      if (closed) return;
      closed = true;
      try {
        closeStorage();
      } finally {
        // What could not be stored is told; the directory is given up all the same.
        try {
          told("close", path, () => db.close());
        } finally {
          release();
        }
      }
    },
    backup(to) {
      if (closed) return Promise.reject(closedError(path));
      const done = backup(db, to);
      backups = Promise.allSettled([backups, done]);
      return done;
    },
  };
}

function closedError(path: string): FileError {
  return new FileError("not_ready", "use", path, { detail: "this backend is closed" });
}

/** The name is taken first and the copy made beside it, so that a file of that name is whole or empty, and never somebody else's. */
async function backup(db: DatabaseSync, to: string): Promise<void> {
  const part = `${to}.part`;
  try {
    (await Deno.open(to, { write: true, createNew: true, mode: 0o600 })).close();
  } catch (error) {
    throw hostFileError("back up to", to, error);
  }
  try {
    (await Deno.open(part, { write: true, create: true, truncate: true, mode: 0o600 })).close();
    await copyDatabase(db, part);
    await Deno.rename(part, to);
  } catch (error) {
    for (const path of [part, to]) await Deno.remove(path).catch(() => {});
    throw worldError("back up to", to, error);
  }
}

/** What an unclean stop has left in the log says, without folding it in. */
function loggedVersion(path: string): number {
  return told("open", path, () => {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      return pragma(db, "user_version") as number;
    } finally {
      db.close();
    }
  });
}

function refuseNewer(path: string, version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new FileError("not_supported", "open", path, {
    detail: `its schema is version ${version}, this program knows up to ${SCHEMA_VERSION}; ` +
      "use the program that wrote it, or a newer one",
    extra: { found: version, known: SCHEMA_VERSION },
  });
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** Settings that last for this connection only. */
const SETTINGS = [
  `busy_timeout = ${BUSY_MS}`,
  "synchronous = FULL",
  // Where a plain fsync leaves data in the drive's cache (macOS); elsewhere these do nothing.
  "fullfsync = ON",
  "checkpoint_fullfsync = ON",
  `wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  `journal_size_limit = ${LOG_KEEP_BYTES}`,
  `cache_size = -${CACHE_KIB}`,
  // No files outside the directory.
  "temp_store = MEMORY",
];

export function configure(db: DatabaseSync, path: string, isNew: boolean): void {
  for (const setting of SETTINGS) pragma(db, setting);
  if (isNew) {
    pragma(db, `page_size = ${PAGE_BYTES}`);
    // Before the log begins, so that the file itself says whose it is from its first byte on.
    pragma(db, `application_id = ${APPLICATION_ID}`);
  }
  const mode = pragma(db, "journal_mode = WAL");
  if (mode === "wal") return;
  throw new FileError("not_supported", "open", path, {
    detail: `this file system cannot carry a write-ahead log (journal mode ${String(mode)}); ` +
      "use a local disk",
  });
}

/** Deno has this method of Node's, its types have not. */
type ArrayStatement = StatementSync & { setReturnArrays(enabled: boolean): void };

/** Statements are prepared once for each text. */
export function sqlitePort(db: DatabaseSync, path: string): SqlPort {
  const prepared = new Map<string, { statement: StatementSync; answers: boolean }>();

  function statementOf(sql: string) {
    let found = prepared.get(sql);
    if (found) return found;
    const statement = db.prepare(sql);
    (statement as ArrayStatement).setReturnArrays(true);
    found = { statement, answers: statement.columns().length > 0 };
    prepared.set(sql, found);
    return found;
  }

  function run(sql: string, params: readonly SqlValue[]): SqlValue[][] {
    const { statement, answers } = statementOf(sql);
    if (answers) return statement.all(...params) as unknown as SqlValue[][];
    statement.run(...params);
    return NO_ROWS;
  }

  /** SQLite may have rolled back by itself, as it does when the disk is full. */
  function abandon(): void {
    if (db.isTransaction) run("ROLLBACK", []);
  }

  return {
    exec(sql, params) {
      try {
        return run(sql, params);
      } catch (error) {
        throw sqliteError("use", path, error);
      }
    },
    transaction: (work) =>
      told("commit", path, () => {
        abandon();
        run("BEGIN IMMEDIATE", []);
        try {
          const answer = work();
          run("COMMIT", []);
          return answer;
        } catch (error) {
          try {
            abandon();
          } catch {
            // What went wrong first is told; the next transaction tries again to be rid of this one.
          }
          throw error;
        }
      }),
  };
}

const NO_ROWS: SqlValue[][] = [];

/** What SQLite throws, as an error of ours. */
function told<T>(op: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw sqliteError(op, path, error);
  }
}
