/** One agent as one viewer sees it: what services are given, so that authority is a namespace and never an argument. */
import type { FileService } from "../fs/file.ts";
import type { Stream } from "./event_stream.ts";
import type { Mount } from "../fs/namespace.ts";
import type { Range, Row } from "./storage.ts";
import type { AgentId, EnvelopeId } from "./id.ts";
import type { Envelope, EnvelopeInput, Json, Source } from "./envelope.ts";
import type { Failure, LifecycleState, Limits, TickResult } from "./agent.ts";
import type { SigningService } from "./provider.ts";
import type { Approvals } from "./approval.ts";
import type { BudgetView } from "./budget.ts";
import type { JobKind, Jobs, Outside } from "./outside.ts";

/** `agent`: its own code. `operator`: who holds the token. `local`: a caller on this machine without one. `public`: anyone (nothing is mounted for it). */
export type Viewer = "agent" | "operator" | "local" | "public";

/** Reads see the writes before them; nothing is kept until the commit. */
export interface Txn {
  get(key: string): Promise<Uint8Array | undefined>;
  list(range: Range): Promise<Row[]>;
  put(key: string, value: Uint8Array): void;
  remove(key: string): void;
}

export interface RowChange {
  readonly key: string;
  readonly type: "created" | "modified" | "deleted";
}

/** An agent's rows as this viewer sees them: the agent in its tick sees what it has written, others what is committed. */
export interface Rows {
  get(key: string): Promise<Uint8Array | undefined>;
  list(range: Range): Promise<Row[]>;
  /**
   * The agent's own change joins its tick's commit; another viewer's is committed when this resolves, and `change` is run again when what it read has changed
   * in the meantime. It must have no other effect than its transaction.
   */
  change<T>(change: (txn: Txn) => Promise<T>): Promise<T>;
  /** Committed at once, whoever looks: for chunks that no head names yet. */
  commitNow(put: readonly Row[], remove: readonly string[]): Promise<void>;
  /** Committed changes of keys that begin with `prefix`, from the call on, until the signal aborts. */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<RowChange>;
}

/** The answer to an accepted envelope; it is durable. */
export interface Receipt {
  readonly envelope_id: EnvelopeId;
  readonly disposition: "queued" | "dead_letter";
  readonly queue_depth: number;
  readonly duplicate: boolean;
}

export interface OverflowPolicy {
  readonly max_depth: number;
  readonly policy: "reject_new" | "dead_letter" | "drop_oldest";
  readonly dead_letter_max: number;
}
export const DEFAULT_OVERFLOW: OverflowPolicy = {
  max_depth: 10_000,
  policy: "reject_new",
  dead_letter_max: 1_000,
};

/** An envelope that was given up, or did not fit. */
export interface DeadLetter {
  readonly envelope: Envelope;
  /** `failed`: every try failed. `overflow`: the inbox was full. */
  readonly reason: "failed" | "overflow";
  /** ISO 8601. */
  readonly at: string;
  readonly tries: number;
  readonly errors: readonly (Failure & { readonly at: string })[];
}

/** What `/status` says. Times are ISO 8601. */
export interface AgentStatus {
  readonly id: AgentId;
  readonly name: string;
  /** The built-in's name, or `module`. */
  readonly agent: string;
  readonly state: LifecycleState;
  readonly pubkey: string;
  readonly code_digest: string;
  readonly created_at: string;
  readonly last_tick_at: string | null;
  /** The trigger's type and sender, e.g. `message http:local`. */
  readonly last_tick_cause: string | null;
  readonly last_error: (Failure & { readonly at: string }) | null;
  readonly tick_count: number;
  /** Envelopes given up in a row. */
  readonly failures: number;
  readonly queue_depth: number;
  readonly dead_letters: number;
  readonly next_alarm: string | null;
  readonly budget: Json;
  /** Its ticks wait until then: it has used up what `max_daily_compute_ms` allows. */
  readonly rests_until?: string;
  /** State, KV, goals and files. */
  readonly storage_bytes: number;
  readonly limits: Limits;
  readonly retention: Limits["retention"];
}

export type ControlWord = "tick" | "hibernate" | "wake" | "pause" | "resume";
export const CONTROL_WORDS: readonly ControlWord[] = [
  "tick",
  "hibernate",
  "wake",
  "pause",
  "resume",
];

