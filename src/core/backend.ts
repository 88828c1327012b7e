/** The world an agent lives in, given to the core: storage, time, chance. Nothing below takes them from anywhere else. */
import type { AgentStorage } from "./storage.ts";

/** An agent's id, or `@name` for what belongs to the runtime (`@registry`, `@runtime`, `@tokens`). */
export type Owner = string;

/** `FOUND` families only (see `keys.ts`): which owners have rows under `prefix`, up to and including the key `through`. */
export interface FindQuery {
  readonly prefix: string;
  readonly through?: string;
  /** Behind this find, as an earlier answer gave it. */
  readonly after?: Found;
  readonly limit: number;
}

/** In order of key, then owner, for families that sort by time (`alarm/`, `retry/`); else in order of owner, one row an owner: its first key. */
export interface Found {
  readonly owner: Owner;
  readonly key: string;
}

export interface Backend {
  /** The same owner's storages share their rows and the order of their commits. */
  storage(owner: Owner): AgentStorage;
  /** Owners that have rows, in byte order. */
  owners(range: { readonly after?: Owner; readonly limit: number }): Promise<Owner[]>;
  /** Removes all rows of an owner in one go, after the commits called before it. */
  drop(owner: Owner): Promise<void>;
  find(query: FindQuery): Promise<Found[]>;
  /** Milliseconds since the Unix epoch, an integer. */
  now(): number;
  /** Unpredictable bytes. */
  random(bytes: number): Uint8Array;
  /** Runs `fire` once, not before `delayMs` have passed; the answer cancels it. A pending timer alone does not keep a program alive. */
  timer(delayMs: number, fire: () => void): () => void;
}
