/** An agent's own rows: what its creator decided, the phase of its life, and what each tick changes. */
import type { AgentId, EnvelopeId } from "./id.ts";
import type { Json } from "./envelope.ts";
import type { Autonomy } from "./autonomy.ts";
import type { Budgets } from "./budget.ts";
import type { Failure, Limits } from "./agent.ts";
import type { DirectoryMount } from "./provider.ts";
import type { Access } from "./view.ts";
import type { TraceMark } from "./tracer.ts";

/** Row `agent`: decided at create, changed by the operator. */
export interface AgentRecord {
  readonly id: AgentId;
  readonly name: string;
  /** A UUID given at create, new in a clone: tells one life of an id from another. */
  readonly birth: string;
  readonly created_at: number;
  readonly pubkey: string;
  readonly agent: { readonly kind: "builtin"; readonly name: string } | { readonly kind: "module" };
  /** SHA-256 of the module, which stands in row `code`, or of `builtin:<name>`. */
  readonly code_digest: string;
  readonly config: Json;
  readonly limits: Limits;
  /** Access of mounts that differs from the table's, null for those that are not mounted; and directories of the host. */
  readonly mounts: { readonly [path: string]: Access | DirectoryMount | null };
  /** What it may spend; absent: nothing. */
  readonly budgets?: Budgets;
  /** The preset under which it was made: what is given to it later is held to it. */
  readonly autonomy?: Autonomy;
  /** Small values that services keep of the agent. */
  readonly settings?: { readonly [name: string]: Json };
  /** SHA-256 of the request that made it, so that the same request again is no error. */
  readonly request: string;
}

/** Row `phase`. Whether an `active` agent is dormant is not a row: it is whether it is in memory. */
export interface Phase {
  readonly phase: "active" | "paused" | "failed";
  readonly since: number;
  readonly why?: string;
}

/** How long ticks have run in a UTC day. Times are milliseconds. */
export interface Worked {
  /** The day's begin. */
  readonly day: number;
  readonly ms: number;
}

/** Row `turn`: changed by every tick. Numbers are the next ones to give. */
export interface Turn {
  readonly ticks: number;
  readonly inbox: number;
  readonly outbox: number;
  readonly send: number;
  readonly trajectory: number;
  /** A trace seq at or below the next one. */
  readonly trace: number;
  readonly marks: number;
  /** Envelopes given up in a row. */
  readonly failures: number;
  readonly last_at: number | null;
  readonly last_cause: string | null;
  readonly last_error: (Failure & { readonly at: string }) | null;
  /** The version of the code that wrote the state. */
  readonly version: number;
  /** How long ticks have run; absent in rows that are older than it. */
  readonly worked?: Worked;
}

export const FIRST_TURN: Turn = {
  ticks: 0,
  inbox: 1,
  outbox: 1,
  send: 1,
  trajectory: 1,
  trace: 1,
  marks: 1,
  failures: 0,
  last_at: null,
  last_cause: null,
  last_error: null,
  version: 1,
};

/** Row `try/<n>`: the tries of a waiting envelope. */
export interface Tries {
  /** How many were begun and count. */
  readonly n: number;
  /** The tick's one time, kept over retries. */
  readonly now: number;
  readonly errors: readonly (Failure & { readonly at: string })[];
  /** The question whose answer it waits for, or that has ended without one; the time at which it ends. */
  readonly waits?: { readonly approval: string; readonly until: number };
}

/** Row `alarm/<due>/<id>`. */
export interface AlarmRow {
  readonly id: string;
  readonly due: number;
  readonly cron?: string;
  readonly payload: Json;
}

/** Row `seen/<id>`. */
export interface SeenRow {
  readonly n: number;
  /** Digest of the payload. */
  readonly d: string;
}

/** Row `peer/<sender>.<birth>`: the highest number taken. */
export interface PeerRow {
  readonly n: number;
}

/** Row `send/<n>`. */
export interface SendRow {
  readonly to: AgentId;
  readonly id: EnvelopeId;
  readonly at: number;
  readonly data: Json;
  readonly parent_id?: EnvelopeId;
  readonly trace?: TraceMark;
}
