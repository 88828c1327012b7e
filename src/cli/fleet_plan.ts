/** What must be done so that the agents that there are become those of a fleet; looks, and changes nothing. */
import type { AgentId } from "../core/id.ts";
import type { BudgetPolicy, Budgets } from "../core/budget.ts";
import type { Json } from "../core/envelope.ts";
import type { AgentChange, AgentDetails, AgentInfo } from "../core/runtime.ts";
import type { MountRow } from "../core/view.ts";
import { FileError, hasCode } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { entries, readJson } from "../fs/use.ts";
import type { Client } from "../http/client.ts";
import { budgetWords } from "./amounts.ts";
import type { Fleet, FleetEntry } from "./fleet.ts";

/** A module, ready to be deployed. */
export interface Code {
  readonly code: string;
  readonly digest: string;
}

/** One field, as it is and as it is to be. */
export interface Difference {
  readonly field: string;
  readonly from: Json;
  readonly to: Json;
}

export type Step =
  | {
    readonly kind: "create";
    readonly id: AgentId;
    readonly entry: FleetEntry;
    readonly code: Code | undefined;
  }
  | {
    readonly kind: "change";
    readonly id: AgentId;
    readonly differences: readonly Difference[];
    readonly change: AgentChange | undefined;
    readonly deploy: Code | undefined;
    readonly goals: readonly string[];
    readonly word: "pause" | "resume" | undefined;
  }
  | { readonly kind: "delete"; readonly id: AgentId; readonly info: AgentInfo };

export interface Plan {
  readonly steps: readonly Step[];
  /** Agents of the file that are as it says. */
  readonly unchanged: readonly AgentId[];
  /** What cannot be done, and so nothing is: one sentence each. */
  readonly faults: readonly string[];
}

export interface Planning {
  readonly server: Client;
  readonly fleet: Fleet;
  /** The bundle of a source file; undefined for a built-in's name. */
  readonly codeOf: (agent: string) => Promise<Code | undefined>;
  /** Agents that are not in the file go. */
  readonly prune: boolean;
}

export async function planOf({ server, fleet, codeOf, prune }: Planning): Promise<Plan> {
  const steps: Step[] = [];
  const unchanged: AgentId[] = [];
  const faults: string[] = [];
  for (const [id, entry] of fleet) {
    const code = await codeOf(entry.agent);
    const info = await infoOf(server, id);
    if (!info) {
      steps.push({ kind: "create", id, entry, code });
      continue;
    }
    const fault = faultOf(info, entry, code);
    if (fault !== undefined) {
      faults.push(fault);
      continue;
    }
    const step = await changeOf(server.files(id), info, entry, code);
    if (step) steps.push(step);
    else unchanged.push(id);
  }
  if (prune) {
    for await (const info of server.all()) {
      if (!fleet.has(info.id)) steps.push({ kind: "delete", id: info.id, info });
    }
  }
  return { steps, unchanged, faults };
}

async function infoOf(server: Client, id: AgentId): Promise<AgentDetails | undefined> {
  try {
    return await server.info(id);
  } catch (error) {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  }
}

function faultOf(
  info: AgentDetails,
  { agent }: FleetEntry,
  code: Code | undefined,
): string | undefined {
  const { id } = info;
  if (!code && info.agent !== agent) {
    const is = info.agent === "module" ? "a module of its own" : info.agent;
    return `${id} is made of ${is} and the file says ${agent}: an agent cannot become another built-in; ` +
      "delete it first, or give the new one another id";
  }
  return undefined;
}

async function changeOf(
  files: FileService,
  info: AgentDetails,
  entry: FleetEntry,
  code: Code | undefined,
): Promise<Step | undefined> {
  const settings = settingsOf(info, entry, {
    mounted: entry.mounts ? await mountsOf(files) : new Map(),
    budgets: entry.budgets ? await readJson<Budgets>(files, "/budget/policy") : {},
  });
  const deploy = code && info.code_digest !== code.digest ? code : undefined;
  const goals = await missingGoals(files, entry.goals ?? []);
  const word = wordOf(info, entry);
  const differences: Difference[] = [
    ...(deploy ? [codeDifference(info, entry, deploy)] : []),
    ...settings.differences,
    ...goals.map((goal) => ({ field: "goals", from: null, to: goal })),
    ...(word ? [{ field: "paused", from: word === "resume", to: word === "pause" }] : []),
  ];
  if (differences.length === 0) return undefined;
  const { change } = settings;
  return { kind: "change", id: info.id, differences, change, deploy, goals, word };
}

