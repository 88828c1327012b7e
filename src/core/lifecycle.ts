/** How an agent comes to be and how it ends: two owners' rows cannot share a commit, so each begins with a row that says what must be finished. */
import { codeOf, FileError, hasCode } from "../fs/error.ts";
import type { AgentRecord, Phase } from "./record.ts";
import type { CreateRequest } from "./runtime.ts";
import type { Backend } from "./backend.ts";
import type { Live } from "./live.ts";
import type { DirectoryProvider, SigningService } from "./provider.ts";
import type { ServiceTable } from "./view.ts";
import type { TickDeps } from "./try.ts";
import { commitHook } from "./commit.ts";
import { runHook, wake } from "./hooks.ts";
import { presetBudgets, presetMounts } from "./autonomy.ts";
import { checkedBudgets, mergedBudgets } from "./budgets.ts";
import { checkedTable, mergedMounts } from "./mounts.ts";
import { checkedName } from "./configure.ts";
import { hookFrame } from "./frame.ts";
import { DEFAULT_LIMITS, type Limits } from "./agent.ts";
import type { Effects } from "./effects.ts";
import { beginEffects } from "./gather.ts";
import { checkedLimits } from "./limits.ts";
import { decodeJson, digest, encodeJson, encodeText } from "./code.ts";
import { type AgentId, isoTime, type Timestamp, uuidv4 } from "./id.ts";
import { dropDrafts, largeRows } from "./blob.ts";
import { moduleDigest } from "./deploy.ts";
import { key, REGISTRY, registryKey } from "./keys.ts";
import type { Trigger } from "./trigger.ts";

export interface LifecycleDeps {
  readonly backend: Backend;
  readonly signer: SigningService;
  readonly services: ServiceTable;
  readonly directories: DirectoryProvider | undefined;
  readonly builtins: ReadonlySet<string>;
  readonly tick: TickDeps;
  readonly open: (id: AgentId) => Promise<Live>;
  /** Takes it out of memory. */
  readonly forget: (live: Live) => Promise<void>;
}

/** Goals given at create. */
const MAX_GOALS = 100;

/** The registry's row of an agent. */
export interface RegistryRow {
  readonly created_at: number;
}

/** Whether an id is taken, and by the same request. */
export async function existing(
  backend: Backend,
  id: AgentId,
  request: string,
): Promise<"none" | "same" | "other"> {
  const row = await backend.storage(REGISTRY).get(registryKey.agent(id));
  if (!row) return "none";
  const record = await backend.storage(id).get(key.agent);
  return record && decodeJson<AgentRecord>(record).request === request ? "same" : "other";
}

/** The digest of what was asked for, to tell a repeat from another agent of the same name. */
export function requestDigest(request: CreateRequest): string {
  const sorted = (value: unknown): unknown => {
    if (!value || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(sorted);
    return Object.fromEntries(
      Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]),
    );
  };
  return digest(JSON.stringify(sorted(request)));
}

/** An agent begins to be: its id is taken, and a crash from here on is undone at the next start. */
export async function openRegistry(id: AgentId, { backend }: LifecycleDeps): Promise<void> {
  const row: RegistryRow = { created_at: backend.now() };
  await backend.storage(REGISTRY).commit({
    check: [{ key: registryKey.agent(id), value: undefined }],
    remove: [],
    put: [{ key: registryKey.open(id), value: encodeJson(row) }],
  });
  // What an earlier life of this id may have left must not become part of this one.
  await backend.drop(id);
}

/** The agent is there. */
export async function closeRegistry(id: AgentId, { backend }: LifecycleDeps): Promise<void> {
  const registry = backend.storage(REGISTRY);
  const row = await registry.get(registryKey.open(id)) ?? encodeJson({ created_at: backend.now() });
  await registry.commit({
    check: [],
    remove: [registryKey.open(id)],
    put: [{ key: registryKey.agent(id), value: row }],
  });
}

