/** Data of an earlier program is opened and goes on; data of a later one is refused and stays as it is. */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { SCHEMA_VERSION } from "../../src/backends/sql_schema.ts";
import { deepEqual, equal, match } from "../assert.ts";
import { inPlace, type Place } from "./server.ts";
import { makeVersion1, PUBKEY } from "./version_1.ts";

const SERVE = ["serve", "--home", "data", "--listen", "127.0.0.1:0"];

/** What a verb prints, which must succeed. */
function asking(place: Place): (...words: string[]) => Promise<string> {
  return async (...words) => {
    const { code, out, err } = await place.run([...words, "--home", "data"]);
    equal(code, 0, err);
    return out;
  };
}

function query(dir: string, sql: string): unknown[][] {
  const db = new DatabaseSync(`${dir}/data/agentd.db`);
  try {
    return db.prepare(sql).all().map((row) => Object.values(row));
  } finally {
    db.close();
  }
}

/** Made by whoever looks at a log, and of no meaning afterwards: the note of the lock, which names who tried, and the log's index. */
const PASSING = ["agentd.lock", "agentd.db-shm"];

/** A digest of every file of the data directory. */
function filesOf(dir: string): Record<string, string> {
  const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  return Object.fromEntries(
    names.filter((name) => !PASSING.includes(name)).map((name) => {
      const bytes = Deno.readFileSync(`${dir}/${name}`);
      return [name, createHash("sha256").update(bytes).digest("hex")];
    }),
  );
}

Deno.test("the agents of version 1 are the same agents, and what waited is done", async () => {
  await inPlace(async (place) => {
    makeVersion1(`${place.dir}/data`);
    const served = await place.serve(SERVE);
    const agentd = asking(place);
    // The message that waited counts before one that comes now.
    equal(await agentd("send", "bob", "four", "--wait"), "4\n");
    deepEqual(JSON.parse(await agentd("cat", "bob/state")), { count: 4, alarms: 0 });
    equal(await agentd("cat", "bob/identity/pubkey"), PUBKEY);
    equal(await agentd("cat", "bob/files/a.txt"), "hello");
    equal(await agentd("cat", "bob/kv/color"), '"red"');
    match(await agentd("goals", "bob"), /^g1 .*be good$/m);
    const [bob] = JSON.parse(await agentd("list", "--json"));
    deepEqual([bob.name, bob.tick_count, bob.next_alarm], [
      "Bob the first",
      4,
      "2100-01-01T00:00:00.000Z",
    ]);
    match(
      await agentd("logs", "bob", "--tail", "100"),
      /message_in .*"one"[^]*message_in .*"four"/,
    );
    // The token is still the operator's.
    for (const word of ["pause", "resume"]) {
      const { ok } = await fetch(`${served.url}/runtime/${word}`, {
        method: "POST",
        headers: { authorization: "Bearer agentd_of-version-1" },
      });
      equal(ok, true, word);
    }
    await served.stop();

    deepEqual(query(place.dir, "PRAGMA user_version"), [[SCHEMA_VERSION]]);
    deepEqual(query(place.dir, "PRAGMA integrity_check"), [["ok"]]);
    // Views for people, which this program did not have yet.
    deepEqual(query(place.dir, "SELECT owner, json FROM state"), [[
      "bob",
      '{"count":4,"alarms":0}',
    ]]);
    // And it is opened again as it is now.
    const again = await place.serve(SERVE);
    equal(await agentd("send", "bob", "five", "--wait"), "5\n");
    equal((await again.stop()).code, 0);
  });
});

for (const log of [false, true]) {
  const where = log ? "in the log that an unclean stop left" : "in the file";
  Deno.test(`data of a later program is refused, and not touched: its version is ${where}`, async () => {
    await inPlace(async (place) => {
      const dir = `${place.dir}/data`;
      makeVersion1(dir);
      const newer = `PRAGMA user_version = ${SCHEMA_VERSION + 1}`;
      if (log) inLog(dir, newer);
      else query(place.dir, newer);
      const before = filesOf(dir);
      equal(Object.hasOwn(before, "agentd.db-wal"), log);
      const { code, out, err } = await place.run(SERVE);
      deepEqual([code, out], [1, ""]);
      const said = `its schema is version ${
        SCHEMA_VERSION + 1
      }, this program knows up to ${SCHEMA_VERSION}`;
      match(err, new RegExp(`^error: .*/data/agentd\\.db.* ${said}; [^\\n]+\\n$`));
      deepEqual(filesOf(dir), before);
    });
  });
}

/** Runs a statement that stays in the log: the files as they are while somebody has them open. */
function inLog(dir: string, sql: string): void {
  const db = new DatabaseSync(`${dir}/agentd.db`);
  db.exec(sql);
  const names = ["agentd.db", "agentd.db-wal"];
  const left = names.map((name) => Deno.readFileSync(`${dir}/${name}`));
  db.close();
  names.forEach((name, i) => Deno.writeFileSync(`${dir}/${name}`, left[i]!));
}
