/** The engine: opens agents from their rows, lets them tick, and puts them to sleep; what the doors call is `Runtime`. */
import { FileError, hasCode } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import type { ServiceTable } from "./view.ts";
import type {
  AgentDetails,
  AgentInfo,
  CreateRequest,
  ImportMode,
  Principal,
  Runtime,
  RuntimeStatus,
} from "./runtime.ts";
import type { Backend } from "./backend.ts";
import type { AgentHost } from "./host.ts";
import type { Inbox } from "./inbox.ts";
import type { DirectoryProvider, SigningService } from "./provider.ts";
import { agentFiles, principalFiles, type ViewDeps } from "./views.ts";
import {
  closeRegistry,
  createAgent,
  existing,
  finishOpen,
  type LifecycleDeps,
  openRegistry,
  requestDigest,
  sleepAgent,
  terminateAgent,
  undo,
} from "./lifecycle.ts";
import { type Meter, metered, NO_METER } from "./meter.ts";
import { concerns } from "./access.ts";
import { configure } from "./configure.ts";
import { mountRows } from "./mounts.ts";
import { openTokens } from "./tokens.ts";
import { NO_REDACTION, type Redactor } from "./redact.ts";
import type { Tracer } from "./tracer.ts";
import { exportAgent, importRows } from "./transfer.ts";
import { type AgentId, agentId, isoTime } from "./id.ts";
import { newTickId } from "./frame.ts";
import { notRun } from "./result.ts";
import { runTick } from "./tick.ts";
import type { Waiting } from "./queue.ts";
import { STOPPED, type TickDeps } from "./try.ts";
import { deploy } from "./deploy.ts";
import { makeController } from "./control.ts";
import { seal } from "./seal.ts";
import { stateOf, statusOfAgent } from "./status.ts";
import { encodeJson, encodeText } from "./code.ts";
import { REGISTRY, registryKey, RUNTIME, runtimeKey } from "./keys.ts";
import { lastingFiles } from "./lasting.ts";
import { type Live, openLive } from "./live.ts";
import { makeDue } from "./due.ts";
import type { Failure, LifecycleState } from "./agent.ts";
import { makeSupervisor, type Ticker } from "./supervisor.ts";
import { restsUntil } from "./daily.ts";
import { fireAlarms, releaseRetries } from "./alarm.ts";
import { letGo, letGoAll, letGoAnswered } from "./parked.ts";
import { sweepDrafts } from "./blob.ts";
import { waitFor } from "./wait.ts";

export interface RuntimeOptions {
  readonly backend: Backend;
  readonly services: ServiceTable;
  readonly signer: SigningService;
  readonly host: AgentHost;
  readonly directories?: DirectoryProvider | undefined;
  readonly builtins: readonly { readonly name: string; readonly about: string }[];
  /** Told of what no caller waits for: a commit that failed, a row that is corrupt. */
  readonly onError: (error: unknown) => void;
  /** Nobody counts if absent. */
  readonly meter?: Meter | undefined;
  /** Nobody traces if absent. */
  readonly tracer?: Tracer | undefined;
  /** Takes known secrets out of all that is told and kept of agents; there are none if absent. */
  readonly redactor?: Redactor | undefined;
}

/** Owners or agents that are looked at in one go at the start. */
const PAGE = 200;
/** How long an agent whose rows could not be written is left alone. */
const REST_MS = 1_000;
/** Agents in one answer of `list` at the most. */
const MAX_AGENTS = 1_000;

