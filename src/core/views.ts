/** Makes the views and namespaces of an agent: its own, the operator's, a local caller's. */
import { FileError } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { type Mount, namespace } from "../fs/namespace.ts";
import type { AgentRecord, AlarmRow } from "./record.ts";
import type { Live } from "./live.ts";
import type { Envelope, EnvelopeInput, Source } from "./envelope.ts";
import type { SigningService } from "./provider.ts";
import type { TickResult } from "./agent.ts";
import type { Principal } from "./runtime.ts";
import type {
  Access,
  AgentStatus,
  AgentView,
  ControlWord,
  DeadLetter,
  MountRow,
  Receipt,
  Rows,
  ServiceTable,
} from "./view.ts";
import type { DeadRow } from "./dead.ts";
import { ACCESSES, allows } from "./access.ts";
import { beginTxn, joinBatches } from "./txn.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { type EnvelopeId, isoTime, type Timestamp, uuidv7 } from "./id.ts";
import { key } from "./keys.ts";
import { codeOf } from "../fs/error.ts";

/** How often another viewer's change is run again because others came before it. */
const MAX_CHANGE_RUNS = 100;

export interface ViewDeps {
  readonly services: ServiceTable;
  readonly signer: SigningService;
  /** Performs a control word for a caller that is not the agent. */
  readonly control: (
    live: Live,
    word: ControlWord,
    invoker: string,
    signal?: AbortSignal,
  ) => Promise<TickResult | undefined>;
  readonly onReady: (live: Live) => void;
  readonly status: (live: Live) => Promise<AgentStatus>;
}

/** The agent's own files: only what its mount table names, and writes that join the running tick. */
export function agentFiles(live: Live, deps: ViewDeps): FileService {
  const view = makeView(live, deps, "agent", { kind: "agent", agent_id: live.id });
  const makers = lazyServices(deps.services, view);
  let cached: { readonly record: AgentRecord; readonly mounts: readonly Mount[] } | undefined;
  const mounts = () => {
    if (cached?.record !== live.record) {
      cached = { record: live.record, mounts: table(live.record) };
    }
    return cached.mounts;
  };
  function table(record: AgentRecord): readonly Mount[] {
    return mountRows(deps.services, record).map(({ path, service, access }) => ({
      path,
      service: makers(service),
      allows: (op, inner) => allows(access, op, inner),
    }));
  }
  return namespace(mounts, (listener) => {
    live.tableListeners.add(listener);
    return () => live.tableListeners.delete(listener);
  });
}

/** An agent's files with an operator's or a local caller's authority. */
export function principalFiles(live: Live, deps: ViewDeps, principal: Principal): FileService {
  const source: Source = { kind: "http", principal: principal.name };
  const view = makeView(live, deps, principal.viewer, source);
  const makers = lazyServices(deps.services, view);
  const none: readonly Mount[] = [];
  const all: readonly Mount[] = Object.keys(deps.services).map((path) => ({
    path,
    service: makers(path),
  }));
  return namespace(() => principal.viewer === "public" ? none : all);
}

/** Services are made when they are first used. */
function lazyServices(services: ServiceTable, view: AgentView): (path: string) => FileService {
  const made = new Map<string, FileService>();
  const get = (path: string): FileService => {
    let service = made.get(path);
    if (!service) made.set(path, service = services[path]!.service(view));
    return service;
  };
  const lazy = new Map<string, FileService>();
  return (path) => {
    let service = lazy.get(path);
    if (!service) {
      service = {
        open: (at, mode, options) => get(path).open(at, mode, options),
        stat: (at) => get(path).stat(at),
        list: (at, page) => get(path).list(at, page),
        remove: (at, options) => get(path).remove(at, options),
      };
      lazy.set(path, service);
    }
    return service;
  };
}

/** The mount table of an agent: what services there are, at the access its record says or their own. */
export function mountRows(services: ServiceTable, record: AgentRecord): MountRow[] {
  return Object.entries(services).flatMap(([path, { access }]) => {
    const own = Object.hasOwn(record.mounts, path) ? record.mounts[path] : access;
    return own === null || own === undefined ? [] : [{ path, service: path, access: own }];
  });
}

/** @throws FileError `invalid_request` for an access or a mount that there is not */
export function checkedMounts(
  services: ServiceTable,
  mounts: Readonly<Record<string, Access | null>>,
): Record<string, Access | null> {
  for (const [path, access] of Object.entries(mounts)) {
    if (!Object.hasOwn(services, path)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `there is no such service; there are ${Object.keys(services).join(" ")}`,
      });
    }
    if (access !== null && !ACCESSES.includes(access)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `access is one of ${ACCESSES.join(", ")}, not ${JSON.stringify(access)}`,
      });
    }
    if (access === "sign_only" && path !== "/identity") {
      throw new FileError("invalid_request", "mount", path, {
        detail: "sign_only is an access of /identity",
      });
    }
  }
  return { ...mounts };
}

