/** A process that owns a data directory: says `open`, then the number of each commit once it is durable, until it is ended. */
import { openLocal } from "../../../src/backends/local/sqlite.ts";
import { key } from "../../../src/core/keys.ts";

const [dir, rows] = Deno.args;
const backend = await openLocal(dir!);
const encoder = new TextEncoder();
const say = (line: string) => Deno.stdout.writeSync(encoder.encode(`${line}\n`));
say("open");
const storage = backend.storage("a");
for (let n = 1; n <= Number(rows); n++) {
  const value = encoder.encode(String(n));
  const put = ["state", key.inbox(n), key.kv(String(n))].map((key) => ({ key, value }));
  // Several at once, so that the end may come in the middle of a group.
  storage.commit({ check: [], remove: [], put }).then(() => say(String(n)));
  if (n % 8 === 0) await storage.commit({ check: [], remove: [], put: [] });
}
await new Promise(() => setInterval(() => {}, 1_000_000));
