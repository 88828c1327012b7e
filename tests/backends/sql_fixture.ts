/** A SQL backend in memory whose database can be watched, and made to fail. */
import { DatabaseSync } from "node:sqlite";
import { sqlitePort } from "../../src/backends/local/sqlite.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { seededRandom } from "../../src/backends/seeded_random.ts";
import { migrate } from "../../src/backends/sql_migrate.ts";
import type { LogLimits } from "../../src/backends/sql_log.ts";
import type { SqlPort } from "../../src/backends/sql_port.ts";
import { type SqlBackend, sqlBackend } from "../../src/backends/sql_storage.ts";

export interface Fixture {
  readonly db: DatabaseSync;
  /** Every statement executed, and `transaction` for each one begun. */
  readonly log: string[];
  readonly backend: SqlBackend;
  /** The `n`th touch of the database from now on (statements, begins and ends of transactions, from 1) throws. */
  failAt(n: number | undefined): void;
  /** Another backend over the same database. */
  again(): SqlBackend;
}

export function sqlFixture(limits?: LogLimits): Fixture {
  const db = new DatabaseSync(":memory:");
  const inner = sqlitePort(db, ":memory:");
  migrate(inner, {
    get: () => 0,
    set: () => {},
  });
  const log: string[] = [];
  let countdown: number | undefined;
  function touch(): void {
    if (countdown === undefined || --countdown > 0) return;
    countdown = undefined;
    throw new Error("the disk failed");
  }
  const port: SqlPort = {
    exec(sql, params) {
      touch();
      log.push(sql);
      return inner.exec(sql, params);
    },
    transaction(run) {
      touch();
      log.push("transaction");
      return inner.transaction(() => {
        const answer = run();
        touch();
        return answer;
      });
    },
  };
  const clock = manualClock();
  const again = () =>
    sqlBackend(
      port,
      { ...clock, random: seededRandom("sql") },
      (flush) => setTimeout(flush),
      limits,
    );
  return {
    db,
    log,
    backend: again(),
    failAt(n) {
      countdown = n;
    },
    again,
  };
}
