/** The control plane as one function from request to response. It never listens: a door does, and says who is at the other end. */
import { type Context, Hono } from "hono";
import type { Backend } from "../core/backend.ts";
import type { ContainerProviders } from "../core/containers.ts";
import type { Principal, Runtime } from "../core/runtime.ts";
import type { Secrets } from "../core/secrets.ts";
import { parseTraceparent, type Span, type Tracer } from "../core/tracer.ts";
import { FileError } from "../fs/error.ts";
import { agentRoutes } from "./agents.ts";
import { type AuthOptions, createDoor, type Peer, STRANGER } from "./auth.ts";
import { backupRoute, type DatabaseCopy } from "./backup.ts";
import { isServers, problem, wrongMethod } from "./codes.ts";
import { createWatchers } from "./events.ts";
import { imageRoutes } from "./images.ts";
import { hookRoutes } from "./hooks/routes.ts";
import type { HookStore } from "./hooks/store.ts";
import { inOpenAiWords, speaksOpenAi } from "./openai/errors.ts";
import { openAiRoutes } from "./openai/routes.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { pageRoutes } from "./pages.ts";
import { demand } from "./rights.ts";
import { methodsOf, operationOf, patternOf, type Route } from "./route.ts";
import { runtimeRoutes } from "./runtime.ts";
import { plainPath, rawPath, targetOf } from "./target.ts";
import { secretRoutes } from "./secrets.ts";
import { tokenRoutes } from "./tokens.ts";
import { transferRoutes } from "./transfer.ts";
import type { Visit } from "./visit.ts";

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
  /** The program's, as its document tells it. */
  readonly version?: string;
  /** What `/metrics` tells; the engine's counts are in it if it was given its meter. Absent: requests alone are counted. */
  readonly metrics?: Metrics;
  /** Who may send by a signature; absent: nobody. */
  readonly hooks?: HookStore;
  /** What requests of agents may refer to; absent: none are kept. */
  readonly secrets?: Secrets;
  /** Whose images an operator sees and fetches; absent: nobody's. */
  readonly containers?: ContainerProviders;
  /** Keeps spans of requests and of the calls in them. */
  readonly tracer?: Tracer;
}

/** Never rejects: an error is an answer. Without a peer, the caller is a stranger. */
export type App = (request: Request, peer?: Peer) => Promise<Response>;

interface Env {
  Bindings: { peer: Peer };
}

export function createApp(options: AppOptions): App {
  return createRouter(options).serve;
}

export interface Router {
  readonly serve: App;
  /** All that is served, and nothing else is. */
  readonly routes: readonly Route[];
  /** Their patterns, in the router's words; one that ends in `*` goes on. */
  readonly paths: readonly string[];
}

/** On every answer: by it a server is known as one of these, and not as a model server that speaks the same protocol. */
export const VERSION_HEADER = "x-agentd";
/** What no route takes, as it is counted. */
const NO_ROUTE = "none";

export function createRouter(options: AppOptions): Router {
  const { runtime, clock, tracer, report = () => {} } = options;
  const stopping = options.stopping ?? new AbortController().signal;
  const { version = "unknown" } = options;
  const metrics = options.metrics ?? createMetrics({ version });
  const door = createDoor(options.auth, clock.now, runtime.tokens.find);
  const { timer } = clock;
  const watchers = createWatchers({ timer, stopping, onDropped: metrics.dropped });
  const routes: readonly Route[] = [
    ...runtimeRoutes(runtime, watchers, metrics),
    ...tokenRoutes(runtime.tokens),
    ...transferRoutes(runtime, timer),
    backupRoute(options.backup, timer),
    ...hookRoutes(runtime, options.hooks, clock),
    ...secretRoutes(options.secrets),
    ...imageRoutes(options.containers),
    ...openAiRoutes({ runtime, clock, tracer, report }),
    ...agentRoutes({ runtime, timer, watchers, tracer }),
    ...pageRoutes(() => routes, version),
  ];
  const hono = new Hono<Env>({ getPath: ({ url }) => plainPath(url) });

  /** Who comes in, what they name, and every error as an answer. */
  async function visited(request: Request, peer: Peer, span?: Span, route?: Route) {
    try {
      door.admit(request);
      const operation = route && operationOf(route, request.method);
      const isOpen = operation?.needs === "anyone";
      const principal = isOpen ? PUBLIC : door.who(request, peer);
      const target = targetOf(request.url, route?.hasFreeNames);
      if (!route) throw noRoute(target.path);
      if (!operation) return wrongMethod(request.method, methodsOf(route), target.path);
      if (operation.needs !== "anyone") demand(principal, operation.needs, target.path);
      const trace = span?.context ?? parseTraceparent(request.headers.get("traceparent"));
      const visit: Visit = { request, target, principal, peer, trace, stopping };
      return await operation.serve(visit);
    } catch (error) {
      return answered(error, request);
    }
  }
  function answered(error: unknown, request: Request): Response {
    if (isServers(error)) report(error);
    return problem(error, rawPath(request.url));
  }
  function serving(route?: Route) {
    const at = route?.at ?? NO_ROUTE;
    return async ({ req: { raw: request }, env: { peer } }: Context<Env>): Promise<Response> => {
      const span = tracer && spanOf(tracer, at, request);
      const response = await visited(request, peer, span, route);
      metrics.request(at, request.method, response.status);
      span?.set("http.response.status_code", response.status);
      span?.end(response.status < 500 ? undefined : FAILED);
      return response;
    };
  }

  for (const route of routes) {
    const serve = serving(route);
    hono.all(patternOf(route.at), serve);
    if (route.also !== undefined) hono.all(route.also, serve);
  }
  hono.notFound(serving());

  const answer: App = async (request, peer = STRANGER) => {
    try {
      return await hono.fetch(request, { peer });
    } catch (error) {
      return answered(error, request);
    }
  };
  const serve: App = async (request, peer) => {
    const plain = await answer(request, peer);
    const response = speaksOpenAi(request.url) ? await inOpenAiWords(plain) : plain;
    response.headers.set(VERSION_HEADER, version);
    return response;
  };
  return { serve, routes, paths: hono.routes.map(({ path }) => path) };
}

/** Of whom nothing is known; no table allows it anything. */
const PUBLIC: Principal = { viewer: "public", name: "public" };
const FAILED = { code: "internal", message: "the request failed inside" };

/** The name has no path in it, which may have an agent's id. */
function spanOf(tracer: Tracer, at: string, request: Request): Span {
  return tracer.start(`${request.method} ${at}`, {
    kind: "server",
    parent: parseTraceparent(request.headers.get("traceparent")),
    attributes: { "http.request.method": request.method, "http.route": at },
  });
}

function noRoute(path: string): FileError {
  const detail = "there is no such route; /openapi.json tells those that there are";
  return new FileError("not_found", "open", path, { detail });
}
