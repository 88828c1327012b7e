/** The agent as its author writes it, what it is given in a tick, and what is told of it. */
import type { Entry, FileService, OpenOptions, Page, Stat } from "../fs/file.ts";
import type { Code } from "../fs/error.ts";
import type { AgentId, EnvelopeId, TickId, Timestamp } from "./id.ts";
import type { Json, Payload } from "./envelope.ts";
import type { Trigger } from "./trigger.ts";

/** A plain JSON value that the agent may change in place; kept when the tick commits. */
export type AgentState = { [name: string]: Json };

/** Any validator that speaks Standard Schema v1 (zod, valibot, arktype …). https://standardschema.dev */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: readonly {
      readonly message: string;
      readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
    }[];
  };

// deno-lint-ignore no-explicit-any -- the state's type is the author's; without a schema it is theirs to say
type AnyState = any;

/** The default export of an agent's module. */
export interface Agent<S = AnyState> {
  readonly name: string;
  readonly state?: StandardSchema<S>;
  /** A whole number from 1 (the default); `migrate` runs at deploy when the stored one is lower. */
  readonly version?: number;
  migrate?(from: number, old: AnyState): S | Promise<S>;
  /** Commits before the create is answered. */
  onCreate?(ctx: AgentContext<S>): void | Promise<void>;
  /** Shares the first tick's commit. */
  onWake?(ctx: AgentContext<S>): void | Promise<void>;
  /** Has its own commit; its failure is only logged. */
  onSleep?(ctx: AgentContext<S>): void | Promise<void>;
  onTrigger(ctx: AgentContext<S>, trigger: Trigger): Outcome | Promise<Outcome>;
  /** After a try failed; may log and nothing else. */
  onError?(
    ctx: AgentContext<S>,
    error: { readonly code: Code; readonly message: string },
  ): void | Promise<void>;
  onTerminate?(ctx: AgentContext<S>): void | Promise<void>;
}

/** What a handler may return. `pending`: the reply comes in a later tick. */
export type Outcome = void | undefined | {
  readonly should_hibernate?: boolean;
  readonly pending?: boolean;
};

/** What an agent may send: a payload in full, or any text or JSON. */
export type Sendable = Payload | Json;

export interface AgentContext<S = AnyState> {
  readonly agent: { readonly id: AgentId; readonly name: string; readonly config: Json };
  readonly tick: {
    readonly id: TickId;
    readonly envelope_id: EnvelopeId;
    readonly attempt: number;
  };
  state: S;
  /** The agent's files. */
  readonly env: AgentEnv;
  readonly kv: AgentKv;
  seen(id: string): Promise<boolean>;
  markSeen(id: string): Promise<void>;
  /** Exactly once, in order, with the tick's commit. Answers the message's envelope id. */
  send(agent: string, payload: Sendable): Promise<EnvelopeId>;
  /** Answers whoever sent the trigger, or the earlier envelope `to`, by the way it came. */
  reply(payload: Sendable, options?: { readonly to?: string }): Promise<void>;
  /** An event in `/outbox`. */
  broadcast(event: string, data?: Json): Promise<void>;
  /** Fires once, `delay` milliseconds from `now()` or at a date. Answers the alarm's id. */
  alarm(when: number | Date, payload?: Json): Promise<string>;
  /** Fires by a cron expression, in UTC. */
  cron(expression: string, payload?: Json): Promise<string>;
  /** False if there is none. */
  cancelAlarm(id: string): Promise<boolean>;
  /** One fixed time, kept over retries. */
  now(): Timestamp;
  /** [0, 1), seeded by the envelope id. */
  random(): number;
  uuid(): string;
  readonly budget: { readonly remaining_micro_usd: number };
  readonly log: Record<"debug" | "info" | "warn" | "error", (...parts: unknown[]) => void>;
  /** Aborts at the wall limit and at a stop. */
  readonly signal: AbortSignal;
}

