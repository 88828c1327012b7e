/** How a client verb finds the server, and which token it may send there. */
import { type Client, connect, type Fetch } from "../http/client.ts";
import type { Home } from "./home.ts";
import { readToken } from "./home.ts";
import { EXIT, trouble, usage } from "./exit.ts";
import { seeServer } from "./note.ts";

/** How long a server that was killed is waited for: it may be being started again. */
const KILLED_WAIT_MS = 3_000;
/** How long one is waited for that is starting or stopping. */
const START_WAIT_MS = 15_000;
const LOOK_MS = 25;
/** Stands for the address of a server that is not there yet. */
const AWAITED = "http://not-yet";

export interface Reach {
  /** As a person would write it. */
  readonly url: string;
  /** What requests go to: the same, or any name for a unix socket. */
  readonly base: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
}

export interface ReachAsked {
  /** `--url` */
  readonly url: string | undefined;
  /** `--token` */
  readonly token: string | undefined;
  readonly env: (name: string) => string | undefined;
  readonly home: () => Home;
  /** How a person runs this program. */
  readonly program: string;
  /** A server that is not there is not waited for. */
  readonly hurry?: boolean;
}

/** A client of the server that is found; it says where by the address that a person would write. */
export function clientOf(asked: ReachAsked): Client {
  const found = reach(asked);
  const { base, token, fetch } = found;
  return {
    ...connect({ url: base, fetch, ...(token === undefined ? {} : { token }) }),
    get url() {
      return found.url;
    },
  };
}

/** @throws an error with exit code 5 when nothing says where a server is */
export function reach(asked: ReachAsked): Reach {
  const url = asked.url ?? (asked.env("AGENTD_URL") || undefined);
  const token = asked.token ?? (asked.env("AGENTD_TOKEN") || undefined);
  if (url === undefined) {
    const home = asked.home();
    const seen = seeServer(home);
    const noted = seen.state === "running" ? seen.note : undefined;
    if (noted) return to(noted.url, token ?? readToken(home), asked.program);
    if (seen.state === "none" || asked.hurry) throw notRunning(home, asked.program);
    return awaited(home, token, asked.program);
  }
  const noted = token === undefined ? ownServer(asked, url) : undefined;
  return noted ?? to(url, token, asked.program);
}

function notRunning(home: Home, program: string): Error {
  return trouble(
    EXIT.unreachable,
    `No server is running in ${home.shown}`,
    `Start one: ${program.replace("agentctl", "agentd")} dev; or say where it is: --url URL`,
  );
}

/** A server that is just starting, or that was killed and is perhaps being started again: the first request waits for it. */
function awaited(home: Home, token: string | undefined, program: string): Reach {
  let found: Reach | undefined;
  return {
    get url() {
      return found?.url ?? AWAITED;
    },
    base: AWAITED,
    token: undefined,
    async fetch(url, init) {
      found ??= to(await whenThere(home, program), token ?? readToken(home), program);
      const headers = new Headers(init?.headers);
      if (found.token !== undefined) headers.set("authorization", `Bearer ${found.token}`);
      return await found.fetch(found.base + url.slice(AWAITED.length), { ...init, headers });
    },
  };
}

/** The address of the server in `home`, once it has noted one. */
async function whenThere(home: Home, program: string): Promise<string> {
  const began = Date.now();
  while (true) {
    const seen = seeServer(home);
    if (seen.state === "running" && seen.note) return seen.note.url;
    const waited = Date.now() - began;
    if (seen.state === "none" || (seen.state === "killed" && waited > KILLED_WAIT_MS)) {
      throw notRunning(home, program);
    }
    if (waited > START_WAIT_MS) {
      const what = `The server in ${home.shown} has been starting or stopping for long`;
      throw trouble(EXIT.unreachable, what, "Try again.");
    }
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

/**
 * The data directory's token goes to an address that was typed only if it is the one that its own server has noted; and then to the noted
 * one, as `localhost` may also lead to somebody else's `::1`.
 */
function ownServer(asked: ReachAsked, url: string): Reach | undefined {
  try {
    const home = asked.home();
    const seen = seeServer(home);
    const noted = seen.state === "running" ? seen.note?.url : undefined;
    if (noted === undefined || plain(noted) !== plain(url)) return undefined;
    return to(noted, readToken(home), asked.program);
  } catch {
    // No data directory of ours, or none that this user may read: then there is no token of ours either.
    return undefined;
  }
}

/** Is the server at `url` the one that runs in this data directory? */
export function isServerOf(home: Home, url: string): boolean {
  const seen = seeServer(home);
  const noted = seen.state === "running" ? seen.note?.url : undefined;
  return noted !== undefined && plain(noted) === plain(url);
}

function plain(url: string): string {
  return url.replace(/\/+$/, "").replace(/^http:\/\/localhost(?=[:/]|$)/, "http://127.0.0.1");
}

function to(url: string, token: string | undefined, program: string): Reach {
  const socket = /^unix:(.+)$/.exec(url)?.[1];
  if (socket !== undefined) {
    const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
    const over: Fetch = (to, init) => fetch(to, { ...init, client });
    return { url, base: "http://localhost", token, fetch: told(over, url, program) };
  }
  if (!/^https?:\/\/[^/]+/.test(url)) {
    throw usage(`${url} is no server's address`, "For example http://127.0.0.1:8080 or unix:PATH.");
  }
  return { url, base: url.replace(/\/+$/, ""), token, fetch: told(fetch, url, program) };
}

/** A server that does not answer is told as such, and not as a failed fetch. */
function told(over: Fetch, url: string, program: string): Fetch {
  return async (to, init) => {
    try {
      return await over(to, init);
    } catch (error) {
      if (init?.signal?.aborted) throw error;
      throw trouble(
        EXIT.unreachable,
        `No answer from ${url} (${reason(error)})`,
        `Is the server running? ${program.replace("agentctl", "agentd")} dev starts one.`,
      );
    }
  };
}

function reason(error: unknown): string {
  const text = `${(error as Error).message} ${((error as Error).cause as Error)?.message ?? ""}`;
  if (/refused/i.test(text)) return "connection refused";
  if (/lookup|dns/i.test(text)) return "no such host";
  if (error instanceof Deno.errors.NotCapable) return "the program was started without --allow-net";
  if (/No such file/i.test(text)) return "no such socket";
  if (/timed? ?out/i.test(text)) return "timed out";
  return (error as Error).message.slice(0, 200);
}