function makeView(
  live: Live,
  deps: ViewDeps,
  viewer: AgentView["viewer"],
  source: Source,
): AgentView {
  const isAgent = viewer === "agent";
  const rows = isAgent ? agentRows(live) : otherRows(live);
  const tick = () => {
    const effects = live.effects;
    if (!effects || effects.over) {
      throw new FileError("not_ready", "write", `/agents/${live.id}`, {
        detail: "an agent writes only inside its tick",
      });
    }
    return effects;
  };
  return {
    id: live.id,
    viewer,
    source,
    rows,
    signer: deps.signer,
    trace: live.trace,
    outbox: live.outbox,
    trajectory: live.trajectory,
    now: () => isAgent && live.effects ? live.effects.frame.now : live.backend.now(),
    newBlobId: () => live.newBlobId(),
    status: () => deps.status(live),
    async deliver(input) {
      if (!isAgent) return await live.inbox.accept(sealed(live, input, source));
      const id = await tick().port.send(live.id, input.payload as never);
      return {
        envelope_id: id as EnvelopeId,
        disposition: "queued",
        queue_depth: live.inbox.queue.size,
        duplicate: false,
      } satisfies Receipt;
    },
    // deno-lint-ignore require-await -- the view's answers are promises
    async waiting({ after, limit }) {
      const found = [];
      for (const entry of live.inbox.queue.all()) {
        if (after !== undefined && entry.n <= after) continue;
        found.push({ n: entry.n, id: entry.id, bytes: entry.bytes, at: entry.at });
        if (found.length >= limit) break;
      }
      return found;
    },
    async waitingEnvelope(n) {
      const entry = live.inbox.queue.get(n);
      return entry && await live.inbox.load(entry);
    },
    async control(word, signal) {
      if (!isAgent) return await deps.control(live, word, nameOf(source), signal);
      if (word === "tick") {
        throw new FileError("conflict", "tick", `/agents/${live.id}`, {
          detail:
            "an agent cannot tick itself inside its tick; ctx.send to itself or an alarm does it afterwards",
        });
      }
      tick().after.push(word);
    },
    deadLetters: deadView(live, deps),
    // deno-lint-ignore require-await -- the view's answers are promises
    async overflow() {
      return live.inbox.policy;
    },
    async setOverflow(policy) {
      await live.storage.commit({
        check: [],
        remove: [],
        put: [{ key: key.overflow, value: encodeJson(policy) }],
      });
      live.inbox.policy = policy;
    },
    // deno-lint-ignore require-await -- the view's answers are promises
    async mounts() {
      return mountRows(deps.services, live.record);
    },
    setMounts: (table) => setMounts(live, deps, table, nameOf(source)),
  };
}

function nameOf(source: Source): string {
  return source.kind === "http" ? source.principal : source.kind;
}

/** Gives an envelope from outside its id, time and origin. */
export function sealed(live: Live, input: EnvelopeInput, source: Source): Envelope {
  const now = live.backend.now();
  return {
    id: input.id ?? `env_${uuidv7(now, live.backend.random(10))}` as EnvelopeId,
    timestamp: now as Timestamp,
    source,
    payload: input.payload,
    metadata: input.metadata ?? {},
  };
}

/** The agent reads what it has written in this tick, and committed rows between ticks. */
function agentRows(live: Live): Rows {
  const txn = () => {
    const effects = live.effects;
    return effects && !effects.over ? effects.txn : undefined;
  };
  return {
    get: (at) => (txn() ?? live.storage).get(at),
    list: (range) => (txn() ?? live.storage).list(range),
    async change(change) {
      const open = txn();
      if (!open) {
        throw new FileError("not_ready", "write", `/agents/${live.id}`, {
          detail: "an agent writes only inside its tick",
        });
      }
      return await change(open);
    },
    commitNow: (put, remove) => live.storage.commit({ check: [], remove, put }),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  };
}

/** Another viewer's changes are commits of their own, one after the other. */
function otherRows(live: Live): Rows {
  async function run<T>(change: Parameters<Rows["change"]>[0]): Promise<T> {
    for (let runs = 0;; runs++) {
      await live.exclusive;
      const txn = beginTxn(live.storage);
      const answer = await change(txn) as T;
      const batch = txn.batch();
      if (batch.put.length + batch.remove.length === 0) return answer;
      try {
        await live.storage.commit(batch);
        return answer;
      } catch (error) {
        if (codeOf(error) !== "conflict" || runs >= MAX_CHANGE_RUNS) throw error;
      }
    }
  }
  return {
    get: (at) => live.storage.get(at),
    list: (range) => live.storage.list(range),
    change<T>(change: Parameters<Rows["change"]>[0]): Promise<T> {
      const done = live.changing.then(() => run<T>(change), () => run<T>(change));
      live.changing = done.catch(() => {});
      return done;
    },
    commitNow: (put, remove) => live.storage.commit({ check: [], remove, put }),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  } as Rows;
}

