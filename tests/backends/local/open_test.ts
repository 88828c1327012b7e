import { DatabaseSync } from "node:sqlite";
import assert from "../../assert.ts";
import { openLocal } from "../../../src/backends/local/sqlite.ts";
import { key } from "../../../src/core/keys.ts";
import { SCHEMA_VERSION } from "../../../src/backends/sql_schema.ts";
import { filesOf, inTempDir } from "./temp_dir.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const row = (key: string, text = "{}") => ({ key, value: bytes(text) });
const put = (...keys: string[]) => ({ check: [], remove: [], put: keys.map((k) => row(k)) });

/** Makes a data directory with some rows and closes it. */
async function filled(dir: string, rows = 10): Promise<void> {
  const backend = await openLocal(dir);
  const keys = Array.from({ length: rows }, (_, n) => key.kv(String(n).padStart(5, "0")));
  await backend.storage("a").commit(put("state", key.inbox(1), key.alarm(1, "a"), ...keys));
  await backend.close();
}

function sql(path: string, ...statements: string[]): Record<string, unknown>[] {
  const db = new DatabaseSync(path);
  try {
    return statements.map((statement) => db.prepare(statement).all()).at(-1)!;
  } finally {
    db.close();
  }
}

/** Opening fails like this, and every file is what it was (the note of the lock apart). */
async function refuses(dir: string, code: string, message: RegExp): Promise<void> {
  const { "agentd.lock": _, ...before } = await filesOf(dir);
  await assert.rejects(() => openLocal(dir), (error: Error & { code?: string }) => {
    assert.equal(error.name, "FileError", String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
  const { "agentd.lock": __, ...after } = await filesOf(dir);
  assert.deepEqual(after, before);
}

Deno.test("a new data directory is the user's alone, and so is all in it", () =>
  inTempDir(async (parent) => {
    const dir = `${parent}/deep/data`;
    const backend = await openLocal(dir);
    await backend.storage("a").commit(put("state"));
    const mode = (path: string) => Deno.statSync(path).mode! & 0o777;
    assert.equal(mode(dir), 0o700);
    const names = Object.keys(await filesOf(dir)).sort();
    assert.deepEqual(names, ["agentd.db", "agentd.db-shm", "agentd.db-wal", "agentd.lock"]);
    for (const name of names) assert.equal(mode(`${dir}/${name}`), 0o600, name);
    await backend.close();
    assert.deepEqual(Object.keys(await filesOf(dir)).sort(), ["agentd.db", "agentd.lock"]);
  }));

Deno.test("the file says whose it is and of which version", () =>
  inTempDir(async (dir) => {
    await filled(dir);
    const path = `${dir}/agentd.db`;
    assert.deepEqual({ ...sql(path, "PRAGMA application_id")[0] }, { application_id: 0x41475444 });
    assert.deepEqual({ ...sql(path, "PRAGMA user_version")[0] }, { user_version: SCHEMA_VERSION });
  }));

Deno.test("a schema newer than the program is refused, saying both versions", () =>
  inTempDir(async (dir) => {
    await filled(dir);
    sql(`${dir}/agentd.db`, `PRAGMA user_version = ${SCHEMA_VERSION + 7}`);
    const versions = new RegExp(
      `agentd\\.db.*not_supported.*version ${SCHEMA_VERSION + 7}.*up to ${SCHEMA_VERSION}`,
    );
    await refuses(dir, "not_supported", versions);
  }));

Deno.test("a newer schema that stands in the log of a killed program is refused, the log left as it is", () =>
  inTempDir(async (dir) => {
    await filled(`${dir}/killed`);
    const db = new DatabaseSync(`${dir}/killed/agentd.db`);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    await Deno.mkdir(`${dir}/found`);
    for (const name of ["agentd.db", "agentd.db-wal"]) {
      await Deno.copyFile(`${dir}/killed/${name}`, `${dir}/found/${name}`);
    }
    db.close();
    const before = await filesOf(`${dir}/found`);
    await assert.rejects(() => openLocal(`${dir}/found`), { code: "not_supported" });
    const after = await filesOf(`${dir}/found`);
    for (const [name, content] of Object.entries(before)) assert.equal(after[name], content, name);
  }));

Deno.test("another program's database is refused, with and without its mark", async () => {
  for (const mark of [0, 252006673]) {
    await inTempDir(async (dir) => {
      const make = ["CREATE TABLE users (name)", `PRAGMA application_id = ${mark}`];
      sql(`${dir}/agentd.db`, ...make);
      await refuses(dir, "not_supported", /agentd\.db.*another program/);
    });
  }
});

Deno.test("what is no database is refused as corrupt and left as it is", async () => {
  for (const text of ["hello", "x".repeat(10_000), "SQLite format 3"]) {
    await inTempDir(async (dir) => {
      await Deno.writeTextFile(`${dir}/agentd.db`, text);
      await refuses(dir, "corrupt", /agentd\.db.*no SQLite database.*left as it is/);
    });
  }
});

Deno.test("a damaged database is refused as corrupt where it is read, and not made worse", () =>
  inTempDir(async (dir) => {
    await filled(dir, 5000);
    const path = `${dir}/agentd.db`;
    const whole = await Deno.readFile(path);
    const page = 4096;
    // From the second page on nothing makes sense any more.
    await Deno.writeFile(path, whole.slice().fill(0xa5, page));
    await refuses(dir, "corrupt", /agentd\.db.*damaged/);
    // Only one page of rows is gone (those before were the log's): it opens, and what is there can be had.
    const middle = Math.floor(whole.length / page * 3 / 4) * page;
    await Deno.writeFile(path, whole.slice().fill(0xa5, middle, middle + page));
    const backend = await openLocal(dir);
    const storage = backend.storage("a");
    await assert.rejects(() => storage.list({ prefix: "kv/" }), { code: "corrupt" });
    assert.deepEqual(await storage.get(key.inbox(1)), bytes("{}"));
    await backend.close();
    // Cut off in the middle.
    await Deno.writeFile(path, whole.slice(0, middle));
    await refuses(dir, "corrupt", /agentd\.db.*damaged/);
  }));

Deno.test("a file where a directory should be, and a directory where a file should be", () =>
  inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "mine");
    for (const path of [`${dir}/file`, `${dir}/file/data`]) {
      await assert.rejects(() => openLocal(path), { code: "not_directory" });
    }
    assert.equal(await Deno.readTextFile(`${dir}/file`), "mine");
    await Deno.mkdir(`${dir}/data/agentd.db`, { recursive: true });
    await assert.rejects(() => openLocal(`${dir}/data`), { code: "is_directory" });
  }));

