/** How long a context is good for: from a hook's begin to its end, or to the abort of its signal. */
import { FileError } from "../fs/error.ts";
import { withWaiters } from "./stack.ts";

export interface HookLife {
  /** Aborts when the hook has ended or was aborted. */
  readonly signal: AbortSignal;
  /** @throws FileError `not_ready` once the life is over */
  mustLive(op: string): void;
  /** Runs a call of the context; rejects with `not_ready` as soon as the life is over. */
  call<T>(op: string, run: () => T | Promise<T>): Promise<T>;
  /** A `call` that changes something: `settle` waits for it even if the handler does not. */
  effect<T>(op: string, run: () => T | Promise<T>): Promise<T>;
  /** Waits for effects that the handler left behind. Rejects with the first failure among them. */
  settle(): Promise<void>;
  end(): void;
}

const OVER = Symbol("over");

/** Errors that a context threw. What an agent does not catch of them, in a promise that nobody awaits, is no fault of the runtime. */
const ours = new WeakSet<object>();

export function hookLife(outer: AbortSignal): HookLife {
  const controller = new AbortController();
  const pending = new Set<Promise<unknown>>();
  const waiting = new Set<() => void>();

  function end(): void {
    outer.removeEventListener("abort", end);
    // A reason of its own: without one each abort would make an exception, stack and all.
    controller.abort(OVER);
    for (const stop of waiting) stop();
    waiting.clear();
  }
  if (outer.aborted) end();
  else outer.addEventListener("abort", end);

  function mustLive(op: string): void {
    if (controller.signal.aborted) throw over(op);
  }

  function call<T>(op: string, run: () => T | Promise<T>, isEffect = false): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      mustLive(op);
      const refuse = (error: unknown) => reject(marked(error));
      const stop = () => refuse(over(op));
      waiting.add(stop);
      begun(run).then(
        (value) => (waiting.delete(stop), resolve(value)),
        (error) => (waiting.delete(stop), refuse(error)),
      );
    });
    if (isEffect) {
      const settled = () => pending.delete(promise);
      pending.add(promise);
      promise.then(settled, settled);
    }
    // An agent that awaits it sees the failure; one that does not must not bring the process down.
    const told: Promise<T> = traced(promise, () => told.catch(() => {}));
    return told;
  }

  return {
    signal: controller.signal,
    mustLive,
    call: (op, run) => call(op, run),
    effect: (op, run) => call(op, run, true),
    async settle() {
      while (pending.size > 0) await Promise.all(pending);
    },
    end,
  };
}

/** An error of a call says where in the agent it was waited for. V8 tells that only of a promise that one function alone waits for, until `failing`. */
async function traced<T>(promise: Promise<T>, failing: () => void): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const told = withWaiters(error);
    failing();
    throw told;
  }
}

/** As a promise, which costs nothing where it is one. */
function begun<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return Promise.resolve(run());
  } catch (error) {
    return Promise.reject(error);
  }
}

function over(op: string): FileError {
  const detail = "this tick is over; a handler awaits what it starts";
  return marked(new FileError("not_ready", op, "ctx", { detail }));
}

function marked<T>(error: T): T {
  if (typeof error === "object" && error !== null) ours.add(error);
  return error;
}

let guarded = false;

/**
 * From the first call on, an error of a context that surfaces in a promise or timer which an agent left behind ends nothing, where the platform
 * would end the process. Errors of any other origin keep their effect.
 */
export function guardAgainstLateErrors(): void {
  if (guarded || typeof globalThis.addEventListener !== "function") return;
  guarded = true;
  globalThis.addEventListener("unhandledrejection", (event) => {
    if (ours.has(event.reason)) event.preventDefault();
  });
  globalThis.addEventListener("error", (event) => {
    if (ours.has(event.error)) event.preventDefault();
  });
}