async function* watchRows(live: Live, prefix: string, signal: AbortSignal) {
  for await (const change of live.changes.listen(signal)) {
    if (change.key.startsWith(prefix)) yield change;
  }
}

/** Changes the table and says so in the trajectory. */
async function setMounts(
  live: Live,
  deps: ViewDeps,
  table: readonly MountRow[],
  by: string,
): Promise<void> {
  const wanted = new Map(table.map((row) => [row.path, row.access]));
  const mounts: Record<string, Access | null> = {};
  for (const path of Object.keys(deps.services)) mounts[path] = wanted.get(path) ?? null;
  checkedMounts(deps.services, Object.fromEntries(wanted));
  const record: AgentRecord = { ...live.record, mounts };
  const event = live.trajectory.add({
    type: "mounts",
    timestamp: isoTime(live.backend.now()),
    by,
    before: mountRows(deps.services, live.record),
    after: mountRows(deps.services, record),
  });
  const turn = { ...live.turn, trajectory: live.trajectory.nextSeq };
  const turnBytes = encodeJson(turn);
  await live.storage.commit({
    check: [{ key: key.turn, value: live.turnBytes }],
    remove: [],
    put: [
      { key: key.agent, value: encodeJson(record) },
      { key: key.turn, value: turnBytes },
      live.trajectory.row(event),
    ],
  });
  live.turn = turn;
  live.turnBytes = turnBytes;
  live.record = record;
  for (const listener of [...live.tableListeners]) listener();
  live.trajectory.announce(event);
  live.trace.add({ type: "lifecycle", state: "mounts", by });
}

function deadView(live: Live, deps: ViewDeps): AgentView["deadLetters"] {
  const shown = (row: DeadRow): DeadLetter => ({
    envelope: row.envelope,
    reason: row.reason,
    at: isoTime(row.at),
    tries: row.tries,
    errors: row.errors,
  });
  async function replay(id: EnvelopeId, fresh: boolean): Promise<void> {
    const { row, batch } = await live.dead.removal(id);
    const calls = fresh ? await live.storage.list({ prefix: `call/${id}/` }) : [];
    const along = joinBatches(batch, {
      check: [],
      remove: calls.map((call) => call.key),
      put: [],
    });
    await live.inbox.accept(row.envelope, { along, again: true });
    live.dead.gone(row);
    live.trace.add({ type: "lifecycle", envelope_id: id, state: "replayed", fresh });
    deps.onReady(live);
  }
  return {
    async list(page) {
      return (await live.dead.list(page)).map(shown);
    },
    async get(id) {
      const row = await live.dead.get(id);
      return row && shown(row);
    },
    async count() {
      return await live.dead.countFailed() + await live.dead.countOverflow();
    },
    replay,
    async replayAll() {
      let count = 0;
      while (true) {
        const rows = await live.dead.list({ limit: 100 });
        for (const row of rows) {
          await replay(row.envelope.id, false);
          count++;
        }
        if (rows.length < 100) return count;
      }
    },
    async discard(id) {
      const { row, batch } = await live.dead.removal(id);
      const calls = await live.storage.list({ prefix: `call/${id}/` });
      await live.storage.commit({
        ...batch,
        remove: [...batch.remove, ...calls.map((c) => c.key)],
      });
      live.dead.gone(row);
      live.trace.add({ type: "lifecycle", envelope_id: id, state: "discarded" });
    },
  };
}

/** Bytes of the state, KV, goals and files as they stand. */
export async function storageBytes(live: Live): Promise<number> {
  if (live.storedBytes !== undefined) return live.storedBytes;
  let bytes = live.state?.length ?? 0;
  for (const prefix of ["kv/", "goal/", "file/"]) {
    for (const row of await live.storage.list({ prefix })) {
      bytes += prefix === "file/" ? decodeJson<{ size: number }>(row.value).size : row.value.length;
    }
  }
  return live.storedBytes = bytes;
}

/** The next alarm, ISO 8601. */
export async function nextAlarm(live: Live): Promise<string | null> {
  const [first] = await live.storage.list({ prefix: "alarm/", limit: 1 });
  return first ? isoTime(decodeJson<AlarmRow>(first.value).due) : null;
}