/** Makes the agent; when it resolves, `onCreate` has committed. A failure leaves nothing of it. */
export async function createAgent(
  id: AgentId,
  request: CreateRequest,
  deps: LifecycleDeps,
): Promise<Live> {
  const { backend } = deps;
  const record = await newRecord(id, request, deps);
  await openRegistry(id, deps);
  try {
    const pubkey = await deps.signer.create(id);
    const phase: Phase = { phase: "active", since: record.created_at };
    await backend.storage(id).commit({
      check: [],
      remove: [],
      put: [
        { key: key.agent, value: encodeJson({ ...record, pubkey }) },
        { key: key.phase, value: encodeJson(phase) },
        ...(typeof request.agent === "string"
          ? []
          : largeRows(key.code, encodeText(request.agent.code), () => uuidv4(backend.random(16)))),
        ...goalRows(request.goals ?? [], record.created_at),
      ],
    });
    const live = await deps.open(id);
    await begin(live, deps);
    await closeRegistry(id, deps);
    live.trace.add({ type: "lifecycle", state: "created", code_digest: record.code_digest });
    return live;
  } catch (error) {
    await undo(id, deps);
    throw error;
  }
}

async function newRecord(
  id: AgentId,
  request: CreateRequest,
  deps: LifecycleDeps,
): Promise<AgentRecord> {
  if (typeof request.agent === "string" && !deps.builtins.has(request.agent)) {
    throw new FileError("not_found", "create", `/agents/${id}`, {
      detail: `there is no built-in agent ${JSON.stringify(request.agent)}; there are ${
        [...deps.builtins].join(", ")
      }`,
    });
  }
  if ((request.goals?.length ?? 0) > MAX_GOALS) {
    throw new FileError("invalid_request", "create", `/agents/${id}`, {
      detail: `at most ${MAX_GOALS} goals at create`,
    });
  }
  const limits: Limits = checkedLimits(request.limits ?? {}, DEFAULT_LIMITS);
  return {
    id,
    name: checkedName(request.name ?? id),
    birth: uuidv4(deps.backend.random(16)),
    created_at: deps.backend.now(),
    pubkey: "",
    ...codeFields(request.agent),
    config: request.config ?? {},
    limits,
    ...await authorityOf(request, deps),
    request: requestDigest(request),
  };
}

/** What it may use and spend: a preset, and over it what the request says itself. */
async function authorityOf(
  { mounts = {}, budgets = {}, autonomy }: CreateRequest,
  deps: LifecycleDeps,
): Promise<Pick<AgentRecord, "mounts" | "budgets" | "autonomy">> {
  const { services } = deps;
  const table = mergedMounts(
    autonomy === undefined ? {} : presetMounts(services, autonomy),
    await checkedTable(mounts, deps),
    services,
  );
  const given = mergedBudgets({}, checkedBudgets(services, budgets));
  return {
    mounts: table,
    budgets: presetBudgets(given, autonomy),
    ...(autonomy === undefined ? {} : { autonomy }),
  };
}

function codeFields(agent: CreateRequest["agent"]): Pick<AgentRecord, "agent" | "code_digest"> {
  if (typeof agent === "string") {
    return { agent: { kind: "builtin", name: agent }, code_digest: digest(`builtin:${agent}`) };
  }
  return { agent: { kind: "module" }, code_digest: moduleDigest(agent.code, agent.digest) };
}

function goalRows(goals: readonly string[], now: number) {
  return goals.map((description, i) => {
    const id = `goal-${i + 1}`;
    const at = isoTime(now);
    const goal = { id, description, status: "active", progress: 0, created_at: at, updated_at: at };
    return { key: key.goal(id), value: encodeJson(goal) };
  });
}

/** `onCreate` on the first state, in one commit. */
async function begin(live: Live, deps: LifecycleDeps): Promise<void> {
  const effects = beginEffects(live, hookFrame(live, "create"));
  live.effects = effects;
  const stop = live.backend.timer(live.record.limits.max_tick_ms, () => effects.abort.abort());
  try {
    const instance = await wake(live, deps.tick.host);
    // A module without `onCreate` still gets its first state: the schema's defaults.
    const hook = instance.hooks.includes("onCreate") ? "onCreate" : undefined;
    const result = hook ? await runHook(live, effects, hook, undefined) : undefined;
    effects.end();
    await commitHook(
      live,
      effects,
      result?.state,
      triggerFor(effects, "onCreate"),
      deps.tick.onAlarm,
    );
  } finally {
    stop();
    effects.end();
    live.effects = undefined;
  }
}

