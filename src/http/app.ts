/** The control plane as one function from request to response. It never listens: a door does, and says who is at the other end. */
import { type Context, Hono } from "hono";
import type { Backend } from "../core/backend.ts";
import type { Principal, Runtime } from "../core/runtime.ts";
import { codeOf, FileError } from "../fs/error.ts";
import { createAgents } from "./agents.ts";
import { type AuthOptions, createDoor, type Peer, STRANGER } from "./auth.ts";
import { backUp, type DatabaseCopy } from "./backup.ts";
import { problem, wrongMethod } from "./codes.ts";
import { createWatchers } from "./events.ts";
import { demand } from "./rights.ts";
import { rawPath, targetOf } from "./target.ts";
import { serveTokens } from "./tokens.ts";
import { exportAgent, importAgent } from "./transfer.ts";
import { json, noContent, type Visit } from "./visit.ts";

export type { AuthOptions, Peer } from "./auth.ts";

export interface AppOptions {
  readonly runtime: Runtime;
  readonly auth: AuthOptions;
  /** Time, from the backend. */
  readonly clock: Pick<Backend, "now" | "timer">;
  /** Aborts when the server begins to stop: watches and waits end, so that connections can. */
  readonly stopping?: AbortSignal;
  /** Makes a copy of the database; absent where there is no such file. */
  readonly backup?: () => Promise<DatabaseCopy>;
  /** Told of errors whose details a caller does not get. */
  readonly report?: (error: unknown) => void;
}

/** Never rejects: an error is an answer. Without a peer, the caller is a stranger. */
export type App = (request: Request, peer?: Peer) => Promise<Response>;

interface Env {
  Bindings: { peer: Peer };
}
type Handler = (visit: Visit) => Promise<Response> | Response;

export function createApp(options: AppOptions): App {
  return createRouter(options).serve;
}

export interface Router {
  readonly serve: App;
  /** Every route; one that ends in `*` goes on. */
  readonly paths: readonly string[];
}

export function createRouter(options: AppOptions): Router {
  const { runtime, clock, report = () => {} } = options;
  const stopping = options.stopping ?? new AbortController().signal;
  const door = createDoor(options.auth, clock.now, runtime.tokens.find);
  const watchers = createWatchers({ timer: clock.timer, stopping });
  const agents = createAgents(runtime, clock.timer, watchers);
  // Routes go by the path as it was sent: what is behind an escape is taken apart in one place, `target.ts`.
  const hono = new Hono<Env>({ getPath: ({ url }) => rawPath(url) });

  /** Who comes in, what they name, and every error as an answer. */
  function serving(handler: Handler, isOpen = false) {
    return async ({ req: { raw: request }, env: { peer } }: Context<Env>): Promise<Response> => {
      try {
        door.admit(request);
        const principal = isOpen ? PUBLIC : door.who(request, peer);
        return await handler({
          request,
          target: targetOf(request.url),
          principal,
          stopping,
        });
      } catch (error) {
        return answered(error, request);
      }
    };
  }
  function answered(error: unknown, request: Request): Response {
    if (codeOf(error) === "internal") report(error);
    return problem(error, rawPath(request.url));
  }

  hono.all("/healthz", serving(only("GET", () => json({ status: "ok" })), true));
  hono.all(
    "/runtime/status",
    serving(only("GET", async ({ principal, target: { path } }) => {
      demand(principal, "see the runtime", path);
      return json(await runtime.status());
    })),
  );
  hono.all(
    "/runtime/pause",
    serving(only("POST", async ({ principal, target: { path } }) => {
      demand(principal, "pause or resume the runtime", path);
      await runtime.pauseAll();
      return noContent();
    })),
  );
  hono.all(
    "/runtime/resume",
    serving(only("POST", async ({ principal, target: { path } }) => {
      demand(principal, "pause or resume the runtime", path);
      await runtime.resumeAll();
      return noContent();
    })),
  );
  hono.all("/runtime/tokens/*", serving((visit) => serveTokens(runtime.tokens, visit)));
  hono.all(
    "/runtime/export/*",
    serving((visit) => exportAgent(runtime, clock.timer, visit)),
  );
  hono.all("/runtime/import", serving((visit) => importAgent(runtime, clock.timer, visit)));
  hono.all("/runtime/backup", serving((visit) => backUp(options.backup, clock.timer, visit)));
  hono.all("/agents/*", serving((visit) => agents.serve(visit)));
  hono.notFound(serving(({ target: { path } }) => {
    const detail = "the routes are /agents, /runtime and /healthz";
    throw new FileError("not_found", "open", path, { detail });
  }));

  const serve: App = async (request, peer = STRANGER) => {
    try {
      return await hono.fetch(request, { peer });
    } catch (error) {
      return answered(error, request);
    }
  };
  return { serve, paths: hono.routes.map(({ path }) => path) };
}

/** Of whom nothing is known; no table allows it anything. */
const PUBLIC: Principal = { viewer: "public", name: "public" };

function only(method: "GET" | "POST", handler: Handler): Handler {
  return (visit) => {
    const asked = visit.request.method;
    if (asked === method || (asked === "HEAD" && method === "GET")) return handler(visit);
    const allow = method === "GET" ? ["GET", "HEAD"] : [method];
    return wrongMethod(asked, allow, visit.target.path);
  };
}
