/** A data directory that is moved or removed under its server, and a database that somebody else holds. */
import { DatabaseSync } from "node:sqlite";
import assert from "../assert.ts";
import { counter, countIn, sent, standing } from "./world.ts";

Deno.test("a data directory that is moved away: nothing is accepted meanwhile, and all goes on when it is back", () =>
  standing(async ({ home, place, serve }) => {
    const server = await serve();
    const url = await counter(server);
    assert.equal(countIn(await sent(url, "one", true)), 1);
    await Deno.rename(home, `${place.dir}/away`);
    const refused = await sent(url, "two");
    assert.deepEqual([refused.status, refused.body.code], [500, "io"]);
    await server.running.line(/moved or removed while the server runs.*put it back/);
    // Whoever starts there now is another one, and neither takes the other's messages.
    const other = await serve();
    const theirs = await counter(other);
    assert.equal(countIn(await sent(theirs, "one", true)), 1);
    assert.equal((await sent(url, "two")).status, 500);
    assert.equal((await other.stop()).code, 0);
    await Deno.remove(home, { recursive: true });
    await Deno.rename(`${place.dir}/away`, home);
    assert.equal(countIn(await sent(url, "two", true)), 2);
    assert.equal((await server.stop()).code, 0);
  }));

Deno.test("a data directory that is removed: nothing is accepted that nobody could find again", () =>
  standing(async ({ home, serve }) => {
    const server = await serve();
    const url = await counter(server);
    await Deno.remove(home, { recursive: true });
    for (const id of ["one", "two"]) assert.equal((await sent(url, id)).status, 500);
    const health = await fetch(`${server.url}/healthz`);
    assert.equal(health.status, 200);
    await health.body?.cancel();
    const { err } = await server.stop();
    assert.match(err, /moved or removed while the server runs/);
  }));

Deno.test("a database that another program holds: told so, nothing half done, and on it goes when it is free", () =>
  standing(async ({ home, place, serve }) => {
    const server = await serve();
    const url = await counter(server);
    assert.equal(countIn(await sent(url, "one", true)), 1);
    using other = new DatabaseSync(`${home}/agentd.db`, { timeout: 60_000 });
    for (const lock of ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"]) {
      other.exec(lock);
      const { status, body } = await sent(url, "two");
      assert.deepEqual([status, body.code], [504, "timeout"], lock);
      assert.match(String(body.detail), /another program holds the database; close it/);
      assert.doesNotMatch(JSON.stringify(body), /agentd\.db/, "no path of the server's");
      other.exec("ROLLBACK");
    }
    await server.running.line(/another program holds the database/);
    assert.equal(countIn(await sent(url, "two", true)), 2);
    const second = await place.run(["serve", "--home", home, "--listen", "127.0.0.1:0"]);
    assert.equal(second.code, 1);
    assert.match(second.err, /home is used by pid \d+ \(agentd at http:.*--home DIR/);
    assert.equal((await server.stop()).code, 0);
  }));
