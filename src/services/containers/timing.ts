/** Waits for what may never come, and no longer than it may take. */
import type { Backend } from "../../core/backend.ts";
import { FileError } from "../../fs/error.ts";

export type Clock = Pick<Backend, "timer">;

/** @throws FileError `timeout` when it has not settled after so many milliseconds; it is left to itself then */
export async function within<T>(clock: Clock, ms: number, what: Promise<T>): Promise<T> {
  what.catch(() => {});
  const late = Promise.withResolvers<never>();
  const cancel = clock.timer(ms, () => late.reject(tooLate(ms)));
  try {
    return await Promise.race([what, late.promise]);
  } finally {
    cancel();
  }
}

/** Rejects with the signal's reason as it aborts, also where what is waited for does not heed it. */
export async function orAborted<T>(signal: AbortSignal, what: Promise<T>): Promise<T> {
  what.catch(() => {});
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const leave = () => aborted.reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([what, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function tooLate(ms: number): FileError {
  return new FileError("timeout", "wait for", "a container", { detail: `nothing in ${ms} ms` });
}
