/** Where the server listens: `HOST:PORT` or `unix:PATH`, opened so that nobody else gets in between. */
import { basename, dirname, join, resolve } from "node:path";
import { FileError } from "../fs/error.ts";
import { EXIT, trouble, usage } from "./exit.ts";
import { removeQuietly } from "./home.ts";

export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Other ports that are tried for the suggestion when one is taken. */
const SUGGESTIONS = 20;
/** Longer names do not fit into a socket's address (Linux 108, macOS 104, with the end mark). */
const MAX_SOCKET_PATH_BYTES = 103;

/** @throws usage error */
export function parseListen(text: string, cwd: string): Address {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw usage("--listen unix: names no path", "For example unix:./agentd.sock.");
    return { kind: "unix", path: resolve(cwd, path) };
  }
  const [, host, digits] = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw usage(`--listen ${text}: not HOST:PORT`, "For example 127.0.0.1:8081 or unix:PATH.");
  }
  if (host === "") {
    throw usage(
      `--listen ${text}: which address?`,
      `127.0.0.1:${port} is this machine alone, 0.0.0.0:${port} every network.`,
    );
  }
  // One address, the same one that the note of the server names, whatever the resolver says.
  const hostname = host === undefined || host === "localhost" ? "127.0.0.1" : host;
  return { kind: "tcp", hostname: hostname.replace(/^\[|\]$/g, ""), port };
}

/** Is it this machine alone? */
export function isLoopback(hostname: string): boolean {
  return /^127(\.\d{1,3}){3}$/.test(hostname) || hostname === "::1" || hostname === "localhost";
}

/** `http://127.0.0.1:8080`; an address that means "every one" is reached over loopback. */
export function urlOf(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  const host = reachable(hostname);
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** An address that means "every one" is reached over loopback. */
function reachable(hostname: string): string {
  return hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
}

export type Handler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.Addr>,
) => Response | Promise<Response>;

export interface Listening {
  /** With the port that was given, if 0 was asked for. */
  readonly address: Address;
  /** Takes no more connections; resolves when those that are open have been answered, or when the time is over. */
  stop(withinMs: number): Promise<void>;
  /** Cuts everything at once; not to be called after `stop`. */
  cut(): void;
}

/**
 * @param lost told when the system takes no more connections, which is tried again until it does
 * @throws an error that says who has the address, and what to try
 */
export async function listen(
  address: Address,
  handler: Handler,
  lost: (error: unknown) => void = () => {},
): Promise<Listening> {
  return address.kind === "tcp"
    ? listenTcp(address, handler, lost)
    : await listenUnix(address, handler, lost);
}

function listenTcp(
  address: Address & { kind: "tcp" },
  handler: Handler,
  lost: (error: unknown) => void,
): Listening {
  const { hostname } = address;
  const cutter = new AbortController();
  const { signal } = cutter;
  const open = (port: number) =>
    Deno.serve({ hostname, port, signal, onListen: () => {}, onError: failed }, handler);
  try {
    const server = open(address.port);
    const { port } = server.addr;
    const at = { hostname: reachable(hostname), port };
    const kept = keepListening(server, () => open(port), () => Deno.connect(at), lost);
    return {
      address: { kind: "tcp", hostname, port },
      stop: (withinMs) => kept.stop(withinMs),
      cut() {
        kept.end();
        cutter.abort();
      },
    };
  } catch (error) {
    throw cannotListen(address, error);
  }
}

/** What can be waited for and stopped of a server. */
interface Serving {
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}

/** From one try to listen again to the next. */
const AGAIN_MS = 100;
/** From one look at whether it still listens to the next. */
const LOOK_MS = 2_000;

/** Why it listens no more; undefined once it has been stopped. Deno 2.7 tells only when the last connection is closed, so that it is tried as well. */
async function endOf(
  { finished }: Serving,
  reach: () => Promise<{ close(): void }>,
): Promise<unknown> {
  let looking: ReturnType<typeof setInterval> | undefined;
  const found = new Promise<unknown>((resolve) => {
    const look = () => reach().then((connection) => connection.close(), refused);
    const refused = (error: unknown) => {
      if (!(error instanceof Deno.errors.ConnectionRefused)) return;
      resolve(new Error("nobody listens any more, as when too many files are open"));
    };
    looking = setInterval(look, LOOK_MS);
    Deno.unrefTimer(looking as unknown as number);
  });
  try {
    const told = finished.then(() => undefined, (error) => error);
    return await Promise.race([told, found]);
  } finally {
    clearInterval(looking);
  }
}

/**
 * A process that may open no more files can take no connection, and its server stops listening over it; connections that it has are served on. It listens
 * again as soon as it can, for whoever holds many connections must not be able to end the server.
 */
function keepListening(
  first: Serving,
  again: () => Serving | Promise<Serving>,
  reach: () => Promise<{ close(): void }>,
  lost: (error: unknown) => void,
) {
  let current = first;
  let over = false;

  async function opened(): Promise<Serving | undefined> {
    while (true) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (over) return undefined;
      try {
        return await again();
      } catch (error) {
        lost(noConnections(error));
      }
    }
  }
  async function follow(): Promise<void> {
    while (true) {
      const error = await endOf(current, reach);
      if (error === undefined || over) return;
      lost(noConnections(error));
      const next = await opened();
      if (!next) return;
      current = next;
    }
  }
  follow();
  return {
    end: () => void (over = true),
    stop(withinMs: number): Promise<void> {
      over = true;
      return stopServer(current, withinMs);
    },
  };
}