/** How the trajectory names what caused a hook. */
function triggerFor(effects: Effects, hook: "onCreate" | "onSleep"): Trigger {
  const { envelopeId, source, now } = effects.frame;
  const meta = { envelope_id: envelopeId, source, seq: 0, created_at: now as Timestamp };
  if (hook === "onCreate") return { type: "initialize", meta };
  return { type: "event", meta, event: hook, data: null };
}

/** `onSleep`, with a commit of its own; its failure is only logged. Ends the agent's process. */
export async function sleepAgent(live: Live, deps: TickDeps): Promise<void> {
  const instance = live.instance;
  if (!instance) return;
  if (instance.alive && instance.hooks.includes("onSleep")) {
    const effects = beginEffects(live, hookFrame(live, "sleep"));
    live.effects = effects;
    const stop = live.backend.timer(live.record.limits.max_tick_ms, () => effects.abort.abort());
    const firstOutbox = live.outbox.nextSeq;
    try {
      const result = await runHook(live, effects, "onSleep", live.state);
      effects.end();
      await commitHook(live, effects, result.state, triggerFor(effects, "onSleep"), deps.onAlarm);
    } catch (error) {
      live.outbox.nextSeq = firstOutbox;
      await dropDrafts(live.storage, effects.txn.batch()).catch(() => {});
      live.trace.add({
        type: "log",
        level: "error",
        text: `onSleep failed: ${error instanceof Error ? error.message : String(error)}`,
      });
    } finally {
      stop();
      effects.end();
      live.effects = undefined;
    }
  }
  live.instance = undefined;
  await instance.stop().catch(() => {});
  live.trace.add({ type: "lifecycle", state: "dormant" });
}

/** `onTerminate`, then all rows in one go. Its effects are not kept: nothing of the agent is. */
export async function terminateAgent(live: Live, deps: LifecycleDeps): Promise<void> {
  const registry = deps.backend.storage(REGISTRY);
  const row = await registry.get(registryKey.agent(live.id));
  if (!row) {
    throw new FileError("not_found", "delete", `/agents/${live.id}`, { detail: "no such agent" });
  }
  live.ending = true;
  const effects = beginEffects(live, hookFrame(live, "terminate"));
  live.effects = effects;
  const stop = live.backend.timer(live.record.limits.max_tick_ms, () => effects.abort.abort());
  try {
    const instance = await wake(live, deps.tick.host);
    if (instance.hooks.includes("onTerminate")) {
      await runHook(live, effects, "onTerminate", live.state);
    }
  } catch {
    // An agent that fails at its end ends all the same.
  } finally {
    stop();
    effects.end();
    live.effects = undefined;
  }
  await live.instance?.stop().catch(() => {});
  await registry.commit({
    check: [],
    remove: [registryKey.agent(live.id)],
    put: [{ key: registryKey.open(live.id), value: row }],
  });
  await undo(live.id, deps, live);
}

/** Removes all of an agent whose create or delete did not come to its end. */
export async function undo(id: AgentId, deps: LifecycleDeps, live?: Live): Promise<void> {
  const known = live ?? await deps.open(id).catch((error) => {
    // What cannot be understood runs nowhere, and goes all the same.
    if (hasCode(error, "not_found") || codeOf(error) === "internal") return undefined;
    throw error;
  });
  if (known) {
    known.ending = true;
    await deps.forget(known);
  }
  await deps.backend.drop(id);
  await deps.signer.destroy(id);
  await deps.backend.storage(REGISTRY).commit({
    check: [],
    remove: [registryKey.open(id)],
    put: [],
  });
}

/** On start: what a crash left half made or half ended is taken away. */
export async function finishOpen(deps: LifecycleDeps): Promise<void> {
  const rows = await deps.backend.storage(REGISTRY).list({ prefix: registryKey.open("") });
  for (const row of rows) {
    const id = row.key.slice(registryKey.open("").length) as AgentId;
    const made = await deps.backend.storage(REGISTRY).get(registryKey.agent(id));
    if (made) {
      const remove = [row.key];
      await deps.backend.storage(REGISTRY).commit({ check: [], remove, put: [] });
    } else {
      await deps.backend.drop(id);
      await deps.signer.destroy(id);
      await deps.backend.storage(REGISTRY).commit({ check: [], remove: [row.key], put: [] });
    }
  }
}
