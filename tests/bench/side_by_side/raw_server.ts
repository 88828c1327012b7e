/** What somebody would write by hand in an hour: plain `Deno.serve` and plain `node:sqlite`, two durable commits a message, one after the other. Prints its port. */
import { DatabaseSync } from "node:sqlite";

const db = new DatabaseSync(Deno.args[0]!);
db.exec("PRAGMA journal_mode = WAL");
db.exec("PRAGMA synchronous = FULL");
db.exec("CREATE TABLE inbox (n INTEGER PRIMARY KEY, agent TEXT NOT NULL, body TEXT NOT NULL)");
db.exec("CREATE TABLE state (agent TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID");
db.exec("CREATE TABLE record (n INTEGER PRIMARY KEY, agent TEXT NOT NULL, count INTEGER NOT NULL)");
const enqueue = db.prepare("INSERT INTO inbox (agent, body) VALUES (?, ?) RETURNING n");
const read = db.prepare("SELECT count FROM state WHERE agent = ?");
const write = db.prepare(`INSERT INTO state (agent, count) VALUES (?, ?)
  ON CONFLICT (agent) DO UPDATE SET count = excluded.count`);
const keep = db.prepare("INSERT INTO record (agent, count) VALUES (?, ?)");
const remove = db.prepare("DELETE FROM inbox WHERE n = ?");
const begin = db.prepare("BEGIN IMMEDIATE");
const commit = db.prepare("COMMIT");

function tick(agent: string, n: number): number {
  begin.run();
  const count = Number(read.get(agent)?.count ?? 0) + 1;
  write.run(agent, count);
  keep.run(agent, count);
  remove.run(n);
  commit.run();
  return count;
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, async (request) => {
  const agent = request.url.slice(request.url.lastIndexOf("/") + 1);
  const { n } = enqueue.get(agent, await request.text())!;
  return new Response(String(tick(agent, Number(n))));
});
