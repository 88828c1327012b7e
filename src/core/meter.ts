/** What the engine tells of its work in numbers. Who counts, by which clock, and how it is read is the door's; by default nobody does. */
import type { AgentStorage } from "./storage.ts";
import type { Backend } from "./backend.ts";

/** How one run of a handler ended. `conflict`: others changed what it had read, and it runs again. `stopped`: the runtime did, and it does not count. */
export type TickOutcome =
  | "committed"
  | "rolled_back"
  | "timeout"
  | "stalled"
  | "out_of_memory"
  | "conflict"
  | "stopped"
  | "error";
export const TICK_OUTCOMES: readonly TickOutcome[] = [
  "committed",
  "rolled_back",
  "timeout",
  "stalled",
  "out_of_memory",
  "conflict",
  "stopped",
  "error",
];

/** What became of an envelope: at the gate (the first four), or later without being ticked to a good end. */
export type Disposition =
  | "queued"
  | "dead_letter"
  | "duplicate"
  | "refused"
  | "dropped"
  | "expired"
  | "given_up";
export const DISPOSITIONS: readonly Disposition[] = [
  "queued",
  "dead_letter",
  "duplicate",
  "refused",
  "dropped",
  "expired",
  "given_up",
];

export interface Meter {
  /** A run of a handler begins; the answer is called once, with how it ended. */
  tick(): (outcome: TickOutcome) => void;
  envelope(disposition: Disposition): void;
  /** A commit is called; the answer is called once it is durable or has been refused. */
  commit(): (ok: boolean) => void;
  /** An agent has paid; also 0, for each mount at which one can, when the runtime begins. */
  spent(mount: string, microUsd: number): void;
}

const nothing = () => {};
export const NO_METER: Meter = {
  tick: () => nothing,
  envelope: nothing,
  commit: () => nothing,
  spent: nothing,
};

/** The same backend, whose commits are told to `meter`. */
export function metered(backend: Backend, meter: Meter): Backend {
  if (meter === NO_METER) return backend;
  return {
    storage: (owner) => meteredStorage(backend.storage(owner), meter),
    owners: (range) => backend.owners(range),
    drop: (owner) => backend.drop(owner),
    find: (query) => backend.find(query),
    now: () => backend.now(),
    random: (bytes) => backend.random(bytes),
    timer: (delayMs, fire) => backend.timer(delayMs, fire),
  };
}

function meteredStorage(storage: AgentStorage, meter: Meter): AgentStorage {
  return {
    get: (key) => storage.get(key),
    list: (range) => storage.list(range),
    async commit(batch) {
      const done = meter.commit();
      try {
        await storage.commit(batch);
      } catch (error) {
        done(false);
        throw error;
      }
      done(true);
    },
  };
}
