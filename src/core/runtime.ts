/** The runtime as its doors see it: agents are made, listed, ended; all else is a file in a namespace. */
import type { FileService } from "../fs/file.ts";
import type { AgentId, EnvelopeId } from "./id.ts";
import type { EnvelopeInput, Json, Source } from "./envelope.ts";
import type { Autonomy } from "./autonomy.ts";
import type { BudgetPolicy, Budgets } from "./budget.ts";
import type { DirectoryMount } from "./provider.ts";
import type { LifecycleState, Limits, TickResult } from "./agent.ts";
import type { Term, TokenGrant, Tokens } from "./tokens.ts";
import type { SomeLimits } from "./limits.ts";
import type { Access, AgentStatus, MountRow, Receipt, Viewer } from "./view.ts";

/** Who looks: the authority, and the name under which its messages are accepted (`local`, a token's name). */
export interface Principal {
  readonly viewer: Viewer;
  readonly name: string;
  /** How far a scoped token goes, and with which agents; all the way, and with all, where there is none. */
  readonly grant?: Pick<TokenGrant, "agents" | "can"> & Term;
}

export interface CreateRequest {
  readonly id?: AgentId;
  readonly name?: string;
  /** A built-in's name, or a bundled module's source. */
  readonly agent: string | { readonly code: string; readonly digest?: string };
  readonly config?: Json;
  readonly goals?: readonly string[];
  readonly mounts?: Readonly<Record<string, Access | DirectoryMount>>;
  readonly limits?: Partial<Limits>;
  /** What it may spend, by mount; `/`: at all. */
  readonly budgets?: Budgets;
  /** A preset of the mount table, under what `mounts` says. */
  readonly autonomy?: Autonomy;
}

export interface AgentInfo extends AgentStatus {
  readonly npub: string;
}

/** An agent with all that its operator has decided. */
export interface AgentDetails extends AgentInfo {
  readonly config: Json;
  /** What is mounted, and at which access. */
  readonly mounts: readonly MountRow[];
  readonly budgets?: Budgets;
}

/** What of an agent can be changed; what is left out stays as it is. */
export interface AgentChange {
  readonly name?: string;
  /** In place of the whole config. */
  readonly config?: Json;
  readonly limits?: SomeLimits;
  /** Null: no longer mounted. */
  readonly mounts?: Readonly<Record<string, Access | DirectoryMount | null>>;
  /** By mount; null takes a policy away. */
  readonly budgets?: Readonly<Record<string, BudgetPolicy | null>>;
}

/** `restore`: the same life goes on here. `clone`: a new life with the same memory: a birth, a key and a queue of its own. */
export type ImportMode = "restore" | "clone";

export interface Waited {
  readonly tick: TickResult;
  /** Payloads, in the order in which they were given. */
  readonly replies: readonly Json[];
}

export interface RuntimeStatus {
  /** ISO 8601. */
  readonly started_at: string;
  readonly uptime_ms: number;
  readonly paused: boolean;
  readonly agents: number;
  readonly in_memory: number;
  /** Of those in memory, by state. The others are not looked at; none of them is active. */
  readonly states: Readonly<Record<LifecycleState, number>>;
  /** Envelopes that wait, of agents in memory. Only paused and failed agents have some and are not there. */
  readonly queued: number;
  /** What runs now may cost at the most, of agents in memory; no other has anything that runs. */
  readonly reserved_micro_usd: number;
  readonly ticking: number;
  readonly due: number;
  /** Since the start. */
  readonly ticks: number;
  readonly envelopes: number;
}

export interface Runtime {
  /** Answers once `onCreate` has committed. `created: false`: it was there, made by the same request. Rejects with `already_exists`, `invalid_request`, `not_found` (no such built-in), `agent_error`. */
  create(request: CreateRequest): Promise<{ readonly info: AgentInfo; readonly created: boolean }>;
  /** In order of id. */
  list(page: {
    /** Of these alone, as far as they are there. */
    readonly among?: readonly AgentId[];
    readonly state?: LifecycleState;
    readonly after?: string;
    readonly limit?: number;
  }): Promise<AgentInfo[]>;
  info(id: AgentId): Promise<AgentDetails>;
  /**
   * Changes what the operator decides, in one commit that the trajectory tells of; it holds from the next operation on, memory limits from the agent's next
   * start. Rejects with `invalid_request`, `too_large`.
   */
  configure(id: AgentId, change: AgentChange, by: string): Promise<AgentDetails>;
  /** `onTerminate` runs, then all its rows go in one go. */
  delete(id: AgentId): Promise<void>;
  /**
   * The agent as one file, in chunks; it is held meanwhile: no tick begins and messages wait to be accepted. With a passphrase its private key goes along,
   * encrypted. Rejects with `not_found`.
   */
  exportAgent(id: AgentId, passphrase?: string): Promise<AsyncIterable<Uint8Array>>;
  /** An agent from such a file. Rejects with `already_exists`, `invalid_request` (damaged, or not such a file), `not_supported` (newer). */
  importAgent(
    file: AsyncIterable<Uint8Array>,
    options: { readonly id?: AgentId; readonly mode: ImportMode; readonly passphrase?: string },
  ): Promise<AgentInfo>;
  readonly tokens: Tokens;
  /** The agent's files as this principal may use them. Rejects with `not_found`, and `permission_denied` for an agent outside a token's scope. */
  files(id: AgentId, principal: Principal): Promise<FileService>;
  /** An envelope that a driver brings, from wherever it came; durable when it resolves. Rejects with `not_found`, and with what a send is refused with. */
  deliver(id: AgentId, input: EnvelopeInput, source: Source): Promise<Receipt>;
  /** Waits until the envelope was ticked to its end (or given up), and its replies. `undefined`: the signal aborted first. Rejects with `not_found` for an id that was never accepted or is forgotten. */
  wait(id: AgentId, envelope: EnvelopeId, signal: AbortSignal): Promise<Waited | undefined>;
  status(): Promise<RuntimeStatus>;
  pauseAll(): Promise<void>;
  resumeAll(): Promise<void>;
  /** The built-in agents that can be created by name. */
  readonly builtins: readonly { readonly name: string; readonly about: string }[];
  /** Finishes running ticks within `graceMs`, rolls back the rest, and writes what is still in memory. */
  stop(graceMs: number): Promise<void>;
}
