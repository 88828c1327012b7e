/** /agents: made, listed, looked at and deleted; below one of them its files, and short names for a few. */
import { z } from "zod";
import type { LifecycleState } from "../core/agent.ts";
import { ACCESSES, concerns } from "../core/access.ts";
import { type AgentId, agentId } from "../core/id.ts";
import { limitsSchema } from "../core/limits.ts";
import type { AgentChange, AgentInfo, CreateRequest, Runtime } from "../core/runtime.ts";
import type { Backend } from "../core/backend.ts";
import { CONTROL_WORDS, type ControlWord } from "../core/view.ts";
import { FileError } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { wrongMethod } from "./codes.ts";
import type { Watchers } from "./events.ts";
import { serveFile } from "./files.ts";
import { invalid, readJson } from "./form.ts";
import { demand } from "./rights.ts";
import { call, send } from "./send.ts";
import { fileOf, numberIn, type Query } from "./target.ts";
import { json, jsonBytes, noContent, type Visit } from "./visit.ts";
import { TRACE, watch } from "./watch.ts";

/** Agents on one page, and the most that a page can have. */
const PAGE = 100;
const MAX_PAGE = 1_000;
const CTL = "/ctl";
const STATES: readonly LifecycleState[] = [
  "creating",
  "active",
  "dormant",
  "paused",
  "failed",
  "terminated",
];

export interface Agents {
  /** Everything at and below `/agents`. @throws FileError */
  serve(visit: Visit): Promise<Response>;
}

export function createAgents(
  runtime: Runtime,
  timer: Backend["timer"],
  watchers: Watchers,
): Agents {
  return {
    async serve(visit) {
      const { request: { method }, target: { names, dir, path } } = visit;
      if (names.length === 1) {
        if (method === "GET" || method === "HEAD") return await list(runtime, visit);
        if (method === "POST") return await create(runtime, visit);
        return wrongMethod(method, ["GET", "HEAD", "POST"], path);
      }
      const id = agentId(names[1]);
      if (names.length === 2 && !dir) {
        if (method === "GET" || method === "HEAD") return await info(runtime, id, visit);
        if (method === "DELETE") {
          demand(visit.principal, "delete an agent", path);
          await runtime.delete(id);
          return noContent();
        }
        if (method === "PATCH") return await configure(runtime, id, visit);
        return wrongMethod(method, ["GET", "HEAD", "PATCH", "DELETE"], path);
      }
      demand(visit.principal, "use files", path);
      const short = names.length === 3 ? SHORT[names[2]!] : undefined;
      if (short && method !== short.method) return wrongMethod(method, [short.method], path);
      const files = await runtime.files(id, visit.principal);
      if (short) return await short.serve({ runtime, timer, watchers, files, id, visit });
      return await serveFile(files, fileOf(visit.target, 2), visit, watchers);
    },
  };
}

interface Short {
  readonly method: string;
  serve(on: {
    readonly runtime: Runtime;
    readonly timer: Backend["timer"];
    readonly watchers: Watchers;
    readonly files: FileService;
    readonly id: string;
    readonly visit: Visit;
  }): Promise<Response>;
}

/** Short names for file operations; nothing can be mounted on them. */
const SHORT: Readonly<Record<string, Short>> = Object.assign(
  Object.create(null),
  {
    send: {
      method: "POST",
      serve: ({ runtime, timer, files, id, visit }) => send(runtime, timer, files, id, visit),
    },
    stream: {
      method: "GET",
      serve: ({ files, visit, watchers }) => watch(files, TRACE, visit, watchers),
    },
    ...Object.fromEntries(CONTROL_WORDS.map((word): [string, Short] => [word, {
      method: "POST",
      serve: ({ files, visit }) => control(files, word, visit),
    }])),
  } satisfies Record<string, Short>,
);

/** A word written to `/ctl`; `tick` is called, for its result. */
async function control(files: FileService, word: ControlWord, visit: Visit): Promise<Response> {
  if (word === "tick") {
    const signal = AbortSignal.any([visit.request.signal, visit.stopping]);
    return jsonBytes(await call(files, CTL, word, "text/plain", signal));
  }
  const handle = await files.open(CTL, "write");
  await handle.write(new TextEncoder().encode(word));
  await handle.close();
  return noContent();
}

