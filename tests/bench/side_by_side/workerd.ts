/** workerd, the open runtime of Cloudflare's Workers, with a Durable Object of SQL storage for each connection. */
import { createRequire } from "node:module";
import { type Contestant, started } from "./contestant.ts";

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "DISK", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [(className = "Agent", uniqueKey = "agent", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "AGENT", durableObjectNamespace = "Agent")],
);
`;

/** `/two/…` makes the message durable before its handler runs, as agentd does; `/one/…` leaves it to the output gate, which holds the answer until all is durable. */
const WORKER = `import { DurableObject } from "cloudflare:workers";
export class Agent extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS inbox (n INTEGER PRIMARY KEY, body TEXT NOT NULL)");
    this.sql.exec("CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)");
    this.sql.exec("CREATE TABLE IF NOT EXISTS record (n INTEGER PRIMARY KEY, count INTEGER NOT NULL)");
    this.sql.exec("INSERT OR IGNORE INTO state (id, count) VALUES (1, 0)");
  }
  async fetch(request) {
    const body = await request.text();
    const { n } = this.sql.exec("INSERT INTO inbox (body) VALUES (?) RETURNING n", body).one();
    if (new URL(request.url).pathname.startsWith("/two/")) await this.ctx.storage.sync();
    const count = this.ctx.storage.transactionSync(() => {
      const count = this.sql.exec("SELECT count FROM state WHERE id = 1").one().count + 1;
      this.sql.exec("UPDATE state SET count = ? WHERE id = 1", count);
      this.sql.exec("INSERT INTO record (count) VALUES (?)", count);
      this.sql.exec("DELETE FROM inbox WHERE n = ?", n);
      return count;
    });
    return new Response(String(count));
  }
}
export default {
  fetch(request, env) {
    return env.AGENT.get(env.AGENT.idFromName(new URL(request.url).pathname)).fetch(request);
  },
};
`;

async function binary(): Promise<string> {
  // Named whole, so that the package is fetched with the others.
  await import("@cloudflare/workerd-linux-64/package.json", { with: { type: "json" } });
  return createRequire(import.meta.url).resolve("@cloudflare/workerd-linux-64/bin/workerd");
}

/** @param way `two` commits a message, or `one` */
export function workerd(way: "one" | "two"): Contestant {
  return {
    name: `workerd Durable Object, ${way} commit${way === "two" ? "s" : ""}`,
    async start(dir) {
      if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
        return "its package here is that for Linux on x86_64";
      }
      await Deno.mkdir(`${dir}/disk`);
      await Deno.writeTextFile(`${dir}/config.capnp`, CONFIG.replace("DISK", `${dir}/disk`));
      await Deno.writeTextFile(`${dir}/worker.js`, WORKER);
      const { port, stop } = await started(
        new Deno.Command(await binary(), {
          args: ["serve", "--experimental", "--control-fd=1", `${dir}/config.capnp`],
          stdout: "piped",
          stderr: "inherit",
        }),
        (line) => JSON.parse(line).port,
      );
      const path = `/${way}/c-{n}`;
      return { plan: { port, method: "POST", path, body: "hello", status: 200 }, stop };
    },
  };
}