function codeDifference(info: AgentDetails, { agent }: FleetEntry, code: Code): Difference {
  const short = (digest: string) => digest.slice(0, 12);
  return {
    field: "code",
    from: info.agent === "module" ? short(info.code_digest) : info.agent,
    to: `${short(code.digest)} (${agent})`,
  };
}

/** A goal that is there in any state is there: what the agent has reached, it need not reach again. */
async function missingGoals(
  files: FileService,
  wanted: readonly string[],
): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const there = new Set<string>();
  for await (const { name } of entries(files, "/goals")) {
    const goal = await readJson<{ description: string }>(files, `/goals/${name}`);
    there.add(goal.description);
  }
  return [...new Set(wanted)].filter((goal) => !there.has(goal));
}

/** An agent that has failed ticks as little as one that is paused, and says more. */
function wordOf({ state }: AgentInfo, { paused }: FleetEntry): "pause" | "resume" | undefined {
  if (paused === true && state !== "paused" && state !== "failed") return "pause";
  if (paused === false && state === "paused") return "resume";
  return undefined;
}

/** As the operator is told them, directories with their place. */
async function mountsOf(files: FileService): Promise<Map<string, Json>> {
  const rows = await readJson<MountRow[]>(files, "/mounts");
  return new Map(rows.map(({ path, access, type, host_path, hidden }): [string, Json] => [
    path,
    type === undefined
      ? access
      : { type, path: host_path ?? "", access, ...(hidden ? { hidden: [...hidden] } : {}) },
  ]));
}

/** A policy of the file over the one that is there: what the file leaves out of it is not its business. */
function wantedBudgets(entry: FleetEntry, budgets: Budgets): [string, BudgetPolicy | null][] {
  return Object.entries(entry.budgets ?? {}).map(([mount, policy]) => [
    mount,
    policy && { approvers: [], ...policyAt(budgets, mount), ...policy },
  ]);
}

function policyAt(budgets: Budgets, mount: string): BudgetPolicy | null {
  return Object.hasOwn(budgets, mount) ? budgets[mount]! : null;
}

interface Known {
  readonly mounted: ReadonlyMap<string, Json>;
  readonly budgets: Budgets;
}

function settingsOf(info: AgentDetails, entry: FleetEntry, { mounted, budgets }: Known) {
  const { name, config, limits, mounts } = entry;
  const differences: Difference[] = [];
  const compare = (field: string, from: Json, to: Json): boolean => {
    if (canonical(from) === canonical(to)) return false;
    differences.push({ field, from, to });
    return true;
  };
  const renamed = name !== undefined && compare("name", info.name, name);
  const configured = config !== undefined && compare("config", info.config, config);
  const limited = limits !== undefined &&
    flat(limits).filter(([path, to]) =>
        compare(`limits.${path}`, at(info.limits as unknown as Json, path), to)
      ).length > 0;
  const isMounted = mounts !== undefined &&
    Object.entries(mounts).filter(([path, to]) =>
        compare(`mounts.${path}`, mounted.get(path) ?? null, to as Json)
      ).length > 0;
  const policies = wantedBudgets(entry, budgets).filter(([mount, to]) => {
    const [from, words] = [policyAt(budgets, mount), to].map((of) => of && budgetWords(of));
    return compare(`budgets.${mount}`, from ?? null, words ?? null);
  });
  const change: AgentChange = {
    ...(renamed ? { name } : {}),
    ...(configured ? { config } : {}),
    ...(limited ? { limits } : {}),
    ...(isMounted ? { mounts } : {}),
    ...(policies.length > 0 ? { budgets: Object.fromEntries(policies) } : {}),
  };
  return { differences, change: differences.length > 0 ? change : undefined };
}

/** `{ retention: { trace: 1 } }` → `["retention.trace", 1]`; lists are values. */
function flat(value: object, prefix = ""): [string, Json][] {
  return Object.entries(value).flatMap(([name, inner]): [string, Json][] =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? flat(inner, `${prefix}${name}.`)
      : [[prefix + name, inner as Json]]
  );
}

function at(value: Json, path: string): Json {
  let found: Json = value;
  for (const name of path.split(".")) found = (found as Record<string, Json>)?.[name] ?? null;
  return found;
}

/** The same text for the same value, whatever the order of its fields. */
function canonical(value: Json): string {
  return JSON.stringify(
    value,
    (_, inner) =>
      inner !== null && typeof inner === "object" && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
  );
}

/** @throws FileError for a step of which the server says that it is not what was planned */
export function mustBeCreated(id: AgentId, created: boolean): void {
  if (created) return;
  throw new FileError("already_exists", "create", id, {
    detail: "somebody else has made it meanwhile; apply the file again",
  });
}
