/** The server of the data directory, or the one that was named: does it run, does it answer? */
import type { Call } from "../call.ts";
import type { Home } from "../home.ts";
import { parseListen } from "../listen.ts";
import { type Seen, seeServer } from "../note.ts";
import { count, span } from "../print.ts";
import type { Found } from "../settings.ts";
import { type Finding, type Group, look } from "./finding.ts";
import { within } from "./within.ts";

const ANSWER_MS = 3_000;

export async function lookAtServer(
  call: Call,
  home: Home,
  before: Seen | undefined,
  found: Found | undefined,
): Promise<Group> {
  const title = "Server";
  const named = call.given.options.url !== undefined || Boolean(call.env("AGENTD_URL"));
  const running = await look("server", () => {
    const seen = before ?? seeServer(home);
    if (named || (seen.state === "running" && seen.note)) return asked(call, seen);
    return notThere(call, home, seen);
  });
  if (running.state !== "absent" || !found) return { title, findings: [running] };
  return { title, findings: [running, await look("address", () => lookAtAddress(call, found))] };
}

async function asked(call: Call, seen: Seen): Promise<Finding> {
  const name = "server";
  const note = seen.state === "running" ? seen.note : undefined;
  const server = call.server();
  try {
    const status = await within(ANSWER_MS, server.status());
    const told = [
      server.url,
      ...(note ? [`pid ${note.pid}`, note.version] : []),
      `up ${span(status.uptime_ms)}`,
      count(status.agents, "agent"),
      ...(status.paused ? ["paused"] : []),
    ];
    const todo = note && note.version !== call.version
      ? { todo: `This program is ${call.version}: start the server again to have it there too.` }
      : {};
    return { name, state: "ok", found: told.join(" · "), ...todo };
  } catch (error) {
    const found = `${server.url} does not answer: ${(error as Error).message}`;
    const todo = note ? `It is pid ${note.pid}: kill ${note.pid}, and start it again.` : undefined;
    return { name, state: "broken", found, ...(todo ? { todo } : {}) };
  }
}

function notThere(call: Call, home: Home, seen: Seen): Finding {
  const name = "server";
  const start = `${call.program.replace("agentctl", "agentd")} dev`;
  if (seen.state === "running") {
    return { name, state: "absent", found: "just starting, or stopping", todo: "Look again." };
  }
  if (seen.state === "killed") {
    const found = "none runs; the last one was killed";
    return { name, state: "absent", found, todo: `${start} starts it, and goes on where it was.` };
  }
  return {
    name,
    state: "absent",
    found: `none runs in ${home.shown}`,
    todo: `${start} starts one.`,
  };
}

/** Would a server find its address free? */
function lookAtAddress(call: Call, { settings: { listen } }: Found): Finding {
  const name = "address";
  const address = parseListen(listen, call.cwd);
  if (address.kind === "unix") return { name, state: "ok", found: listen };
  const { hostname, port } = address;
  try {
    Deno.listen({ hostname, port }).close();
    return { name, state: "ok", found: `${listen} is free` };
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    const todo = "Another data directory's server, perhaps. Another address: --listen 127.0.0.1:0";
    return { name, state: "absent", found: `${listen} is used by another program`, todo };
  }
}