function noConnections(cause: unknown): FileError {
  const why = (cause as Error).message.replace(/^Error: /, "").trim();
  return new FileError("io", "take connections", "", {
    detail:
      `${why}; those that are open are served on, and it listens again by itself; close some, ` +
      "or start the server with a higher limit of open files (ulimit -n)",
    cause,
  });
}

/** What is still open when the time is over ends with the process: a server that has begun to shut down can no longer be aborted. */
async function stopServer(
  server: { shutdown(): Promise<void> },
  withinMs: number,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, withinMs);
  // One that has failed has nothing left to shut down.
  await Promise.race([server.shutdown().catch(() => {}), over.promise]);
  clearTimeout(timer);
}

/** The application answers every error itself; what gets here has no words that a caller should see. */
function failed(): Response {
  return new Response("internal error\n", { status: 500 });
}

function cannotListen({ hostname, port }: { hostname: string; port: number }, error: unknown) {
  const at = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const { errors } = Deno;
  if (error instanceof errors.AddrInUse) {
    const free = freePort(hostname, port);
    return trouble(
      EXIT.failed,
      `${at} is used by another program`,
      free === undefined
        ? "Try another --listen address."
        : `Try --listen ${at.replace(/\d+$/, String(free))}`,
    );
  }
  if (error instanceof errors.NotCapable) {
    return trouble(
      EXIT.failed,
      `Cannot listen on ${at}: the program was started without --allow-net=${at}`,
    );
  }
  if (error instanceof errors.PermissionDenied) {
    return trouble(
      EXIT.failed,
      `Cannot listen on ${at}: this user may not`,
      "Try a port above 1023.",
    );
  }
  if (error instanceof errors.AddrNotAvailable) {
    return trouble(
      EXIT.failed,
      `Cannot listen on ${at}: this machine has no such address`,
      "Try 127.0.0.1.",
    );
  }
  return trouble(EXIT.failed, `Cannot listen on ${at}: ${(error as Error).message}`);
}

/** A port near the one that is taken which nobody has at the moment. */
function freePort(hostname: string, taken: number): number | undefined {
  for (let port = taken + 1; port <= Math.min(taken + SUGGESTIONS, 65_535); port++) {
    try {
      Deno.listen({ hostname, port }).close();
      return port;
    } catch {
      // Taken too, or not allowed: the next one.
    }
  }
}

/**
 * The socket is born in a directory that only we can enter, made private there, and moved to its place: it is never open to others, and
 * it replaces a stale one in one step.
 */
async function listenUnix(
  address: Address & { kind: "unix" },
  handler: Handler,
  lost: (error: unknown) => void,
): Promise<Listening> {
  const { path } = address;
  await refuseTaken(path);
  const cutter = new AbortController();
  const open = () => serveUnix(path, handler, cutter.signal);
  const reach = () => Deno.connect({ transport: "unix", path });
  const kept = keepListening(open(), open, reach, lost);
  return {
    address,
    stop(withinMs) {
      removeQuietly(path);
      return kept.stop(withinMs);
    },
    cut() {
      kept.end();
      removeQuietly(path);
      cutter.abort();
    },
  };
}

function serveUnix(path: string, handler: Handler, signal: AbortSignal): Serving {
  const dir = join(dirname(path), `.${crypto.randomUUID().slice(0, 4)}`);
  const born = join(dir, "s");
  const longest = Math.max(...[born, path].map((p) => new TextEncoder().encode(p).length));
  if (longest > MAX_SOCKET_PATH_BYTES) {
    throw usage(`${path} is too long for a socket`, `At most ${MAX_SOCKET_PATH_BYTES} bytes.`);
  }
  const unborn = new AbortController();
  let made = false;
  try {
    Deno.mkdirSync(dir, { mode: 0o700 });
    made = true;
    const ends = AbortSignal.any([signal, unborn.signal]);
    const server = Deno.serve(
      { path: born, signal: ends, onListen: () => {}, onError: failed },
      handler,
    );
    Deno.chmodSync(born, 0o600);
    Deno.renameSync(born, path);
    return server;
  } catch (error) {
    unborn.abort();
    if (error instanceof Deno.errors.NotFound) {
      const missing = dirname(path);
      throw trouble(
        EXIT.failed,
        `Cannot listen on unix:${path}: there is no directory ${missing}`,
        `Make it: mkdir -p ${missing}`,
      );
    }
    throw trouble(EXIT.failed, `Cannot listen on unix:${path}: ${(error as Error).message}`);
  } finally {
    if (made) Deno.removeSync(dir, { recursive: true });
  }
}

/** A socket that nobody answers at is what a killed server left; anything else stays. */
async function refuseTaken(path: string): Promise<void> {
  let stat: Deno.FileInfo;
  try {
    stat = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw trouble(EXIT.failed, `Cannot listen on unix:${path}: ${(error as Error).message}`);
  }
  if (!stat.isSocket) {
    throw trouble(EXIT.failed, `${path} is there and is no socket`, "Say another path.");
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch {
    return;
  }
  throw trouble(
    EXIT.failed,
    `unix:${path} is used by another program`,
    `Try --listen unix:${join(dirname(path), `2-${basename(path)}`)}`,
  );
}
