/** A backend that dies at its n-th touch, before or after that touch took effect, and stays dead. */
import type { Backend } from "../../src/core/backend.ts";

/** Is the touch at which the backend dies still done? */
export type When = "before" | "after";

export interface Crashing {
  readonly backend: Backend;
  /** Touches so far. */
  readonly touches: number;
  readonly dead: boolean;
}

/** Touches are counted from 1; with `at` 0 it never dies. Nothing that a dead backend was asked is ever answered, and its timers do not fire. */
export function crashing(backend: Backend, at: number, when: When): Crashing {
  let touches = 0;
  let dead = false;
  function touch<T>(run: () => Promise<T>): Promise<T> {
    if (dead) return new Promise<T>(() => {});
    if (++touches !== at) {
      return new Promise<T>((resolve, reject) => {
        run().then((answer) => dead || resolve(answer), (error) => dead || reject(error));
      });
    }
    dead = true;
    if (when === "after") run().catch(() => {});
    return new Promise<T>(() => {});
  }
  return {
    get touches() {
      return touches;
    },
    get dead() {
      return dead;
    },
    backend: {
      storage(owner) {
        const storage = backend.storage(owner);
        return {
          get: (key) => touch(() => storage.get(key)),
          list: (range) => touch(() => storage.list(range)),
          commit: (batch) => touch(() => storage.commit(batch)),
        };
      },
      owners: (range) => touch(() => backend.owners(range)),
      drop: (owner) => touch(() => backend.drop(owner)),
      find: (query) => touch(() => backend.find(query)),
      now: () => backend.now(),
      random: (bytes) => backend.random(bytes),
      timer: (delayMs, fire) => backend.timer(delayMs, () => dead || fire()),
    },
  };
}