export type Access =
  | "read_only"
  | "read_write"
  | "sign_only"
  | "approve"
  | "budgeted"
  | "disabled";

export interface MountRow {
  readonly path: string;
  /** The service's name; `dir` for a directory of the host. */
  readonly service: string;
  readonly access: Access;
  readonly type?: "dir";
  /** Of a directory, and only told to operators: where it is, and which names are hidden if not the usual ones. */
  readonly host_path?: string;
  readonly hidden?: readonly string[];
}

/** The code that an agent runs, and the version of its state under it. */
export interface CodeVersion {
  readonly code_digest: string;
  readonly version: number;
}

/** What a deploy came to. */
export interface Deployed extends CodeVersion {
  readonly before: CodeVersion;
}

export interface AgentView {
  readonly id: AgentId;
  readonly viewer: Viewer;
  /** The runtime's operator, and not one of single agents: who may open the host to an agent. */
  readonly isOperator: boolean;
  /** What an envelope written by this viewer says of its origin. */
  readonly source: Source;
  /** Milliseconds since the Unix epoch; in a tick, the tick's one time. */
  now(): number;
  /** An id that no other caller gets, for a blob. */
  newBlobId(): string;
  readonly rows: Rows;
  readonly signer: SigningService;
  status(): Promise<AgentStatus>;
  /** In a tick it leaves with the tick's commit. Rejects with `inbox_full`, `conflict`, `invalid_request`, `too_large`. */
  deliver(input: EnvelopeInput): Promise<Receipt>;
  /** Waiting envelopes in the order of their numbers, behind number `after`. */
  waiting(page: { readonly after?: number; readonly limit: number }): Promise<
    { readonly n: number; readonly id: EnvelopeId; readonly bytes: number; readonly at: number }[]
  >;
  waitingEnvelope(n: number): Promise<Envelope | undefined>;
  /** `tick` answers the TickResult of its first try; the others nothing. */
  control(word: ControlWord, signal?: AbortSignal): Promise<TickResult | undefined>;
  readonly deadLetters: {
    list(page: { readonly after?: string; readonly limit: number }): Promise<DeadLetter[]>;
    get(id: string): Promise<DeadLetter | undefined>;
    count(): Promise<number>;
    /** Back into the inbox, at its end. `fresh`: without its recorded calls. */
    replay(id: EnvelopeId, fresh: boolean): Promise<void>;
    replayAll(): Promise<number>;
    discard(id: EnvelopeId): Promise<void>;
  };
  readonly trace: Stream;
  readonly outbox: Stream;
  readonly trajectory: Stream;
  /** The bundled module; undefined for a built-in agent. */
  code(): Promise<Uint8Array | undefined>;
  codeDigest(): string;
  /** Takes the turn after the running tick. The old code stays where it fails. */
  deploy(code: string, digest?: string): Promise<Deployed>;
  overflow(): Promise<OverflowPolicy>;
  setOverflow(policy: OverflowPolicy): Promise<void>;
  mounts(): Promise<readonly MountRow[]>;
  /** Changes the access of mounts, adds or removes them; recorded in the trajectory. */
  setMounts(rows: readonly MountRow[]): Promise<void>;
  /** What a service buys or does in the world outside goes through here. */
  readonly outside: Outside;
  /** Jobs of one mount. */
  jobs(mount: string): Jobs;
  readonly budget: BudgetView;
  readonly approvals: Approvals;
  /** A small JSON value that a service keeps of this agent, such as its policy: `undefined` if none was set. Operators set it; it is kept with the agent's record and told in the trajectory. */
  setting(name: string): Json | undefined;
  setSetting(name: string, value: Json | null): Promise<void>;
}

/** Makes the service of one mount for one viewer. */
export type ServiceFactory = (view: AgentView) => FileService;

/** One mount that the services room declares. */
export interface ServiceMount {
  readonly service: ServiceFactory;
  /** What an agent gets where its creator says nothing. */
  readonly access: Access;
  /** Every access that it can have; all plain ones if absent. */
  readonly accesses?: readonly Access[];
  /** How the jobs that it submits run. */
  readonly jobs?: JobKind;
}

/** Path → mount. */
export type ServiceTable = Readonly<Record<string, ServiceMount>>;

export type { FileService, Mount, Stream };
