/** A database is looked at from end to end, and left as it is. */
import { DatabaseSync } from "node:sqlite";
import assert from "../../assert.ts";
import { inspectLocal, openLocal } from "../../../src/backends/local/sqlite.ts";
import { SCHEMA_VERSION } from "../../../src/backends/sql_schema.ts";
import { key } from "../../../src/core/keys.ts";
import { filesOf, inTempDir } from "./temp_dir.ts";

async function filled(dir: string): Promise<void> {
  const backend = await openLocal(dir);
  const put = Array.from({ length: 500 }, (_, n) => ({
    key: key.kv(String(n).padStart(5, "0")),
    value: crypto.getRandomValues(new Uint8Array(300)),
  }));
  await backend.storage("a").commit({ check: [], remove: [], put });
  await backend.close();
}

Deno.test("a sound database has no faults, and stays what it was", async () => {
  await inTempDir(async (dir) => {
    await filled(dir);
    const before = await filesOf(dir);
    assert.deepEqual(inspectLocal(dir), {
      version: SCHEMA_VERSION,
      known: SCHEMA_VERSION,
      faults: [],
    });
    const after = await filesOf(dir);
    assert.equal(after["agentd.db"], before["agentd.db"]);
    // And it opens as before.
    await (await openLocal(dir)).close();
  });
});

Deno.test("damage inside is found, and a newer schema is told", async () => {
  await inTempDir(async (dir) => {
    await filled(dir);
    const path = `${dir}/agentd.db`;
    const whole = await Deno.readFile(path);
    await Deno.writeFile(path, whole.map((byte, i) => i > 20_000 && i < 60_000 ? 0x5a : byte));
    assert.ok(inspectLocal(dir).faults.length > 0);
    await Deno.writeFile(path, whole);
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 99");
    db.close();
    assert.deepEqual(inspectLocal(dir), { version: 99, known: SCHEMA_VERSION, faults: [] });
  });
});

Deno.test("what is no database is told as that", async () => {
  await inTempDir(async (dir) => {
    assert.throws(() => inspectLocal(dir), { name: "FileError" });
    await Deno.writeTextFile(`${dir}/agentd.db`, "no database ".repeat(1000));
    assert.throws(() => inspectLocal(dir), { code: "corrupt" });
    assert.deepEqual(Object.keys(await filesOf(dir)), ["agentd.db"]);
  });
});
