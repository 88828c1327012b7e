/** What an agent's author writes, and is given. Written by `agentd init`; the program that runs it checks nothing of this. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export type Payload =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly data: Json }
  /** `data` is base64. */
  | { readonly kind: "binary"; readonly data: string; readonly type?: string }
  | { readonly kind: "agent_message"; readonly from: string; readonly data: Json }
  | { readonly kind: "nostr_event"; readonly event: Json }
  | { readonly kind: "tick" };

/** What an agent may send: a payload in full, or any text or JSON. */
export type Sendable = Payload | Json;

/** Where what it reacts to came from. */
export type Source =
  | { readonly kind: "http"; readonly principal: string }
  | { readonly kind: "websocket"; readonly connection: string }
  | { readonly kind: "nostr"; readonly pubkey: string; readonly relay?: string }
  | { readonly kind: "scheduler"; readonly alarm_id: string }
  | { readonly kind: "agent"; readonly agent_id: string }
  | { readonly kind: "webhook"; readonly name: string }
  | { readonly kind: "manual"; readonly invoker: string }
  | { readonly kind: "system"; readonly reason?: string };

export interface TriggerMeta {
  readonly envelope_id: string;
  readonly source: Source;
  /** The number under which this agent accepted it. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly created_at: number;
  /** What else its sender or the way by which it came tells: a webhook's `hook`, `event` and `delivery`. */
  readonly extra?: { readonly [name: string]: Json };
}

export type Trigger =
  | {
    readonly type: "message";
    readonly meta: TriggerMeta;
    readonly payload: Payload;
    /** The payload as text. */
    readonly text: string;
    /** An agent's id, else `http:local` and the like. */
    readonly from: string;
    readonly parent_id?: string;
  }
  | {
    readonly type: "alarm";
    readonly meta: TriggerMeta;
    readonly alarm_id: string;
    readonly payload: Json;
    readonly scheduled_for: number;
    readonly fired_at: number;
  }
  | {
    readonly type: "event";
    readonly meta: TriggerMeta;
    readonly event: string;
    readonly data: Json;
  }
  | { readonly type: "manual"; readonly meta: TriggerMeta; readonly invoker: string }
  | { readonly type: "initialize"; readonly meta: TriggerMeta };

/** Any validator that speaks Standard Schema v1: zod, valibot, arktype … */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
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

/** What a handler may return. `pending`: the reply comes in a later tick. */
export type Outcome = void | undefined | {
  readonly should_hibernate?: boolean;
  readonly pending?: boolean;
};

// deno-lint-ignore no-explicit-any -- the state's type is the author's
type AnyState = any;

/** The default export of an agent's module. */
export interface Agent<S = AnyState> {
  readonly name: string;
  /** What the state must be like; its defaults are the first state. */
  readonly state?: StandardSchema<S>;
  /** A whole number from 1 (the default); raise it where `migrate` must run. */
  readonly version?: number;
  /** At a deploy whose version is higher than the stored state's. */
  migrate?(from: number, old: AnyState): S | Promise<S>;
  /** Commits before the create is answered. */
  onCreate?(ctx: AgentContext<S>): void | Promise<void>;
  /** Shares the first tick's commit. */
  onWake?(ctx: AgentContext<S>): void | Promise<void>;
  onSleep?(ctx: AgentContext<S>): void | Promise<void>;
  /** One tick. What it does stands when it returns, or none of it when it throws; it is then tried again. */
  onTrigger(ctx: AgentContext<S>, trigger: Trigger): Outcome | Promise<Outcome>;
  onError?(
    ctx: AgentContext<S>,
    error: { readonly code: string; readonly message: string },
  ): void | Promise<void>;
  onTerminate?(ctx: AgentContext<S>): void | Promise<void>;
}

export interface AgentContext<S = AnyState> {
  readonly agent: { readonly id: string; readonly name: string; readonly config: Json };
  readonly tick: { readonly id: string; readonly envelope_id: string; readonly attempt: number };
  /** Plain JSON, changed in place, kept when the tick commits. */
  state: S;
  /** The agent's files. */
  readonly env: AgentEnv;
  readonly kv: AgentKv;
  seen(id: string): Promise<boolean>;
  markSeen(id: string): Promise<void>;
  /** Exactly once, in order, with the tick's commit. Answers the message's envelope id. */
  send(agent: string, payload: Sendable): Promise<string>;
  /** Answers whoever sent the trigger, or an earlier envelope whose handler returned `pending`. */
  reply(payload: Sendable, options?: { readonly to?: string }): Promise<void>;
  /** An event in `/outbox`. */
  broadcast(event: string, data?: Json): Promise<void>;
  /** Fires once, so many milliseconds from `now()` or at a date. Answers the alarm's id. */
  alarm(when: number | Date, payload?: Json): Promise<string>;
  /** Fires by a cron expression, in UTC. */
  cron(expression: string, payload?: Json): Promise<string>;
  cancelAlarm(id: string): Promise<boolean>;
  /** One fixed time, kept over retries. Milliseconds since 1970. */
  now(): number;
  /** [0, 1), the same in each try. */
  random(): number;
  uuid(): string;
  readonly budget: { readonly remaining_micro_usd: number };
  readonly log: Record<"debug" | "info" | "warn" | "error", (...parts: unknown[]) => void>;
  /** Aborts at the tick's time limit. */
  readonly signal: AbortSignal;
}

export interface OpenOptions {
  readonly offset?: number;
  readonly length?: number;
  readonly after?: number;
  readonly tail?: number;
  /** The version the file must still have; `*none*`: it must not exist; `*any*`: it must exist. */
  readonly match?: string;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

export interface Entry {
  readonly name: string;
  readonly dir: boolean;
  readonly size?: number;
  readonly modified?: number;
}

export interface Stat extends Entry {
  readonly modes: readonly ("read" | "write" | "append" | "call" | "watch")[];
  readonly kind: "value" | "stream" | "call";
  readonly version?: string;
  readonly type?: string;
  readonly about?: string;
}

/** The agent's files. Each rejects with an error that has a `code`, such as `not_found`. */
export interface AgentEnv {
  read(path: string, options?: OpenOptions): Promise<string>;
  readJson<T = Json>(path: string, options?: OpenOptions): Promise<T>;
  readBytes(path: string, options?: OpenOptions): Promise<Uint8Array>;
  write(path: string, data: string | Uint8Array | Json, options?: OpenOptions): Promise<void>;
  append(path: string, data: string | Uint8Array | Json, options?: OpenOptions): Promise<void>;
  /** Writes the request and reads the answer; JSON is parsed. */
  call<T = Json>(
    path: string,
    request?: string | Uint8Array | Json,
    options?: OpenOptions,
  ): Promise<T>;
  list(
    path: string,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<Entry[]>;
  stat(path: string): Promise<Stat>;
  remove(path: string, options?: { readonly match?: string }): Promise<void>;
  /** Ends with the tick at the latest. */
  watch<T = Json>(path: string, options?: OpenOptions): AsyncIterable<T>;
}

export interface AgentKv {
  get<T = Json>(name: string): Promise<T | undefined>;
  set(name: string, value: Json): Promise<void>;
  delete(name: string): Promise<void>;
  /** In the order of their names. */
  list<T = Json>(prefix?: string): Promise<{ name: string; value: T }[]>;
}
