/** /agents: made, listed, looked at, changed and deleted; below one of them its files, and short names for a few. */
import { z } from "zod";
import { ACCESSES, concerns } from "../core/access.ts";
import { AUTONOMIES } from "../core/autonomy.ts";
import { budgetPolicySchema } from "../core/budget.ts";
import { type AgentId, agentId } from "../core/id.ts";
import { limitsSchema } from "../core/limits.ts";
import { directoryMountSchema } from "../core/mounts.ts";
import type { AgentChange, AgentInfo, CreateRequest, Runtime } from "../core/runtime.ts";
import type { Backend } from "../core/backend.ts";
import { tracedFiles } from "../core/traced.ts";
import type { Tracer } from "../core/tracer.ts";
import { CONTROL_WORDS, type ControlWord } from "../core/view.ts";
import { FileError } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import type { Watchers } from "./events.ts";
import { fileRoute } from "./files.ts";
import { invalid, readJson } from "./form.ts";
import { AFTER_NAME, AFTER_SEQ, LIMIT, paramIn, STATE, TAIL } from "./params.ts";
import { demand } from "./rights.ts";
import { jsonAnswer, jsonBody, NO_CONTENT, type Operation, type Route } from "./route.ts";
import { AGENT_DETAILS, AGENT_MADE, AGENT_PAGE, named, TICK_RESULT } from "./schemas.ts";
import { call, sendOperation } from "./send.ts";
import { json, jsonBytes, noContent, type Visit } from "./visit.ts";
import { EVENTS, LAST_EVENT_ID, TRACE, watch } from "./watch.ts";

/** Agents on one page, and the most that a page can have. */
const PAGE = 100;
const MAX_PAGE = 1_000;
const CTL = "/ctl";
/** What the routes of agents are made of. */
export interface AgentsDeps {
  readonly runtime: Runtime;
  readonly timer: Backend["timer"];
  readonly watchers: Watchers;
  readonly tracer?: Tracer | undefined;
}

export function agentRoutes(deps: AgentsDeps): Route[] {
  const { runtime, watchers } = deps;
  const files = (visit: Visit) => filesFor(deps, idOf(visit), visit);
  return [
    {
      at: "/agents",
      also: "/agents/",
      tag: "Agents",
      methods: {
        GET: {
          id: "listAgents",
          about: "Lists agents, in order of id",
          needs: "list agents",
          query: [STATE, LIMIT, AFTER_NAME],
          answers: { 200: jsonAnswer("A page of them.", AGENT_PAGE) },
          serve: (visit) => list(runtime, visit),
        },
        POST: {
          id: "createAgent",
          about: "Makes an agent",
          more: "Code, limits, mounts and budgets are the operator's to give.",
          needs: "create an agent",
          body: jsonBody("What it is to be.", CREATE_AGENT),
          answers: {
            201: {
              ...jsonAnswer("It is there.", AGENT_MADE),
              headers: { location: "Where it is." },
            },
            200: {
              ...jsonAnswer("It was there, made by the same request.", AGENT_MADE),
              headers: { location: "Where it is." },
            },
          },
          refusals: ["already_exists", "agent_error", "not_found"],
          serve: (visit) => create(runtime, visit),
        },
      },
    },
    {
      at: "/agents/{id}",
      tag: "Agents",
      methods: {
        GET: {
          id: "getAgent",
          about: "Tells of an agent, with what its operator has decided",
          needs: "list agents",
          answers: { 200: jsonAnswer("The agent.", AGENT_DETAILS) },
          refusals: ["not_found"],
          serve: (visit) => info(runtime, idOf(visit), visit),
        },
        PATCH: {
          id: "configureAgent",
          about: "Changes what the operator decides: name, config, limits, mounts, budgets",
          more: "What is left out stays as it is. One commit, which the trajectory tells of.",
          needs: "configure an agent",
          body: jsonBody("What changes.", CHANGE_AGENT),
          answers: { 200: jsonAnswer("The agent as it now is.", AGENT_DETAILS) },
          refusals: ["not_found", "too_large"],
          serve: (visit) => configure(runtime, idOf(visit), visit),
        },
        DELETE: {
          id: "deleteAgent",
          about: "Ends an agent and removes all that it has",
          needs: "delete an agent",
          answers: { 204: NO_CONTENT },
          refusals: ["not_found"],
          async serve(visit) {
            await runtime.delete(idOf(visit));
            return noContent();
          },
        },
      },
    },
    {
      at: "/agents/{id}/send",
      tag: "Messages",
      methods: { POST: sendOperation(deps, files) },
    },
    {
      at: "/agents/{id}/stream",
      tag: "Messages",
      methods: {
        GET: {
          id: "streamAgent",
          about: "The agent's trace as it goes on",
          needs: "use files",
          query: [AFTER_SEQ, TAIL],
          headers: { "last-event-id": LAST_EVENT_ID },
          answers: { 200: EVENTS },
          refusals: ["not_found", "rate_limited"],
          isEndless: true,
          serve: async (visit) => await watch(await files(visit), TRACE, visit, watchers),
        },
      },
    },
    ...CONTROL_WORDS.map((word): Route => ({
      at: `/agents/{id}/${word}`,
      tag: "Messages",
      methods: { POST: controlOperation(word, files) },
    })),
    fileRoute(files, watchers),
  ];
}

/** The agent that a path names. @throws FileError `invalid_request` */
function idOf({ target: { names } }: Visit): AgentId {
  return agentId(names[1]);
}