/** `{ agents, next? }`, in order of id; `next` is the `after` of the following page. */
async function list(
  runtime: Runtime,
  { target: { query, path }, principal }: Visit,
): Promise<Response> {
  demand(principal, "list agents", path);
  const limit = numberIn(query, "limit") ?? PAGE;
  if (limit < 1) throw invalid(path, `limit is from 1 to ${MAX_PAGE}`);
  const agentsOf = principal.grant?.agents ?? "*";
  const page = {
    ...stateIn(query, path),
    ...(agentsOf === "*" ? {} : { among: agentsOf }),
    limit: Math.min(limit, MAX_PAGE),
  };
  const after = query?.get("after");
  const agents = await runtime.list({ ...page, ...(after ? { after } : {}) });
  const last = agents.at(-1)?.id;
  const isFull = last !== undefined && agents.length >= page.limit;
  const more = isFull && (await runtime.list({ ...page, after: last, limit: 1 })).length > 0;
  return json({ agents, ...(more ? { next: last } : {}) });
}

function stateIn(query: Query | undefined, path: string): { state?: LifecycleState } {
  const state = query?.get("state");
  if (state === undefined) return {};
  const known = STATES.find((known) => known === state);
  if (!known) throw invalid(path, `state is one of ${STATES.join(", ")}`);
  return { state: known };
}

async function info(runtime: Runtime, id: AgentId, visit: Visit): Promise<Response> {
  const { principal, target: { path } } = visit;
  demand(principal, "list agents", path);
  if (!concerns(principal, id)) throw otherAgents(path);
  return json(await runtime.info(id));
}

const createBody = z.strictObject({
  id: z.string(),
  name: z.string(),
  agent: z.union([
    z.string(),
    z.strictObject({ code: z.string(), digest: z.string().optional() }),
  ]),
  config: z.json(),
  goals: z.array(z.string()),
  mounts: z.record(z.string(), z.enum(ACCESSES)),
  limits: limitsSchema,
}).partial().required({ agent: true });

/** `201 { id, pubkey, npub, status, urls, info }`; `200` when it is there already, made by the same request. */
async function create(runtime: Runtime, visit: Visit): Promise<Response> {
  const { request, principal, target: { path } } = visit;
  demand(principal, "create an agent", path);
  const body = await readJson(request, path, createBody);
  if (typeof body.agent !== "string") demand(principal, "deploy code", path);
  if (body.limits || body.mounts) demand(principal, "set limits, mounts or budgets", path);
  const id = body.id === undefined ? {} : { id: agentId(body.id) };
  const made = await runtime.create({ ...body, ...id } as CreateRequest);
  return json(madeBody(made.info), made.created ? 201 : 200, {
    location: `/agents/${made.info.id}`,
  });
}

const changeBody = z.strictObject({
  name: z.string(),
  config: z.json(),
  limits: limitsSchema,
  /** Null: no longer mounted. */
  mounts: z.record(z.string(), z.enum(ACCESSES).nullable()),
}).partial();

/** Changes what the operator decides, and answers the agent as it then is. */
async function configure(runtime: Runtime, id: AgentId, visit: Visit): Promise<Response> {
  const { request, principal, target: { path } } = visit;
  demand(principal, "configure an agent", path);
  const change = await readJson(request, path, changeBody);
  return json(await runtime.configure(id, change as AgentChange, principal.name));
}

/** What a create and an import answer. */
export function madeBody(info: AgentInfo) {
  const at = `/agents/${info.id}`;
  return {
    id: info.id,
    pubkey: info.pubkey,
    npub: info.npub,
    status: info.state,
    urls: {
      self: at,
      files: `${at}/`,
      status: `${at}/status`,
      send: `${at}/send`,
      tick: `${at}/tick`,
      trace: `${at}/logs/trace`,
    },
    info,
  };
}

function otherAgents(path: string): FileError {
  const detail = "this token is for other agents";
  return new FileError("permission_denied", "open", path, { detail });
}
