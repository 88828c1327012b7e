/** An agent in memory: its rows opened, its streams, its queue. Everything here can be dropped at any moment and opened again from the rows. */
import type { FileService } from "../fs/file.ts";
import type { AgentId, EnvelopeId } from "./id.ts";
import type { AgentStorage, Batch } from "./storage.ts";
import type { Backend } from "./backend.ts";
import type { AgentInstance } from "./host.ts";
import type { TickResult } from "./agent.ts";
import type { Payload } from "./envelope.ts";
import type { AgentRecord, Phase, Turn } from "./record.ts";
import { FIRST_TURN } from "./record.ts";
import type { DirectoryProvider } from "./provider.ts";
import type { OverflowPolicy, RowChange } from "./view.ts";
import { DEFAULT_OVERFLOW } from "./view.ts";
import type { Effects } from "./effects.ts";
import { type Code, codeOf, FileError } from "../fs/error.ts";
import { type Announcer, announcer } from "./announce.ts";
import { type ApprovalBook, openApprovals } from "./approvals.ts";
import { decodeJson, decodeText } from "./code.ts";
import { type Directories, openDirectories } from "./directories.ts";
import { directoriesOf } from "./mounts.ts";
import { type DeadLetters, makeDeadLetters } from "./dead.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import { key } from "./keys.ts";
import { type KeyedAnnouncer, keyedAnnouncer } from "./keyed.ts";
import { limitsOf, WARN_PERCENT } from "./limits.ts";
import type { Meter } from "./meter.ts";
import { readLarge } from "./blob.ts";
import { type Numbered, numbered } from "./numbered.ts";
import { openSends, type Sends } from "./sends.ts";
import type { Doing, JobKind } from "./outside.ts";
import { type JobBook, openJobs } from "./jobs.ts";
import { type Journal, openJournal } from "./journal.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { openTrace, type Trace } from "./trace.ts";
import type { Redactor } from "./redact.ts";
import type { Tracer } from "./tracer.ts";
import { uuidv7 } from "./id.ts";
import type { Waiting } from "./queue.ts";

/** What finished: told to those who wait for an envelope. */
export interface Finished {
  readonly envelope: EnvelopeId;
  readonly result: TickResult;
  readonly final: boolean;
  readonly pending: boolean;
}

export interface Live {
  readonly id: AgentId;
  readonly storage: AgentStorage;
  readonly backend: Backend;
  readonly meter: Meter;
  readonly tracer: Tracer | undefined;
  /** Takes known secrets out of what is told and kept of it. */
  readonly redactor: Redactor;
  record: AgentRecord;
  phase: Phase;
  turn: Turn;
  turnBytes: Uint8Array | undefined;
  /** The committed state, JSON; undefined before the first. */
  state: string | undefined;
  /** What stands in the state's row; a head if it is large. */
  stateBytes: Uint8Array | undefined;
  readonly inbox: Inbox;
  readonly dead: DeadLetters;
  readonly outbox: Numbered;
  readonly trajectory: Numbered;
  readonly trace: Trace;
  readonly sends: Sends;
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly approvals: ApprovalBook;
  readonly jobs: JobBook;
  /** What is being done outside now, by its journal's id or its record's key. */
  readonly doing: Map<string, Doing>;
  readonly changes: Announcer<RowChange>;
  readonly directories: Directories;
  /** Called when a mount or an access changes. */
  readonly tableListeners: Set<() => void>;
  /** What `/status` says of storage; undefined after a change. */
  storedBytes: number | undefined;
  /** The agent's own namespace; it writes into the tick that runs. */
  agentFiles: FileService;
  instance: AgentInstance | undefined;
  /** The instance has not ticked yet. */
  justWoken: boolean;
  /** The tick that runs now, to its last step. */
  running: Promise<void> | undefined;
  /** While new code is deployed or the agent is exported no tick begins; during an export nothing else changes either. */
  held: { readonly op: "deploy" | "export"; readonly until: Promise<void> } | undefined;
  /** The try that runs now. */
  effects: Effects | undefined;
  inTick: Waiting | undefined;
  /** Called by the engine when an envelope's try ends. */
  readonly finished: KeyedAnnouncer<Finished>;
  readonly replied: KeyedAnnouncer<{ readonly to: EnvelopeId; readonly payload: Payload }>;
  /** After an unclean stop, the first envelope's try is counted before it runs. */
  unclean: boolean;
  /** Others' writes wait while it is set: the tick lost to them too often. */
  exclusive: Promise<void> | undefined;
  changing: Promise<unknown>;
  lastActive: number;
  /** How many callers use it now; it stays in memory meanwhile. */
  uses: number;
  /** Set when it leaves memory; whoever still holds it opens it again. */
  closed: boolean;
  ending: boolean;
  newBlobId(): string;
}