/** The agent's files, with text and JSON helpers. Each rejects with `FileError`. */
export interface AgentEnv {
  /** Text, or the parsed value of a JSON file with `readJson`, or bytes with `readBytes`. */
  read(path: string, options?: OpenOptions): Promise<string>;
  readJson<T = Json>(path: string, options?: OpenOptions): Promise<T>;
  readBytes(path: string, options?: OpenOptions): Promise<Uint8Array>;
  write(path: string, data: string | Uint8Array | Json, options?: OpenOptions): Promise<void>;
  append(path: string, data: string | Uint8Array | Json, options?: OpenOptions): Promise<void>;
  /** Writes the request and reads the answer on one handle; JSON is parsed. */
  call<T = Json>(
    path: string,
    request?: string | Uint8Array | Json,
    options?: OpenOptions,
  ): Promise<T>;
  list(path: string, page?: Page): Promise<Entry[]>;
  stat(path: string): Promise<Stat>;
  remove(path: string, options?: { readonly match?: string }): Promise<void>;
  /** Ends with the tick at the latest. */
  watch<T = Json>(path: string, options?: OpenOptions): AsyncIterable<T>;
  /** The namespace itself. */
  readonly files: FileService;
}

export interface AgentKv {
  get<T = Json>(name: string): Promise<T | undefined>;
  set(name: string, value: Json): Promise<void>;
  delete(name: string): Promise<void>;
  /** In the order of their names. */
  list<T = Json>(prefix?: string): Promise<{ name: string; value: T }[]>;
}

export interface Usage {
  readonly compute_ms: number;
  readonly storage_reads: number;
  readonly storage_writes: number;
  readonly storage_bytes_written: number;
  readonly messages_sent: number;
  readonly api_calls: number;
}

export interface Failure {
  readonly code: Code;
  readonly message: string;
  /** Where in the agent's own code, innermost first: `onTrigger (agent.ts:10:13)`. */
  readonly stack?: readonly string[];
}

export interface TickResult {
  readonly tick_id: TickId;
  readonly envelope_id: EnvelopeId;
  readonly success: boolean;
  readonly duration_ms: number;
  readonly usage: Usage;
  readonly messages_sent: number;
  readonly events_emitted: number;
  /** ISO 8601. */
  readonly next_alarm?: string;
  readonly error?: Failure;
  readonly should_hibernate: boolean;
}

/** `creating → active ⇄ dormant`; `paused` and `failed` take envelopes and tick none until resumed. */
export type LifecycleState = "creating" | "active" | "dormant" | "paused" | "failed" | "terminated";

/** How much an agent may do and keep. */
export interface Limits {
  /** Wall time of a tick, waiting included. */
  readonly max_tick_ms: number;
  /** How long a handler's process may leave a ping unanswered. */
  readonly max_stall_ms: number;
  readonly max_state_bytes: number;
  readonly max_memory_mb: number;
  /** Of state, KV, goals and files. */
  readonly max_storage_bytes: number;
  /** Of all ticks in a UTC day, waiting included; over it, ticks wait for the next day. A day has 86,400,000. */
  readonly max_daily_compute_ms: number;
  /** Messages to other agents. */
  readonly max_sends_per_minute: number;
  readonly idle_ms: number;
  /** Delays before the second, third … try. */
  readonly retry_ms: readonly number[];
  readonly max_consecutive_failures: number;
  /** How much is kept. */
  readonly retention: {
    readonly trace: number;
    readonly outbox: number;
    readonly trajectory: number;
  };
}

export const DEFAULT_LIMITS: Limits = {
  max_tick_ms: 600_000,
  max_stall_ms: 10_000,
  max_state_bytes: 8 * 1024 * 1024,
  max_memory_mb: 128,
  max_storage_bytes: 10 * 1024 * 1024 * 1024,
  max_daily_compute_ms: 86_400_000,
  max_sends_per_minute: 60_000,
  idle_ms: 30_000,
  retry_ms: [1_000, 5_000, 30_000],
  max_consecutive_failures: 10,
  retention: { trace: 10_000, outbox: 1_000, trajectory: 10_000 },
};
