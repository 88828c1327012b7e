/** How long a handle lives: until its caller's signal aborts or it is closed, whichever comes first; and what it can do meanwhile. */

export const ENDED = Symbol("ended");

export interface Life {
  /** For the row: aborts when the life ends. */
  readonly signal: AbortSignal;
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
  const controller = new AbortController();
  const end = () => {
    outer?.removeEventListener("abort", end);
    // A reason of its own: without one each abort would make an exception, stack and all.
    controller.abort(ENDED);
  };
  if (outer?.aborted) controller.abort(ENDED);
  else outer?.addEventListener("abort", end);
  return {
    signal: controller.signal,
    interrupted: () => outer?.aborted ?? false,
    during: (run) => unlessAborted(controller.signal, run),
    end,
  };
}

/** What `run` leaves behind when the signal wins is awaited by nobody, so its failure is swallowed here. */
function unlessAborted<T>(
  signal: AbortSignal,
  run: () => T | Promise<T>,
): Promise<T | typeof ENDED> {
  if (signal.aborted) return Promise.resolve(ENDED);
  return new Promise((resolve, reject) => {
    const ended = () => resolve(ENDED);
    signal.addEventListener("abort", ended);
    const settled = () => signal.removeEventListener("abort", ended);
    start(run).then(
      (value) => (settled(), resolve(value)),
      (error) => (settled(), reject(error)),
    );
  });
}

async function start<T>(run: () => T | Promise<T>): Promise<T> {
  return await run();
}