export interface LiveOptions {
  readonly backend: Backend;
  readonly unclean: boolean;
  readonly onReady: (live: Live) => void;
  readonly onDropped: (live: Live, entry: Waiting) => void;
  /** A person has answered a question of the agent. */
  readonly onDecided: (live: Live, approvalId: string) => Promise<void>;
  /** Nothing is on its way any more, or what is waits. */
  readonly onSettled: (live: Live) => void;
  /** A commit has failed in a way that does not say what has become of it. */
  readonly onDoubt: (live: Live) => void;
  /** Resolves when the agent is not being made or ended any more. */
  readonly made: (id: AgentId) => Promise<void>;
  /** Gives the receiver's inbox to `give`; false if there is no such agent. */
  readonly deliver: (to: AgentId, give: (inbox: Inbox) => Promise<unknown>) => Promise<boolean>;
  readonly onError: (error: unknown) => void;
  readonly meter: Meter;
  readonly tracer: Tracer | undefined;
  readonly redactor: Redactor;
  readonly files: (live: Live) => FileService;
  readonly directories: DirectoryProvider | undefined;
  /** How jobs of a mount run. */
  readonly jobs: (mount: string) => JobKind | undefined;
}

/** Opens an agent from its rows. @throws FileError `not_found` */
export async function openLive(id: AgentId, options: LiveOptions): Promise<Live> {
  const { backend } = options;
  const changes = announcer<RowChange>();
  const storage = announcing(backend.storage(id), changes, {
    onStored: () => live.storedBytes = undefined,
    onDoubt: () => options.onDoubt(live),
    refusal: () => live?.closed ? goneOf(live) : undefined,
  });
  const [recordRow, phaseRow, turnRow, overflowRow, stateRow] = await Promise.all([
    storage.get(key.agent),
    storage.get(key.phase),
    storage.get(key.turn),
    storage.get(key.overflow),
    storage.get(key.state),
  ]);
  if (!recordRow || !phaseRow) {
    throw new FileError("not_found", "open", `/agents/${id}`, { detail: "no such agent" });
  }
  const record = decodeJson<AgentRecord>(recordRow);
  const turn = turnRow ? decodeJson<Turn>(turnRow) : FIRST_TURN;
  const stateBytes = stateRow && await readLarge(storage, key.state);
  const newBlobId = () => uuidv7(backend.now(), backend.random(10));

  const trace = await openTrace({
    storage,
    now: () => backend.now(),
    timer: (ms, fire) => backend.timer(ms, fire),
    hint: turn.trace,
    retention: () => live.record.limits.retention.trace,
    onError: options.onError,
    redactor: options.redactor,
  });
  const dead = makeDeadLetters({
    storage,
    now: () => backend.now(),
    newBlobId,
  });
  const inbox = await openInbox({
    storage,
    now: () => backend.now(),
    newBlobId,
    trace,
    dead,
    policy: overflowRow ? decodeJson<OverflowPolicy>(overflowRow) : DEFAULT_OVERFLOW,
    next: turn.inbox,
    onAccepted: () => options.onReady(live),
    onDropped: (entry) => options.onDropped(live, entry),
    inTick: () => live.inTick,
    held: () => exportOf(live),
    onError: options.onError,
    onEnvelope: (disposition) => options.meter.envelope(disposition),
  });
  const outbox = numbered({
    storage,
    prefix: "outbox/",
    next: turn.outbox,
    redactor: options.redactor,
    along: (event) =>
      event.type === "reply" ? [key.reply(String(event.envelope_id), event.seq)] : [],
  });
  const waiting = new Set([...inbox.queue.all()].map((entry) => entry.id as string));
  const ledger = await openLedger({
    storage,
    now: () => backend.now(),
    budgets: () => live?.record.budgets ?? record.budgets ?? {},
    waits: (envelope) => waiting.has(envelope),
    onSpent: (mount, microUsd) => options.meter.spent(mount, microUsd),
    onEvent: (event) => trace.add({ type: "budget", ...event }),
    onError: options.onError,
  });
  const live: Live = {
    id,
    storage,
    backend,
    meter: options.meter,
    tracer: options.tracer,
    redactor: options.redactor,
    record,
    phase: decodeJson<Phase>(phaseRow),
    turn,
    turnBytes: turnRow,
    state: stateBytes && decodeText(stateBytes),
    stateBytes: stateRow,
    inbox,
    dead,
    outbox,
    trajectory: numbered({
      storage,
      prefix: "trajectory/",
      next: turn.trajectory,
      redactor: options.redactor,
    }),
    trace,
    sends: undefined as unknown as Sends,
    ledger,
    journal: openJournal({ storage, now: () => backend.now(), newBlobId }),
    approvals: openApprovals({
      storage,
      now: () => backend.now(),
      newId: newBlobId,
      trace,
      inbox,
      changes,
      redact: options.redactor.text,
      onDecided: (id) => options.onDecided(live, id),
    }),
    jobs: undefined as unknown as JobBook,
    doing: new Map(),
    changes,
    directories: openDirectories(options.directories, options.onError),
    tableListeners: new Set(),
    storedBytes: undefined,
    agentFiles: undefined as unknown as FileService,
    instance: undefined,
    justWoken: false,
    running: undefined,
    held: undefined,
    effects: undefined,
    inTick: undefined,
    finished: keyedAnnouncer(({ envelope }) => envelope),
    replied: keyedAnnouncer(({ to }) => to),
    unclean: options.unclean,
    exclusive: undefined,
    changing: Promise.resolve(),
    lastActive: backend.now(),
    uses: 0,
    closed: false,
    ending: false,
    newBlobId,
  };
  live.tableListeners.add(() =>
    live.directories.keep(directoriesOf(live.record).map(([, mount]) => mount))
  );
  live.agentFiles = options.files(live);
  const sends = await openSends({
    id,
    birth: record.birth,
    storage,
    inbox,
    now: () => backend.now(),
    timer: (ms, fire) => backend.timer(ms, fire),
    made: () => options.made(id),
    deliver: options.deliver,
    onSettled: () => options.onSettled(live),
    onError: options.onError,
    rate: {
      limit: () => limitsOf(live.record.limits).max_sends_per_minute,
      onNear: (of) =>
        trace.add({ type: "budget", warning: `${WARN_PERCENT}% of max_sends_per_minute`, ...of }),
    },
  });
  const jobs = openJobs(live, options.jobs, {
    held: () => exportOf(live),
    onEnd: () => options.onSettled(live),
    onError: options.onError,
  });
  Object.assign(live, { sends, jobs });
  await endLeftOpen(live);
  await jobs.recover();
  return live;
}

