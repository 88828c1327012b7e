/** A backend that is watched from outside: what is under way is counted, who is asked for is noted, and all of it can be cut off as by a crash. */
import type { Backend, Owner } from "../../src/core/backend.ts";

export interface Tap {
  readonly backend: Backend;
  readonly touched: ReadonlySet<Owner>;
  /** Operations begun and not ended. */
  readonly pending: number;
  /** Operations begun since it was made. */
  readonly begun: number;
  /** Resolves when one of those that are under way ends. */
  step(): Promise<void>;
  /** From now on nothing is begun, answered or fired. */
  cut(): void;
}

export function tapped(backend: Backend): Tap {
  const touched = new Set<Owner>();
  let pending = 0;
  let begun = 0;
  let dead = false;
  let waiting: (() => void)[] = [];

  function ended(): void {
    pending--;
    for (const tell of waiting.splice(0)) tell();
  }
  function op<T>(owner: Owner | undefined, run: () => Promise<T>): Promise<T> {
    if (dead) return new Promise<T>(() => {});
    if (owner !== undefined) touched.add(owner);
    pending++;
    begun++;
    return new Promise<T>((resolve, reject) => {
      run().then(
        (answer) => {
          if (dead) return;
          ended();
          resolve(answer);
        },
        (error) => {
          if (dead) return;
          ended();
          reject(error);
        },
      );
    });
  }
  return {
    touched,
    get pending() {
      return pending;
    },
    get begun() {
      return begun;
    },
    step: () => new Promise((resolve) => waiting.push(resolve)),
    cut() {
      dead = true;
      pending = 0;
      waiting = [];
    },
    backend: {
      storage(owner) {
        const storage = backend.storage(owner);
        return {
          get: (key) => op(owner, () => storage.get(key)),
          list: (range) => op(owner, () => storage.list(range)),
          commit: (batch) => op(owner, () => storage.commit(batch)),
        };
      },
      owners: (range) => op(undefined, () => backend.owners(range)),
      drop: (owner) => op(owner, () => backend.drop(owner)),
      find: (query) => op(undefined, () => backend.find(query)),
      now: () => backend.now(),
      random: (bytes) => backend.random(bytes),
      timer: (delayMs, fire) =>
        dead ? () => {} : backend.timer(delayMs, () => {
          if (!dead) fire();
        }),
    },
  };
}

/** Turns of the microtask queue in which nothing was begun: then nothing will be, until something from outside happens. */
const CALM_TURNS = 300;
/** So many operations without a rest have no end. */
const MAX_OPERATIONS = 100_000;

/** Waits until nothing moves. Rejects when no end is in sight. */
export async function calm(tap: () => Tap): Promise<void> {
  let current = tap();
  const from = current.begun;
  for (let turns = 0; turns < CALM_TURNS;) {
    if (tap() !== current) return await calm(tap);
    current = tap();
    if (current.begun - from > MAX_OPERATIONS) {
      throw new Error(
        `no rest after ${MAX_OPERATIONS} operations of storage: something goes round`,
      );
    }
    const { begun } = current;
    if (current.pending > 0) {
      await current.step();
      turns = 0;
    } else {
      await Promise.resolve();
      turns = current.begun === begun ? turns + 1 : 0;
    }
  }
}
