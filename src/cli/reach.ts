/** How a client verb finds the server, and which token it may send there. */
import { type Client, connect, type Fetch } from "../http/client.ts";
import type { Home } from "./home.ts";
import { readToken } from "./home.ts";
import { EXIT, trouble, usage } from "./exit.ts";
import { type Seen, seeServer } from "./note.ts";

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
}

/** A client of the server that is found; it says where by the address that a person would write. */
export function clientOf(asked: ReachAsked): Client {
  const { url, base, token, fetch } = reach(asked);
  return { ...connect({ url: base, fetch, ...(token === undefined ? {} : { token }) }), url };
}

/** @throws an error with exit code 5 when nothing says where a server is */
export function reach(asked: ReachAsked): Reach {
  const url = asked.url ?? (asked.env("AGENTD_URL") || undefined);
  const token = asked.token ?? (asked.env("AGENTD_TOKEN") || undefined);
  if (url === undefined) {
    const home = asked.home();
    const noted = notedUrl(home, seeServer(home), asked.program);
    return to(noted, token ?? readToken(home), asked.program);
  }
  const noted = token === undefined ? ownServer(asked, url) : undefined;
  return noted ?? to(url, token, asked.program);
}

function notedUrl(home: Home, seen: Seen, program: string): string {
  if (seen.state === "none") {
    throw trouble(
      EXIT.unreachable,
      `No server is running in ${home.shown}`,
      `Start one: ${program.replace("agentctl", "agentd")} dev; or say where it is: --url URL`,
    );
  }
  if (!seen.note) {
    throw trouble(
      EXIT.unreachable,
      `The server in ${home.shown} is just starting or stopping`,
      "Try again.",
    );
  }
  return seen.note.url;
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
