/** The models that a caller is offered, and what a model's name means to it: an agent, or a model that some agent pays for. */
import { concerns, grants } from "../../core/access.ts";
import type { ModelInfo } from "../../core/compute.ts";
import { type AgentId, agentId } from "../../core/id.ts";
import type { AgentInfo, Principal, Runtime } from "../../core/runtime.ts";
import { FileError, hasCode } from "../../fs/error.ts";
import type { FileService } from "../../fs/file.ts";
import { entries, readJson } from "../../fs/use.ts";
import type { Visit } from "../visit.ts";
import { wrong } from "./ask.ts";

export const AGENT_PREFIX = "agent:";
/** Names the agent that pays, where the token does not. */
export const PAYER_HEADER = "x-agentd-agent";
/** Models in one answer; their protocol has no pages. What is not listed can be asked all the same. */
export const MAX_MODELS = 1_000;
const PROVIDERS = "/compute/providers";

/** Whom a request is for. */
export type Whom =
  | { readonly agent: AgentId }
  | { readonly payer: AgentId; readonly model: string };

export interface Model {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970; 0 where nobody says. */
  readonly created: number;
  readonly owned_by: string;
}

interface Deps {
  readonly runtime: Runtime;
  readonly files: (id: AgentId) => Promise<FileService>;
}

/** What a name means to this caller. @throws FileError `invalid_request` for a model that nobody would pay for */
export async function whom(deps: Deps, visit: Visit, name: string): Promise<Whom> {
  if (name.startsWith(AGENT_PREFIX)) return { agent: agentId(name.slice(AGENT_PREFIX.length)) };
  const payer = payerOf(visit);
  if (payer === undefined) return await amongMany(deps, visit.principal, name);
  const own = `${payer}/`;
  const isOwn = name.startsWith(own) && name.length > own.length;
  const isAgent = !isOwn && await isThere(deps.runtime, visit.principal, name);
  if (!isOwn && !isAgent) return { payer, model: name };
  // A model of that name comes first; only names that could mean both are looked up.
  if (await isOffered(await deps.files(payer), name)) return { payer, model: name };
  return isAgent ? { agent: name as AgentId } : { payer, model: name.slice(own.length) };
}

/** For a caller whom no single agent pays for, the name says which does. */
async function amongMany({ runtime }: Deps, principal: Principal, name: string): Promise<Whom> {
  const slash = name.indexOf("/");
  const first = slash < 0 ? name : name.slice(0, slash);
  const model = slash < 0 ? "" : name.slice(slash + 1);
  if (await isThere(runtime, principal, first)) {
    if (slash < 0) return { agent: first as AgentId };
    if (model !== "") return { payer: first as AgentId, model };
  }
  const shown = name.slice(0, 100);
  throw wrong(
    "model",
    `no agent is called ${JSON.stringify(first.slice(0, 100))}, and a model is paid for by an ` +
      `agent: name it as "<agent>/${shown}", by the header X-Agentd-Agent, or with a token of one ` +
      `agent. To talk to an agent, ask for the model "agent:<id>"`,
  );
}

/** The agent whose budget pays for plain models; undefined: the request must say. @throws FileError `invalid_request` */
export function payerOf({ request, principal }: Visit): AgentId | undefined {
  const named = request.headers.get(PAYER_HEADER);
  if (named !== null) return agentId(named);
  const agents = principal.grant?.agents;
  return Array.isArray(agents) && agents.length === 1 ? agents[0] : undefined;
}

/** Is this an agent that the caller may know of? */
async function isThere(runtime: Runtime, principal: Principal, name: string): Promise<boolean> {
  try {
    const id = agentId(name);
    if (!concerns(principal, id)) return false;
    await runtime.info(id);
    return true;
  } catch (error) {
    if (hasCode(error, "invalid_request") || hasCode(error, "not_found")) return false;
    throw error;
  }
}

/** A token that may not call models is told so before anything is looked up. @throws FileError `permission_denied` */
export function demandModels({ grant }: Principal, path: string): void {
  if (mayAskModels(grant?.can)) return;
  throw new FileError("permission_denied", "ask", path, {
    detail: `a model is paid for, and this token can ${grant?.can}: that takes one that can send`,
  });
}

type Can = NonNullable<Principal["grant"]>["can"];

function mayAskModels(can: Can | undefined): boolean {
  return grants(can, "/compute", "call", "/new");
}

/** By agent, and by model: under its plain name where one agent pays, else under each agent's. */
export async function modelsFor(deps: Deps, visit: Visit): Promise<Model[]> {
  const { principal } = visit;
  const agents = await agentsFor(deps.runtime, principal);
  const found = agents.map(agentModel);
  const payer = payerOf(visit);
  const reader = payer ?? agents[0]?.id;
  if (reader === undefined || !mayAskModels(principal.grant?.can)) return found;
  const owners = ownersOf(await offeredBy(await deps.files(reader)));
  const payers = payer === undefined ? agents.map(({ id }) => `${id}/`) : [""];
  for (const prefix of payers) {
    for (const [id, owner] of owners) {
      if (found.length >= MAX_MODELS) return found;
      found.push({ id: prefix + id, object: "model", created: 0, owned_by: owner });
    }
  }
  return found;
}

/** @throws FileError `not_found` */
export async function modelNamed(deps: Deps, visit: Visit, name: string): Promise<Model> {
  const { runtime } = deps;
  const { principal, target: { path } } = visit;
  const id = name.startsWith(AGENT_PREFIX) ? name.slice(AGENT_PREFIX.length) : name;
  const models = await modelsFor(deps, visit);
  const found = models.find((model) => model.id === name);
  if (found) return found;
  if (await isThere(runtime, principal, id)) return agentModel(await runtime.info(agentId(id)));
  throw new FileError("not_found", "find", path, {
    detail: "there is no such model for this caller; GET /v1/models tells those that there are",
  });
}

async function agentsFor(runtime: Runtime, { grant }: Principal): Promise<AgentInfo[]> {
  const agents = grant?.agents ?? "*";
  return await runtime.list({ ...(agents === "*" ? {} : { among: agents }), limit: MAX_MODELS });
}

function agentModel({ id, created_at }: AgentInfo): Model {
  const created = Math.floor(Date.parse(created_at) / 1000);
  return { id: AGENT_PREFIX + id, object: "model", created, owned_by: "agentd" };
}

async function isOffered(files: FileService, name: string): Promise<boolean> {
  const offered = await offeredBy(files);
  return offered.some(({ id, provider }) => name === id || name === `${provider}/${id}`);
}

interface Offered {
  readonly id: string;
  readonly provider: string;
}

/** By model, the first who sells it. */
function ownersOf(offered: readonly Offered[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { id, provider } of offered) if (!owners.has(id)) owners.set(id, provider);
  return owners;
}

/** What `/compute` has; nothing where it is not there. */
async function offeredBy(files: FileService): Promise<Offered[]> {
  const offered: Offered[] = [];
  try {
    for await (const { name: provider } of entries(files, PROVIDERS)) {
      const models = await readJson<readonly ModelInfo[]>(files, `${PROVIDERS}/${provider}/models`);
      for (const { id } of models) offered.push({ id, provider });
    }
  } catch (error) {
    if (!hasCode(error, "not_found")) throw error;
  }
  return offered;
}
