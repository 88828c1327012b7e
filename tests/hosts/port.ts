/** A tick's port over plain maps: what the engine gives a hook, without an engine. */
import type { FileService } from "../../src/fs/file.ts";
import { dir, each, file, tree } from "../../src/fs/tree.ts";
import { FileError } from "../../src/fs/error.ts";
import type { Json } from "../../src/core/envelope.ts";
import type { Hook, HookRun, TickPort } from "../../src/core/host.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { AgentId, EnvelopeId, TickId, Timestamp } from "../../src/core/id.ts";

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

export interface PortRecord extends TickPort {
  readonly files: FileService;
  /** Every call with an effect, in order. */
  readonly calls: unknown[][];
  readonly kv: Map<string, Json>;
  readonly disk: Map<string, Uint8Array>;
  readonly logged: string[];
  /** Sends an event to the watchers of `/events`. */
  emit(event: { type: string; [name: string]: unknown }): void;
  abort(): void;
  /** Resolves when somebody watches `/events`. */
  readonly watched: Promise<void>;
  /** Resolves at the first broadcast. */
  readonly begun: Promise<void>;
  /** Resolves when `/slow` is called; the call ends only by its signal. */
  readonly slow: Promise<void>;
  /** How many calls of `/slow` were cancelled. */
  cancelled(): number;
}

export function makePort(): PortRecord {
  const abort = new AbortController();
  const calls: unknown[][] = [];
  const kv = new Map<string, Json>();
  const disk = new Map<string, Uint8Array>();
  const logged: string[] = [];
  const seen = new Set<string>();
  const events = eventSource();
  const slow = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let cancelled = 0;
  let made = 0;
  const did = (...call: unknown[]) => void calls.push(structuredClone(call));

  const files = tree(dir({
    files: each({
      list: ({ after = "", limit }) =>
        [...disk].filter(([name]) => name > after).sort().slice(0, limit)
          .map(([name, { length: size }]) => ({ name, dir: false, size })),
      get: (name) =>
        file({
          stat: () => disk.has(name) ? { size: disk.get(name)!.length } : undefined,
          read: () => disk.get(name)!,
          write: (data) => void disk.set(name, data),
          append: (data) => void disk.set(name, concat(disk.get(name), data)),
          remove: () => void disk.delete(name),
        }),
    }),
    upper: file({ call: (request) => JSON.stringify(decode(request).toUpperCase()) }),
    plain: file({ call: (request) => `you said ${decode(request)}` }),
    events: file({ kind: "stream", watch: ({ signal }) => events.watch(signal) }),
    slow: file({
      call: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            cancelled++;
            reject(new FileError("interrupted", "call", "/slow"));
          });
          slow.resolve();
        }),
    }),
  }));

  return {
    files,
    calls,
    kv,
    disk,
    logged,
    emit: events.emit,
    watched: events.watched,
    slow: slow.promise,
    begun: begun.promise,
    cancelled: () => cancelled,
    abort: () => abort.abort(),
    signal: abort.signal,
    seen: (id) => Promise.resolve(seen.has(id)),
    markSeen: (id) => (seen.add(id), did("markSeen", id), Promise.resolve()),
    send: (agent, payload) => (did("send", agent, payload), Promise.resolve(`env_${++made}`)),
    reply: (payload, to) => (did("reply", payload, to), Promise.resolve()),
    broadcast: (event, data) => (did("broadcast", event, data), begun.resolve(), Promise.resolve()),
    alarm: (due, payload) => (did("alarm", due, payload), Promise.resolve(`alarm-${++made}`)),
    cron: (expr, payload) => (did("cron", expr, payload), Promise.resolve(`alarm-${++made}`)),
    cancelAlarm: (id) => (did("cancelAlarm", id), Promise.resolve(id === "alarm-1")),
    kvGet: (name) => Promise.resolve(kv.get(name)),
    kvSet: (name, value) => (did("kvSet", name, value), kv.set(name, value), Promise.resolve()),
    kvDelete: (name) => (did("kvDelete", name), kv.delete(name), Promise.resolve()),
    kvList: (prefix) =>
      Promise.resolve(
        [...kv].filter(([name]) => name.startsWith(prefix)).sort()
          .map(([name, value]) => ({ name, value })),
      ),
    log: (level, text) => void logged.push(`${level} ${text}`),
    remainingMicroUsd: 5_000_000,
  };
}

/** A run of one hook for the envelope `env_1`. */
export function makeRun(change: Partial<HookRun> & { hook?: Hook } = {}): HookRun {
  return {
    hook: "onTrigger",
    agent: { id: "abc" as AgentId, name: "abc", config: { colour: "red" } },
    tick: {
      id: "tick_1" as TickId,
      envelope_id: "env_1" as EnvelopeId,
      attempt: 1,
      now: NOW,
    },
    state: undefined,
    trigger: message("hello"),
    limits: { max_state_bytes: 8 * 1024 * 1024 },
    ...change,
  };
}

export function message(text: string): Trigger & { type: "message" } {
  return {
    type: "message",
    meta: {
      envelope_id: "env_1" as EnvelopeId,
      source: { kind: "http", principal: "local" },
      seq: 1,
      created_at: NOW as Timestamp,
    },
    payload: { kind: "text", text },
    text,
    from: "http:local",
  };
}

export function alarm(payload: Json): Trigger {
  const { meta } = message("");
  const at = NOW as Timestamp;
  return { type: "alarm", meta, alarm_id: "a1", payload, scheduled_for: at, fired_at: at };
}

function eventSource() {
  const listeners = new Set<(event: { type: string } | undefined) => void>();
  const { promise: watched, resolve } = Promise.withResolvers<void>();
  async function* watch(signal: AbortSignal) {
    const queue: ({ type: string } | undefined)[] = [];
    let wake = () => {};
    const listen = (event: { type: string } | undefined) => (queue.push(event), wake());
    listeners.add(listen);
    signal.addEventListener("abort", () => listen(undefined));
    resolve();
    try {
      for (;;) {
        if (queue.length === 0) await new Promise<void>((done) => wake = done);
        const event = queue.shift();
        if (!event || signal.aborted) return;
        yield event;
      }
    } finally {
      listeners.delete(listen);
    }
  }
  const emit = (event: { type: string }) => listeners.forEach((listen) => listen(event));
  return { watch, emit, watched };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function concat(a: Uint8Array = new Uint8Array(), b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