/** The agent's files as the caller may use them; where somebody traces, their calls are a part of the request. */
export async function filesFor(
  { runtime, tracer }: Pick<AgentsDeps, "runtime" | "tracer">,
  id: AgentId,
  visit: Visit,
): Promise<FileService> {
  const files = await runtime.files(id, visit.principal);
  return tracer ? tracedFiles(files, id, tracer, () => visit.trace) : files;
}

const CONTROLS: Readonly<Record<ControlWord, string>> = {
  tick: "Ticks the agent now, ahead of what waits",
  hibernate: "Lets the agent sleep until something comes",
  wake: "Wakes the agent",
  pause: "Lets the agent take messages and tick none",
  resume: "Lets a paused or failed agent tick again",
};

function controlOperation(
  word: ControlWord,
  files: (visit: Visit) => Promise<FileService>,
): Operation {
  return {
    id: `${word}Agent`,
    about: CONTROLS[word],
    needs: "use files",
    answers: word === "tick"
      ? { 200: jsonAnswer("How its first try went.", TICK_RESULT) }
      : { 204: NO_CONTENT },
    refusals: ["not_found", "not_ready"],
    serve: async (visit) => await control(await files(visit), word, visit),
  };
}

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
  const limit = paramIn(query, LIMIT) ?? PAGE;
  if (limit < 1) throw invalid(path, `limit is from 1 to ${MAX_PAGE}`);
  const agentsOf = principal.grant?.agents ?? "*";
  const state = paramIn(query, STATE);
  const page = {
    ...(state === undefined ? {} : { state }),
    ...(agentsOf === "*" ? {} : { among: agentsOf }),
    limit: Math.min(limit, MAX_PAGE),
  };
  const after = paramIn(query, AFTER_NAME);
  const agents = await runtime.list({ ...page, ...(after ? { after } : {}) });
  const last = agents.at(-1)?.id;
  const isFull = last !== undefined && agents.length >= page.limit;
  const more = isFull && (await runtime.list({ ...page, after: last, limit: 1 })).length > 0;
  return json({ agents, ...(more ? { next: last } : {}) });
}

async function info(runtime: Runtime, id: AgentId, visit: Visit): Promise<Response> {
  const { principal, target: { path } } = visit;
  if (!concerns(principal, id)) throw otherAgents(path);
  return json(await runtime.info(id));
}

/** A service's access, or a directory of the server's host. */
const mount = z.union([z.enum(ACCESSES), directoryMountSchema]);
const MOUNTS_ABOUT = "Access by path, or a directory of the host.";

const BUDGETS_ABOUT = "What it may spend, in micro-USD, by mount; `/` is all of it.";

const CREATE_AGENT = named(
  "CreateAgent",
  z.strictObject({
    id: z.string().meta({ description: "Absent: one is found." }),
    name: z.string().meta({ description: "A name for people." }),
    agent: z.union([
      z.string().meta({ description: "A built-in agent's name." }),
      z.strictObject({
        code: z.string().meta({ description: "A bundled module's source." }),
        digest: z.string().optional().meta({ description: "Its SHA-256, to be sure of it." }),
      }),
    ]),
    config: z.json().meta({ description: "What the agent reads as `ctx.agent.config`." }),
    goals: z.array(z.string()),
    mounts: z.record(z.string(), mount).meta({ description: MOUNTS_ABOUT }),
    limits: limitsSchema,
    budgets: z.record(z.string(), budgetPolicySchema).meta({ description: BUDGETS_ABOUT }),
    autonomy: z.enum(AUTONOMIES).meta({
      description: "A preset of the mounts, under what `mounts` says. supervised: whatever it " +
        "does waits for a yes; semi: signing, and what costs more than $0.10, does; " +
        "autonomous: its budgets are all that holds it.",
    }),
  }).partial().required({ agent: true }),
);

/** `201 { id, pubkey, npub, status, urls, info }`; `200` when it is there already, made by the same request. */
async function create(runtime: Runtime, visit: Visit): Promise<Response> {
  const { request, principal, target: { path } } = visit;
  const body = await readJson(request, path, CREATE_AGENT.schema);
  if (typeof body.agent !== "string") demand(principal, "deploy code", path);
  if (body.limits || body.mounts || body.budgets) {
    demand(principal, "set limits, mounts or budgets", path);
  }
  const id = body.id === undefined ? {} : { id: agentId(body.id) };
  const made = await runtime.create({ ...body, ...id } as CreateRequest);
  return json(madeBody(made.info), made.created ? 201 : 200, {
    location: `/agents/${made.info.id}`,
  });
}

const CHANGE_AGENT = named(
  "ChangeAgent",
  z.strictObject({
    name: z.string(),
    config: z.json(),
    limits: limitsSchema,
    mounts: z.record(z.string(), mount.nullable()).meta({
      description: `${MOUNTS_ABOUT} null: no longer mounted.`,
    }),
    budgets: z.record(z.string(), budgetPolicySchema.nullable()).meta({
      description: `${BUDGETS_ABOUT} null: it has none any more.`,
    }),
  }).partial(),
);

/** Changes what the operator decides, and answers the agent as it then is. */
async function configure(runtime: Runtime, id: AgentId, visit: Visit): Promise<Response> {
  const { request, principal, target: { path } } = visit;
  const change = await readJson(request, path, CHANGE_AGENT.schema);
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
