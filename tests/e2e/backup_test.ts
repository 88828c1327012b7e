/** A backup of a server at work: what it had answered for is in it, and a server starts on it. */
import { DatabaseSync } from "node:sqlite";
import { deepEqual, equal, match, ok } from "../assert.ts";
import { countAt, send } from "./load.ts";
import { inPlace, type Place } from "./server.ts";

const CONNECTIONS = 32;
const ANY_PORT = ["--listen", "127.0.0.1:0"];

/** A data directory made of a copy, as the command says. */
function restored({ dir }: Place, copy: string, home: string, keysOf?: string): void {
  Deno.mkdirSync(`${dir}/${home}`, { mode: 0o700 });
  Deno.copyFileSync(`${dir}/${copy}`, `${dir}/${home}/agentd.db`);
  if (keysOf !== undefined) Deno.copyFileSync(`${dir}/${keysOf}/keys`, `${dir}/${home}/keys`);
}

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
}

Deno.test("a backup under load has all that was answered before it began, and a server goes on from it", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    equal((await place.run(["create", "bob", "counter"])).code, 0);
    const ids = Array.from({ length: 6_000 }, (_, i) => `load-${i}`);
    const load = send(`${served.url}/agents/bob/send`, ids, CONNECTIONS);
    await load.reached(1_000);
    const before = [...load.answered];
    const { code, out, err } = await place.run(["backup", "copy.db"]);
    equal(code, 0, err);
    ok(load.answered.size < ids.length, "the load was over before the backup was");
    match(out, /^backed up to copy\.db {3}\d.*\n.*keys.* are not in it.*\n.*serve --home/);
    for (const name of ["keys", "hook_secrets", "secrets", "runtime_key"]) {
      match(out, new RegExp(`keep the files .*\\b${name}\\b`));
    }
    equal(Deno.statSync(`${place.dir}/copy.db`).mode! & 0o777, 0o600);
    ok(!namesIn(`${place.dir}/.agentd`).includes("backup.tmp"));
    await load.done;
    equal(load.answered.size, ids.length, "the server served on");

    const db = new DatabaseSync(`${place.dir}/copy.db`, { readOnly: true });
    deepEqual(Object.values(db.prepare("PRAGMA integrity_check").get()!), ["ok"]);
    db.close();
    restored(place, "copy.db", "again", ".agentd");
    const again = await place.serve(["serve", "--home", "again", ...ANY_PORT]);
    const target = `${again.url}/agents/bob/send`;
    const repeat = send(target, before, CONNECTIONS);
    await repeat.done;
    deepEqual([repeat.answered.size, repeat.duplicates.size], [before.length, before.length]);
    const count = await countAt(target);
    ok(count > before.length && count <= ids.length + 1, `${count}`);
    const home = ["--home", "again"];
    const signed = await place.run(["call", "bob/identity/sign", "text", ...home]);
    match(signed.out, /^[0-9a-f]{128}\n?$/, signed.err);
  });
});

Deno.test("a server on a backup without the keys starts, ticks, and says which key it lacks", async () => {
  await inPlace(async (place) => {
    await place.serve();
    equal((await place.run(["send", "abc", "hi", "--wait"])).out, "hi\n");
    equal((await place.run(["token", "create", "--agent", "abc", "--can", "read"])).code, 0);
    equal((await place.run(["backup", "copy.db"])).code, 0);
    const keys = Deno.readTextFileSync(`${place.dir}/.agentd/keys`);
    const copy = new TextDecoder("latin1").decode(Deno.readFileSync(`${place.dir}/copy.db`));
    const secrets = Object.values(JSON.parse(keys).keys as Record<string, string>);
    equal(secrets.length, 1);
    ok(!copy.includes(secrets[0]!), "a private key is in the backup");
    restored(place, "copy.db", "bare");
    await place.serve(["serve", "--home", "bare", ...ANY_PORT]);
    const home = ["--home", "bare"];
    equal((await place.run(["send", "abc", "still here", "--wait", ...home])).out, "still here\n");
    equal(JSON.parse((await place.run(["token", "--json", ...home])).out).length, 1);
    const sign = await place.run(["call", "abc/identity/sign", "text", ...home]);
    equal(sign.code, 3);
    match(sign.err, /abc.*key/);
  });
});

Deno.test("copies that a killed server left are gone at its next start", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    await served.kill();
    Deno.mkdirSync(`${place.dir}/.agentd/backup.tmp`);
    Deno.writeTextFileSync(`${place.dir}/.agentd/backup.tmp/agentd.db`, "half");
    await place.serve();
    ok(!namesIn(`${place.dir}/.agentd`).includes("backup.tmp"));
    equal((await place.run(["backup", "copy.db"])).code, 0);
  });
});

Deno.test("a backup takes no file's place, and is the operator's alone", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    Deno.writeTextFileSync(`${place.dir}/mine`, "mine");
    const taken = await place.run(["backup", "mine"]);
    equal(taken.code, 1);
    match(taken.err, /^error: mine is there already\. Name another file, or say --force\.$/m);
    equal(Deno.readTextFileSync(`${place.dir}/mine`), "mine");
    equal((await place.run(["backup", "mine", "--force", "--json"])).code, 0);
    match(new TextDecoder().decode(Deno.readFileSync(`${place.dir}/mine`)), /^SQLite format 3/);
    const local = await fetch(`${served.url}/runtime/backup`, { method: "POST" });
    equal(local.status, 403);
    await local.text();
    deepEqual(namesIn(place.dir), [".agentd", "mine"]);
  });
});
