import { DatabaseSync } from "node:sqlite";
import assert from "../../assert.ts";
import { configure } from "../../../src/backends/local/sqlite.ts";
import { inTempDir } from "./temp_dir.ts";

Deno.test("every commit is synced before it is acknowledged", () =>
  inTempDir((dir) => {
    const db = new DatabaseSync(`${dir}/x.db`);
    configure(db, `${dir}/x.db`, true);
    const setting = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0];
    assert.equal(setting("journal_mode"), "wal");
    const FULL = 2;
    assert.equal(setting("synchronous"), FULL);
    assert.equal(setting("fullfsync"), 1);
    assert.equal(setting("checkpoint_fullfsync"), 1);
    db.close();
    return Promise.resolve();
  }));
