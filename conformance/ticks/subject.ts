/** What the laws of ticks are tried on: a runtime on rows, a clock that stands, and a plug that can be pulled. */
import type { Agent } from "../../src/core/agent.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { Law } from "../law.ts";
import type { Shop } from "./shop.ts";

/** By the name under which they are created. */
export type Agents = Readonly<Record<string, Agent>>;

/** `crash`: the runtime does nothing any more from this moment on, and what was not committed is gone. */
export type End = "clean" | "crash";

export interface TickSubject {
  /** Begins a runtime on rows that nobody has used. Once; afterwards there is `restart`. */
  start(agents: Agents): Promise<Runtime>;
  /** Ends the runtime and begins another on its rows, with the same agents if no others are given. `meanwhile` runs in between, on the rows of the next one. */
  restart(end: End, options?: {
    readonly agents?: Agents;
    readonly meanwhile?: (backend: Backend) => Promise<void>;
  }): Promise<Runtime>;
  readonly clock: {
    /** Milliseconds since the Unix epoch. */
    now(): number;
    /** What falls due on the way happens in order, each thing to its end. */
    advance(ms: number): Promise<void>;
  };
  /** Resolves when nothing moves any more: what is left waits for the clock or for the law. Rejects when no end is in sight. */
  settled(): Promise<void>;
  /** The rows as the runtime of this moment has them. */
  readonly backend: Backend;
  /** Owners whose rows the runtime has asked for since it was started. */
  readonly touched: ReadonlySet<string>;
  /** Secret keys that the signer has made so far, 32 bytes each. */
  readonly secrets: readonly Uint8Array[];
  /** Somebody outside, mounted at `/shop` for every agent. */
  readonly shop: Shop;
  /** What the runtimes told nobody else. */
  readonly errors: readonly unknown[];
}

export type TickLaw = Law<TickSubject>;