/** Reservations of what no job stands behind: an effect that was waited for when the program ended. */
async function endLeftOpen(live: Live): Promise<void> {
  if (live.ledger.open.size === 0) return;
  const jobs = new Set<string | undefined>();
  for (const { key: marker } of await live.storage.list({ prefix: key.open("job/") })) {
    const bytes = await live.storage.get(marker.slice(key.open("").length));
    if (bytes) jobs.add(decodeJson<{ held?: string }>(bytes).held);
  }
  for (const held of [...live.ledger.open.values()]) {
    if (jobs.has(held.id)) continue;
    const { batch, done } = live.ledger.giveUp(held);
    await live.storage.commit(batch);
    done();
  }
}

/** Resolves when the export that runs has ended; undefined while there is none. */
export function exportOf(live: Live): Promise<void> | undefined {
  return live.held?.op === "export" ? live.held.until : undefined;
}

/** Refusals of a commit that has certainly changed nothing. */
const SURE: ReadonlySet<Code> = new Set([
  "conflict",
  "invalid_request",
  "too_large",
  "not_ready",
  "not_found",
]);

function goneOf({ id, ending }: Live): FileError {
  return ending
    ? new FileError("not_found", "write", `/agents/${id}`, { detail: "the agent has ended" })
    : new FileError("not_ready", "write", `/agents/${id}`, {
      detail: "the agent has left memory in between; try again",
    });
}

/** What counts as an agent's storage. */
const STORED = ["kv/", "goal/", "file/", "state"];

/** Tells committed changes of rows to those who watch; costs nothing while nobody does. */
function announcing(
  storage: AgentStorage,
  changes: Announcer<RowChange>,
  hooks: {
    readonly onStored: () => void;
    readonly onDoubt: () => void;
    /** Why nothing can be put any more. */
    readonly refusal: () => FileError | undefined;
  },
): AgentStorage {
  const stored = (key: string) => STORED.some((prefix) => key.startsWith(prefix));
  async function commitSurely(batch: Batch): Promise<void> {
    const refusal = batch.put.length > 0 ? hooks.refusal() : undefined;
    if (refusal) throw refusal;
    try {
      await storage.commit(batch);
    } catch (error) {
      if (!SURE.has(codeOf(error))) hooks.onDoubt();
      throw error;
    }
  }
  return {
    get: (at) => storage.get(at),
    list: (range) => storage.list(range),
    async commit(batch) {
      if (changes.listeners === 0) {
        await commitSurely(batch);
        if (batch.put.some((row) => stored(row.key)) || batch.remove.some(stored)) hooks.onStored();
        return;
      }
      // Asked before the commit is called: whether a key was there decides between created and modified.
      const was = Promise.all(batch.put.map(({ key }) => storage.get(key)));
      const gone = Promise.all(batch.remove.map((key) => storage.get(key)));
      await commitSurely(batch);
      hooks.onStored();
      const [before, removed] = [await was, await gone];
      const put = new Set(batch.put.map(({ key }) => key));
      batch.remove.forEach((key, i) => {
        if (removed[i] !== undefined && !put.has(key)) changes.tell({ key, type: "deleted" });
      });
      batch.put.forEach(({ key }, i) => {
        changes.tell({ key, type: before[i] === undefined ? "created" : "modified" });
      });
    },
  };
}
