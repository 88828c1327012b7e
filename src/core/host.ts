/** Where agent code runs is a host's affair; this is all that the engine asks of one. */
import type { FileService } from "../fs/file.ts";
import type { Code } from "../fs/error.ts";
import type { AgentId, EnvelopeId, TickId } from "./id.ts";
import type { Json } from "./envelope.ts";
import type { Trigger } from "./trigger.ts";
import type { Limits } from "./agent.ts";

/** What to run: a built-in by its name, or a bundled ES module by the SHA-256 (hex) of its source. */
export type AgentCode =
  | { readonly kind: "builtin"; readonly name: string }
  | { readonly kind: "module"; readonly digest: string; source(): Promise<Uint8Array> };

export type Hook =
  | "onCreate"
  | "onWake"
  | "onTrigger"
  | "onSleep"
  | "onError"
  | "onTerminate"
  | "migrate";

export interface HookRun {
  readonly hook: Hook;
  readonly agent: { readonly id: AgentId; readonly name: string; readonly config: Json };
  readonly tick: {
    readonly id: TickId;
    readonly envelope_id: EnvelopeId;
    readonly attempt: number;
    /** Milliseconds; what `ctx.now()` says. */
    readonly now: number;
  };
  /** The state as JSON; undefined: none yet (the schema's defaults, else `{}`). */
  readonly state: string | undefined;
  readonly trigger?: Trigger;
  readonly error?: { readonly code: Code; readonly message: string };
  /** For `migrate`: the version of the stored state. */
  readonly from?: number;
  readonly limits: Pick<Limits, "max_state_bytes">;
}

export interface HookResult {
  /** The state afterwards, JSON, validated. */
  readonly state: string;
  readonly should_hibernate: boolean;
  readonly pending: boolean;
}

/** What a running hook may do; every value that crosses is JSON or bytes, so that it can cross a pipe. */
export interface TickPort {
  readonly files: FileService;
  readonly signal: AbortSignal;
  seen(id: string): Promise<boolean>;
  markSeen(id: string): Promise<void>;
  send(agent: string, payload: Json): Promise<string>;
  reply(payload: Json, to?: string): Promise<void>;
  broadcast(event: string, data: Json): Promise<void>;
  alarm(dueMs: number, payload: Json): Promise<string>;
  cron(expression: string, payload: Json): Promise<string>;
  cancelAlarm(id: string): Promise<boolean>;
  kvGet(name: string): Promise<Json | undefined>;
  kvSet(name: string, value: Json): Promise<void>;
  kvDelete(name: string): Promise<void>;
  kvList(prefix: string): Promise<{ name: string; value: Json }[]>;
  log(level: "debug" | "info" | "warn" | "error", text: string): void;
  readonly remainingMicroUsd: number;
}

/** Code that is loaded and ready. */
export interface AgentInstance {
  readonly name: string;
  /** A whole number from 1. */
  readonly version: number;
  /** The hooks that the module has. */
  readonly hooks: readonly Hook[];
  /**
   * Runs one hook. Rejects with `agent_error`, `timeout`, `out_of_memory` …; the port is dead afterwards: a use of it that comes later is refused.
   * Aborting `port.signal` ends it with `timeout`.
   */
  run(run: HookRun, port: TickPort): Promise<HookResult>;
  /** Ends it; idempotent. */
  stop(): Promise<void>;
  /** False once it can no longer run (its process has ended). */
  readonly alive: boolean;
}

export interface AgentHost {
  /** Loads code. Rejects with `agent_error` (it does not load, or is no agent) or `not_found` (no such built-in). */
  start(code: AgentCode, limits: Limits): Promise<AgentInstance>;
}
