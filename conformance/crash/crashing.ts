/** A backend that dies at its n-th touch, before or after that touch took effect, and stays dead. */
import type { Backend } from "../../src/core/backend.ts";

/** Is the touch at which the backend dies still done? */
export type When = "before" | "after";

export interface Crashing {
  readonly backend: Backend;
  /** Touches so far. */
  readonly touches: number;
  readonly dead: boolean;
  /** The touch at which it died was one that changes rows; another is the same before and after. */
  readonly wrote: boolean;
}

/** Touches are counted from 1; with `at` 0 it never dies. Nothing that a dead backend was asked is ever answered, and its timers do not fire. */
export function crashing(backend: Backend, at: number, when: When): Crashing {
  let touches = 0;
  let dead = false;
  let wrote = false;
  function touch<T>(run: () => Promise<T>, changes = false): Promise<T> {
    if (dead) return new Promise<T>(() => {});
    if (++touches !== at) {
      return new Promise<T>((resolve, reject) => {
        run().then((answer) => dead || resolve(answer), (error) => dead || reject(error));
      });
    }
    dead = true;
    wrote = changes;
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
    get wrote() {
      return wrote;
    },
    backend: {
      storage(owner) {
        const storage = backend.storage(owner);
        return {
          get: (key) => touch(() => storage.get(key)),
          list: (range) => touch(() => storage.list(range)),
          commit: (batch) => touch(() => storage.commit(batch), true),
        };
      },
      owners: (range) => touch(() => backend.owners(range)),
      drop: (owner) => touch(() => backend.drop(owner), true),
      find: (query) => touch(() => backend.find(query)),
      now: () => backend.now(),
      random: (bytes) => backend.random(bytes),
      timer: (delayMs, fire) => backend.timer(delayMs, () => dead || fire()),
    },
  };
}