/** Opens the runtime and takes up what was left: sends, due alarms, waiting envelopes, half-made agents. Idle agents are not visited. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { services, signer, onError, meter = NO_METER, tracer } = options;
  const { redactor = NO_REDACTION } = options;
  const backend = metered(options.backend, meter);
  for (const [mount, { access, accesses = [access] }] of Object.entries(services)) {
    if (accesses.includes("budgeted")) meter.spent(mount, 0);
  }
  const registry = backend.storage(REGISTRY);
  const own = backend.storage(RUNTIME);
  const startedAt = backend.now();
  const lives = new Map<AgentId, Live>();
  const opening = new Map<AgentId, Promise<Live>>();
  const making = new Map<AgentId, Promise<unknown>>();
  const tickers = new WeakMap<Live, Ticker>();
  const idling = new Map<Live, () => void>();
  /** Those that wait for the next day. */
  const usedUp = new Map<Live, () => void>();
  /** By what a caller may do: the grant of its token, or the name of one without. */
  const namespaces = new WeakMap<Live, Map<string | object, FileService>>();
  const tokens = await openTokens(backend);
  const known = await own.get(runtimeKey.known) !== undefined;
  const unclean = known && await own.get(runtimeKey.clean) === undefined;
  let ticks = 0;
  let envelopes = 0;
  /** Agents whose rows are not known to be as they were in memory, with the end of what they were doing. */
  const doubted = new Map<AgentId, Promise<void>>();
  /** What ends the rest of those that are opened again afterwards. */
  const resting = new Map<AgentId, () => void>();
  let stopping = false;
  let stopped = false;

  const supervisor = makeSupervisor(onError);
  supervisor.paused = true;

  const tickDeps: TickDeps = {
    host: options.host,
    onAlarm: (ms) => due.note(ms),
    onRetry: (ms) => due.note(ms),
    onError,
    onControl: (live, words) => {
      for (const word of words) controller.afterTick(live, word);
    },
    onTick: () => ticks++,
  };
  const lifecycle: LifecycleDeps = {
    backend,
    signer,
    services,
    directories: options.directories,
    builtins: new Set(options.builtins.map(({ name }) => name)),
    tick: tickDeps,
    open,
    forget: async (live) => {
      await close(live);
    },
  };
  const controller = makeController({
    host: options.host,
    runtimePaused: () => supervisor.paused,
    ready,
    sleep,
    isAsleep: (live) => sleeping.has(live),
    onError,
  });
  const statusOf = (live: Live) => statusOfAgent(live, making.has(live.id));
  const viewDeps: ViewDeps = {
    services,
    signer,
    control: controller.perform,
    deploy: deployTo,
    status: statusOf,
  };
  const due = makeDue(backend, {
    "alarm/": (owner, now) => withLive(owner, (live) => fireAlarms(live, now)),
    "retry/": (owner, now) =>
      withLive(owner, async (live) => {
        await releaseRetries(live, now);
        ready(live);
      }),
  }, onError);

  // An agent in memory

  /** The agent, opened from its rows if it is not in memory. Rejects with `not_found`. */
  function open(id: AgentId): Promise<Live> {
    const live = lives.get(id);
    if (live) return Promise.resolve(live);
    if (stopped) return Promise.reject(hasStopped(id));
    let coming = opening.get(id);
    if (!coming) {
      const fromRows = () =>
        openLive(id, {
          backend,
          unclean,
          onReady: (live) => {
            envelopes++;
            ready(live);
          },
          onDropped,
          onDecided: (live, approvalId) => goesOn(live, letGo(live, approvalId)),
          onSettled: watchIdle,
          made,
          deliver,
          onDoubt: doubt,
          onError,
          meter,
          tracer,
          redactor,
          files: (live) => agentFiles(live, viewDeps),
          directories: options.directories,
          jobs: (mount) => services[mount]?.jobs,
        });
      coming = settled(id).then(fromRows).then(async (live) => {
        await letGoAnswered(live);
        live.tableListeners.add(() => goesOn(live, letGoAll(live)));
        lives.set(id, live);
        ready(live);
        return live;
      }).finally(() => opening.delete(id));
      opening.set(id, coming);
    }
    return coming;
  }
  /** What was let go is ticked; what could not be is found when the agent is opened again. */
  async function goesOn(live: Live, lettingGo: Promise<void>): Promise<void> {
    try {
      await lettingGo;
      ready(live);
    } catch (error) {
      onError(error);
    }
  }
  /** The agent for a caller: not while it is being made or ended. */
  async function reach(id: AgentId): Promise<Live> {
    agentId(id);
    const live = lives.get(id) ?? await open(id);
    if (live.ending || making.has(id)) throw noAgent(id);
    return live;
  }
  /** The agent, which stays in memory until it is let go. What leaves memory between the look and the hold is opened again. */
  async function hold(id: AgentId, find = reach): Promise<Live> {
    let live = await find(id);
    while (live.closed) live = await find(id);
    live.uses++;
    return live;
  }
  async function using<T>(
    id: AgentId,
    run: (live: Live) => T | Promise<T>,
    find = reach,
  ): Promise<T> {
    const live = await hold(id, find);
    try {
      return await run(live);
    } finally {
      live.uses--;
    }
  }
  /** Who waits for it is told. */
  function onDropped(live: Live, entry: Waiting): void {
    const why: Failure = { code: "inbox_full", message: "it was dropped by the inbox's policy" };
    const result = notRun(newTickId(live), entry.id, why);
    live.finished.tell({ envelope: entry.id, result, final: true, pending: false });
  }
  async function made(id: AgentId): Promise<void> {
    await making.get(id)?.catch(() => {});
  }
  async function deliver(to: AgentId, give: (inbox: Inbox) => Promise<unknown>) {
    await made(to);
    let live: Live;
    try {
      live = await hold(to);
    } catch (error) {
      if (hasCode(error, "not_found") || hasCode(error, "invalid_request")) return false;
      throw error;
    }
    try {
      await give(live.inbox);
      return true;
    } finally {
      live.uses--;
    }
  }
  function withLive(owner: string, run: (live: Live) => Promise<void>): Promise<void> {
    return using(owner as AgentId, run, open);
  }
  /** There may be something to tick, or nothing more to do. */
  function ready(live: Live): void {
    live.lastActive = backend.now();
    if (live.closed || stopping) return;
    let ticker = tickers.get(live);
    if (!ticker) tickers.set(live, ticker = tickerOf(live));
    if (ticker.due) supervisor.ready(ticker);
    else restIfUsedUp(live);
    watchIdle(live);
  }
  /** Who has used up its day is looked at again when the next one begins. */
  function restIfUsedUp(live: Live): void {
    const until = restsUntil(live);
    if (until === undefined || live.closed || usedUp.has(live)) return;
    const again = () => {
      usedUp.delete(live);
      ready(live);
    };
    usedUp.set(live, backend.timer(until - backend.now(), again));
  }
  function rests(live: Live): boolean {
    return restsUntil(live) !== undefined;
  }
  function tickerOf(live: Live): Ticker {
    return {
      get due() {
        return !live.closed && !live.ending && !making.has(live.id) &&
          live.phase.phase === "active" && live.inbox.queue.ready && !sleeping.has(live) &&
          !live.held && !rests(live);
      },
      async tick() {
        live.running = runTick(live, tickDeps);
        try {
          await live.running;
        } catch (error) {
          // A lost race is run again at once; all else at once again would be the same again.
          if (!hasCode(error, "conflict")) doubt(live);
          throw error;
        } finally {
          live.running = undefined;
          restIfUsedUp(live);
          watchIdle(live);
        }
      },
    };
  }
  function watchIdle(live: Live, delayMs = live.record.limits.idle_ms): void {
    if (idling.has(live) || live.closed) return;
    idling.set(
      live,
      backend.timer(delayMs, () => {
        idling.delete(live);
        const rest = live.lastActive + live.record.limits.idle_ms - backend.now();
        if (rest > 0 || live.inTick || working(live)) {
          watchIdle(live, Math.max(rest, live.record.limits.idle_ms / 4));
        } else hibernate(live).catch(onError);
      }),
    );
  }
  /** There is something that its code is needed for. What waits for its next try is found again by its time. */
  function working(live: Live): boolean {
    return live.phase.phase === "active" && live.inbox.queue.ready && !rests(live) ||
      making.has(live.id) || live.held !== undefined;
  }
  /** There is something that nobody would find again. */
  function busy(live: Live): boolean {
    return working(live) || rests(live) && live.inbox.queue.ready || live.sends.pending > 0 ||
      live.jobs.running > 0;
  }
  function inUse(live: Live): boolean {
    return live.uses + live.changes.listeners + live.trace.listeners + live.outbox.listeners +
        live.trajectory.listeners + live.finished.listeners > 0;
  }
  const sleeping = new Map<Live, Promise<void>>();
  /** Ends its process; and what is in memory of it, unless somebody uses it. */
  async function hibernate(live: Live): Promise<void> {
    if (live.inTick || live.closed) return;
    await sleep(live);
    if (live.inTick || busy(live) || inUse(live) || live.instance) return watchIdle(live);
    await close(live);
  }
  function sleep(live: Live): Promise<void> {
    let work = sleeping.get(live);
    if (!work) {
      work = sleepAgent(live, tickDeps).finally(() => {
        sleeping.delete(live);
        ready(live);
      });
      sleeping.set(live, work);
    }
    return work;
  }
  async function close(live: Live): Promise<void> {
    await live.trace.flush();
    const needed = live.inTick || busy(live) || inUse(live) || live.instance || live.trace.pending;
    if (needed && !live.ending) return watchIdle(live);
    await leaveMemory(live);
  }
  /** From now on nothing of it is told, and nothing is written: whoever still has it opens it again. Resolves when its jobs have let go. */
  function leaveMemory(live: Live): Promise<void> {
    live.closed = true;
    live.sends.stop();
    for (const waits of [idling, usedUp]) {
      waits.get(live)?.();
      waits.delete(live);
    }
    if (lives.get(live.id) === live) lives.delete(live.id);
    const { changes, trace, outbox, trajectory, finished, replied } = live;
    for (const told of [changes, trace, outbox, trajectory, finished, replied]) told.end();
    live.directories.close().catch(onError);
    return live.jobs.stop(live.ending ? "deleted" : "stopped").catch(onError);
  }
  /** What a commit that failed has left behind is not known: the agent leaves memory, and is opened again from its rows after a rest. */
  function doubt(live: Live): void {
    if (live.closed || stopping || making.has(live.id)) return;
    const ended = live.running?.catch(() => {});
    live.effects?.abort.abort(STOPPED);
    leaveMemory(live);
    live.instance?.stop().catch(onError);
    doubted.set(live.id, ended ?? Promise.resolve());
    openLater(live.id);
  }
  function openLater(id: AgentId): void {
    if (resting.has(id)) return;
    const cancel = backend.timer(REST_MS, () => {
      resting.delete(id);
      open(id).catch((error) => {
        if (hasCode(error, "not_found") || stopping) return;
        onError(error);
        openLater(id);
      });
    });
    resting.set(id, cancel);
  }
  /** The tick of the one before has ended, and all that it committed can be read. */
  async function settled(id: AgentId): Promise<void> {
    const ended = doubted.get(id);
    if (!ended) return;
    await ended;
    await backend.storage(id).commit({ check: [], remove: [], put: [] });
    doubted.delete(id);
  }

  async function infoOf(live: Live): Promise<AgentInfo> {
    const status = await statusOf(live);
    return { ...status, npub: signer.npub(status.pubkey) };
  }
  async function detailsOf(live: Live): Promise<AgentDetails> {
    const info = await infoOf(live);
    const { config, budgets = {} } = live.record;
    return { ...info, config, mounts: mountRows(services, live.record), budgets };
  }
  async function listAmong(
    among: readonly AgentId[],
    state: LifecycleState | undefined,
    after: string | undefined,
    wanted: number,
  ): Promise<AgentInfo[]> {
    const infos: AgentInfo[] = [];
    for (const id of [...new Set(among)].sort()) {
      if (infos.length === wanted) break;
      if (after !== undefined && id <= after) continue;
      const info = await glance(id);
      if (info && (state === undefined || info.state === state)) infos.push(info);
    }
    return infos;
  }
  /** Looks at an agent without keeping it in memory for that. */
  async function glance(id: AgentId): Promise<AgentInfo | undefined> {
    const here = lives.has(id);
    try {
      const live = await hold(id);
      let info: AgentInfo;
      try {
        info = await infoOf(live);
      } finally {
        live.uses--;
      }
      if (!here) await close(live);
      return info;
    } catch (error) {
      if (hasCode(error, "not_found")) return undefined;
      throw error;
    }
  }

  /** Made once for each kind of caller. */
  function filesOf(live: Live, principal: Principal): FileService {
    let known = namespaces.get(live);
    if (!known) namespaces.set(live, known = new Map());
    const caller = principal.grant ?? `${principal.viewer} ${principal.name}`;
    let files = known.get(caller);
    if (!files) known.set(caller, files = principalFiles(live, viewDeps, principal));
    return files;
  }

  /** No tick and no other change of the agent while `run` runs; one such thing at a time. */
  async function holding<T>(
    live: Live,
    op: "deploy" | "export",
    run: () => Promise<T>,
  ): Promise<T> {
    if (live.held) {
      throw new FileError("conflict", op, `/agents/${live.id}`, {
        detail: "a deploy or an export of this agent is running; try again when it has ended",
      });
    }
    let release = () => {};
    live.held = { op, until: new Promise((resolve) => (release = resolve)) };
    try {
      await quiet(live);
      return await run();
    } finally {
      live.held = undefined;
      release();
      ready(live);
    }
  }
  async function deployTo(live: Live, code: string, by: string, digest?: string) {
    const deployed = await holding(
      live,
      "deploy",
      () => deploy(live, code, by, options.host, digest),
    );
    await goesOn(live, letGoAll(live));
    return deployed;
  }

  /** Yields the agent's file while it is held; who stops reading lets it go. */
  async function* exported(live: Live, passphrase?: string): AsyncGenerator<Uint8Array> {
    let done = () => {};
    let begun = () => {};
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const reading = new Promise<void>((resolve) => (done = resolve));
    const held = holding(live, "export", async () => {
      begun();
      await reading;
    });
    try {
      await Promise.race([beginning, held]);
      // What was accepted before the hold began is committed before the rows are read.
      await live.storage.commit({ check: [], remove: [], put: [] });
      yield* exportAgent(live, signer, passphrase);
    } finally {
      done();
      await held;
    }
  }
  /** Resolves when no tick or hook of the agent runs. */
  async function quiet(live: Live): Promise<void> {
    while (live.running || sleeping.has(live)) {
      await (sleeping.get(live) ?? live.running)?.catch(() => {});
    }
  }

  // The start

  async function takeUp(): Promise<void> {
    await finishOpen(lifecycle);
    for (const prefix of ["draft/", "send/", "inbox/", "open/"]) {
      let after: { owner: string; key: string } | undefined;
      while (true) {
        const found = await backend.find({
          prefix,
          limit: PAGE,
          ...(after === undefined ? {} : { after }),
        });
        for (const { owner } of found) {
          if (owner.startsWith("@")) continue;
          if (prefix === "draft/") await sweepDrafts(backend.storage(owner));
          else await open(owner as AgentId).catch(onError);
        }
        if (found.length < PAGE) break;
        after = found.at(-1)!;
      }
    }
  }
  const paused = await own.get(runtimeKey.paused) !== undefined;
  await own.commit({
    check: [],
    remove: [runtimeKey.clean],
    put: [{ key: runtimeKey.known, value: encodeText("{}") }],
  });
  await takeUp();
  supervisor.paused = paused;
  await due.start();

  const runtime: Runtime = {
    builtins: options.builtins,
    async create(request) {
      const id = request.id === undefined ? await freeId(request) : agentId(request.id);
      const digest = requestDigest(request);
      let there: Awaited<ReturnType<typeof existing>>;
      do {
        await made(id);
        there = await existing(backend, id, digest);
      } while (making.has(id));
      if (there === "same") return { info: await runtime.info(id), created: false };
      if (there === "other") {
        throw new FileError("already_exists", "create", `/agents/${id}`, {
          detail: "an agent of this id was made by another request; delete it or choose another id",
        });
      }
      const work = createAgent(id, request, lifecycle);
      making.set(id, work);
      let live: Live;
      try {
        live = await work;
      } finally {
        making.delete(id);
      }
      ready(live);
      return { info: await infoOf(live), created: true };
    },
    async list({ among, state, after, limit }) {
      const wanted = Math.min(limit ?? MAX_AGENTS, MAX_AGENTS);
      if (among) return await listAmong(among, state, after, wanted);
      const infos: AgentInfo[] = [];
      let from = after === undefined ? undefined : registryKey.agent(after);
      while (infos.length < wanted) {
        const rows = await registry.list({
          prefix: registryKey.agent(""),
          limit: Math.min(PAGE, wanted),
          ...(from === undefined ? {} : { after: from }),
        });
        for (const row of rows) {
          const info = await glance(row.key.slice(registryKey.agent("").length) as AgentId);
          if (info && (state === undefined || info.state === state) && infos.length < wanted) {
            infos.push(info);
          }
        }
        if (rows.length < Math.min(PAGE, wanted)) break;
        from = rows.at(-1)!.key;
      }
      return infos;
    },
    info: (id) => using(id, detailsOf),
    configure: (id, change, by) =>
      using(id, async (live) => {
        await configure(live, services, change, by);
        // A shorter time to sleep counts from now on.
        idling.get(live)?.();
        idling.delete(live);
        // What it had used up may be less than what it has now.
        ready(live);
        return await detailsOf(live);
      }),
    async delete(id) {
      await made(id);
      const live = await reach(id);
      const work = (async () => {
        live.ending = true;
        await quiet(live);
        await terminateAgent(live, lifecycle);
      })();
      making.set(id, work);
      try {
        await work;
      } finally {
        making.delete(id);
      }
    },
    async exportAgent(id, passphrase) {
      return exported(await reach(id), passphrase);
    },
    async importAgent(file, { id, mode, passphrase }) {
      return await importInto(file, id, mode, passphrase);
    },
    tokens,
    async files(id, principal) {
      if (!concerns(principal, id)) {
        throw new FileError("permission_denied", "open", `/agents/${id}`, {
          detail: "this token is for other agents",
        });
      }
      await using(id, watchIdle);
      return lastingFiles(async () => {
        const live = await hold(id);
        return { files: filesOf(live, principal), release: () => live.uses-- };
      });
    },
    deliver: (id, input, source) =>
      using(id, (live) => live.inbox.accept(seal(live, input, source))),
    wait: (id, envelope, signal) => using(id, (live) => waitFor(live, envelope, signal)),
    async status() {
      return {
        started_at: isoTime(startedAt),
        uptime_ms: backend.now() - startedAt,
        paused: supervisor.paused,
        agents: await countAgents(),
        in_memory: lives.size,
        states: countStates(lives.values()),
        queued: queued(lives.values()),
        reserved_micro_usd: reserved(lives.values()),
        ticking: supervisor.ticking,
        due: supervisor.waiting,
        ticks,
        envelopes,
      };
    },
    async pauseAll() {
      const put = [{ key: runtimeKey.paused, value: encodeText("{}") }];
      await own.commit({ check: [], remove: [], put });
      supervisor.paused = true;
    },
    async resumeAll() {
      await own.commit({ check: [], remove: [runtimeKey.paused], put: [] });
      supervisor.paused = false;
    },
    async stop(graceMs) {
      if (stopping) return;
      stopping = true;
      due.stop();
      for (const wake of resting.values()) wake();
      const cancel = backend.timer(graceMs, () => {
        for (const live of lives.values()) live.effects?.abort.abort(STOPPED);
      });
      await supervisor.stop();
      cancel();
      await Promise.all(sleeping.values());
      stopped = true;
      for (const live of [...lives.values()]) {
        await live.instance?.stop().catch(() => {});
        live.sends.stop();
        await live.jobs.stop("stopped");
        await live.trace.flush();
        leaveMemory(live);
        await live.directories.close();
      }
      await own.commit({
        check: [],
        remove: [],
        put: [{ key: runtimeKey.clean, value: encodeJson({ at: isoTime(backend.now()) }) }],
      });
    },
  };

  /** The registry's row says what must be undone if the import does not come to its end. */
  async function importInto(
    file: AsyncIterable<Uint8Array>,
    wanted: AgentId | undefined,
    mode: ImportMode,
    passphrase: string | undefined,
  ): Promise<AgentInfo> {
    let id: AgentId | undefined;
    let ended = () => {};
    const work = new Promise<void>((resolve) => (ended = resolve));
    try {
      const made = await importRows(file, {
        id: wanted,
        mode,
        passphrase,
        services,
        signer,
        backend,
        async begin(at) {
          if (making.has(at) || await registry.get(registryKey.agent(at))) {
            throw new FileError("already_exists", "import", `/agents/${at}`, {
              detail: "delete it, or import under another id",
            });
          }
          id = at;
          making.set(at, work);
          await openRegistry(at, lifecycle);
        },
      });
      const live = await open(made).catch(notAnAgent);
      // Whoever can make a file can make its checksum: that it is an agent's shows when it is one.
      await infoOf(live).catch(notAnAgent);
      await closeRegistry(made, lifecycle);
      live.trace.add({ type: "lifecycle", state: "imported", mode });
      making.delete(made);
      ready(live);
      // Its alarms are due by their own times.
      due.note(backend.now());
      return await infoOf(live);
    } catch (error) {
      if (id) await undo(id, lifecycle);
      throw error;
    } finally {
      if (id) making.delete(id);
      ended();
    }
  }
  async function freeId(request: CreateRequest): Promise<AgentId> {
    const base = typeof request.agent === "string" ? request.agent : "agent";
    for (let n = 1;; n++) {
      const id = agentId(n === 1 ? base : `${base}-${n}`);
      if (!making.has(id) && !await registry.get(registryKey.agent(id))) return id;
    }
  }
  function countStates(inMemory: Iterable<Live>): RuntimeStatus["states"] {
    const counts = { creating: 0, active: 0, dormant: 0, paused: 0, failed: 0, terminated: 0 };
    for (const live of inMemory) counts[stateOf(live, making.has(live.id))]++;
    return counts;
  }
  async function countAgents(): Promise<number> {
    return (await registry.list({ prefix: registryKey.agent("") })).length;
  }
  return runtime;
}

/** Of rows that could be stored and cannot be understood. */
function notAnAgent(cause: unknown): never {
  if (cause instanceof FileError) throw cause;
  throw new FileError("invalid_request", "import", "file", {
    detail: "this is no whole export of an agent: its rows are not what an agent has",
    cause,
  });
}

function hasStopped(id: AgentId): FileError {
  return new FileError("not_ready", "open", `/agents/${id}`, { detail: "the runtime has stopped" });
}
/** Envelopes that wait, in all. */
function queued(inMemory: Iterable<Live>): number {
  let sum = 0;
  for (const live of inMemory) sum += live.inbox.queue.size;
  return sum;
}

/** Money that is kept for what runs, in all. */
function reserved(inMemory: Iterable<Live>): number {
  let sum = 0;
  for (const { ledger } of inMemory) for (const { row } of ledger.open.values()) sum += row.amount;
  return sum;
}

function noAgent(id: AgentId): FileError {
  return new FileError("not_found", "open", `/agents/${id}`, { detail: "no such agent" });
}