Deno.test("a refused directory can be opened once what was wrong is mended", () =>
  inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/agentd.db`, "hello");
    await refuses(dir, "corrupt", /./);
    await Deno.remove(`${dir}/agentd.db`);
    await (await openLocal(dir)).close();
  }));

Deno.test("a creation that was cut short is taken up again", async () => {
  const stages = [
    [],
    ["PRAGMA application_id = 1095193668"],
    ["PRAGMA application_id = 1095193668", "PRAGMA journal_mode = WAL"],
  ];
  for (const stage of stages) {
    await inTempDir(async (dir) => {
      await Deno.writeFile(`${dir}/agentd.db`, new Uint8Array(0));
      sql(`${dir}/agentd.db`, "PRAGMA page_size = 4096", ...stage);
      const backend = await openLocal(dir);
      await backend.storage("a").commit(put("state"));
      assert.deepEqual(await backend.owners({ limit: 9 }), ["a"]);
      await backend.close();
    });
  }
});

Deno.test("people can look at each kind of row with SQL", () =>
  inTempDir(async (dir) => {
    const backend = await openLocal(dir);
    await backend.storage("abc").commit({
      check: [],
      remove: [],
      put: [
        row("state", '{"count":7}'),
        row(key.inbox(3), '{"id":"x"}'),
        row(key.alarm(5, "a"), '{"cron":null}'),
        row(key.kv("ä b"), '"v"'),
        { key: key.blob("b", 0), value: new Uint8Array([255, 0, 1]) },
      ],
    });
    // While it is open, too, as soon as the rows have followed from the log into their tables.
    await backend.owners({ limit: 1 });
    const path = `${dir}/agentd.db`;
    const look = (view: string) => ({ ...sql(path, `SELECT * FROM "${view}"`)[0] });
    assert.deepEqual(look("state"), {
      owner: "abc",
      key: "state",
      bytes: 11,
      json: '{"count":7}',
    });
    assert.deepEqual(look("inbox"), {
      owner: "abc",
      key: key.inbox(3),
      bytes: 10,
      json: '{"id":"x"}',
    });
    assert.deepEqual(look("alarm").key, key.alarm(5, "a"));
    assert.deepEqual(look("kv").json, '"v"');
    assert.deepEqual(look("blob"), { owner: "abc", key: key.blob("b", 0), bytes: 3, json: null });
    const count = sql(path, `SELECT json_extract(json, '$.count') AS n FROM state`)[0];
    assert.deepEqual({ ...count }, { n: 7 });
    await backend.close();
  }));

Deno.test("a view that is not what it should be is made anew", () =>
  inTempDir(async (dir) => {
    await filled(dir);
    const path = `${dir}/agentd.db`;
    sql(path, "DROP VIEW state", "CREATE VIEW state AS SELECT 1 AS none", "DROP VIEW inbox");
    await (await openLocal(dir)).close();
    assert.equal(sql(path, "SELECT * FROM state")[0]!.owner, "a");
    assert.equal(sql(path, "SELECT * FROM inbox")[0]!.owner, "a");
  }));

Deno.test("rows follow when a family begins, or ceases, to be found over owners", () =>
  inTempDir(async (dir) => {
    await filled(dir);
    const path = `${dir}/agentd.db`;
    // As if a program had written it that found `kv/` by owner and nothing else.
    sql(
      path,
      "INSERT INTO rows SELECT id, key, value FROM owners JOIN work ON owner = name",
      "INSERT INTO rows SELECT id, key, value FROM owners JOIN due ON owner = name",
      "DELETE FROM work",
      "DELETE FROM due",
      "INSERT INTO work SELECT 'kv/', name, key, value FROM owners JOIN rows ON owner = id WHERE key LIKE 'kv/%'",
      "DELETE FROM rows WHERE key LIKE 'kv/%'",
      "DELETE FROM families",
      "INSERT INTO families VALUES ('kv/', 'work'), ('alarm/', 'work')",
    );
    const backend = await openLocal(dir);
    const storage = backend.storage("a");
    assert.equal((await storage.list({ prefix: "kv/" })).length, 10);
    assert.equal((await storage.list({ prefix: "" })).length, 13);
    for (const [prefix, k] of [["inbox/", key.inbox(1)], ["alarm/", key.alarm(1, "a")]] as const) {
      assert.deepEqual(await backend.find({ prefix, limit: 9 }), [{ owner: "a", key: k }]);
      assert.deepEqual(await storage.get(k), bytes("{}"));
    }
    await backend.close();
  }));

Deno.test("a backup is a database of its own, whole, and overwrites nothing", () =>
  inTempDir(async (dir) => {
    const backend = await openLocal(`${dir}/data`);
    await backend.storage("a").commit(put("state", key.inbox(1)));
    await Deno.mkdir(`${dir}/copy`);
    const to = `${dir}/copy/agentd.db`;
    await backend.backup(to);
    await backend.storage("a").commit(put("later"));
    assert.equal(Deno.statSync(to).mode! & 0o777, 0o600);
    assert.deepEqual(Object.keys(await filesOf(`${dir}/copy`)), ["agentd.db"]);
    await assert.rejects(() => backend.backup(to), { code: "already_exists" });
    await assert.rejects(() => backend.backup(`${dir}/nowhere/x.db`), { code: "not_found" });
    const copy = await openLocal(`${dir}/copy`);
    const rows = await copy.storage("a").list({ prefix: "" });
    assert.deepEqual(rows.map((r) => r.key), [key.inbox(1), "state"]);
    await copy.close();
    await backend.close();
    await assert.rejects(() => backend.backup(`${dir}/late.db`), { code: "not_ready" });
  }));

Deno.test("close commits what waits, may be called twice, and ends everything", () =>
  inTempDir(async (dir) => {
    const backend = await openLocal(dir);
    const waiting = backend.storage("a").commit(put("state"));
    await Promise.all([backend.close(), backend.close(), waiting]);
    await backend.close();
    await assert.rejects(() => backend.storage("a").get("state"), { code: "not_ready" });
    const again = await openLocal(dir);
    assert.deepEqual(await again.storage("a").get("state"), bytes("{}"));
    await again.close();
  }));
