/** How long a handle lives: until its caller's signal aborts or it is closed, whichever comes first; and what it can do meanwhile. */

export const ENDED = Symbol("ended");

export interface Life {
  /** For the row: aborts when the life ends. Made when it is first asked for, as few rows do. */
  readonly signal: AbortSignal;
  readonly over: boolean;
  /** True once the caller's own signal aborted. */
  interrupted(): boolean;
  /** The outcome of `run`, or `ENDED` as soon as the life is over; `run` is not begun after that. */
  during<T>(run: () => T | Promise<T>): Promise<T | typeof ENDED>;
  end(): void;
}

/** What a mode adds. A verb that is absent is not for this handle. */
export interface Verbs {
  read?(): Promise<Uint8Array | undefined>;
  /** Undefined: what was given is no bytes, which spoils the handle. */
  write?(data: Uint8Array | undefined): Promise<void>;
  /** At once when close is called, before verbs that still run have ended. */
  leave?(): void;
  /** Once, after all verbs have ended. */
  close(): Promise<void>;
}

/** A life within that of `outer`. Ending it lets go of `outer`. */
export function lifeWithin(outer?: AbortSignal): Life {
  let controller: AbortController | undefined;
  let over = outer?.aborted ?? false;
  const waiting = new Set<() => void>();
  const end = () => {
    if (over) return;
    over = true;
    outer?.removeEventListener("abort", end);
    for (const stop of waiting) stop();
    waiting.clear();
    // A reason of its own: without one each abort would make an exception, stack and all.
    controller?.abort(ENDED);
  };
  if (!over) outer?.addEventListener("abort", end);
  return {
    get signal() {
      if (!controller) {
        controller = new AbortController();
        if (over) controller.abort(ENDED);
      }
      return controller.signal;
    },
    get over() {
      return over;
    },
    interrupted: () => outer?.aborted ?? false,
    during<T>(run: () => T | Promise<T>) {
      if (over) return Promise.resolve(ENDED);
      return unlessStopped(run, waiting);
    },
    end,
  };
}

/** What `run` leaves behind when it is stopped first is awaited by nobody, so its failure is swallowed here. */
function unlessStopped<T>(
  run: () => T | Promise<T>,
  waiting: Set<() => void>,
): Promise<T | typeof ENDED> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(ENDED);
    waiting.add(stop);
    begun(run).then(
      (value) => (waiting.delete(stop), resolve(value)),
      (error) => (waiting.delete(stop), reject(error)),
    );
  });
}

/** As a promise, which costs nothing where it is one. */
function begun<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return Promise.resolve(run());
  } catch (error) {
    return Promise.reject(error);
  }
}
