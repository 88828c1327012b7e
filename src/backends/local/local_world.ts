/** Time, timers and chance of this machine. */
import type { World } from "../sql_storage.ts";

/** Longer delays make `setTimeout` fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** `crypto.getRandomValues` fills at most so much. */
const MAX_RANDOM_BYTES = 65_536;

/** Ids take a few bytes each; the platform is asked for many ids' worth at a time. No byte is given out twice. */
const POOL_BYTES = 4_096;
const MAX_POOLED_BYTES = 32;
let pool = new Uint8Array(0);
let taken = 0;

function pooled(bytes: number): Uint8Array {
  if (taken + bytes > pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES));
    taken = 0;
  }
  return pool.slice(taken, taken += bytes);
}

export const localWorld: World = {
  now: () => Date.now(),
  random(bytes) {
    if (bytes <= MAX_POOLED_BYTES) return pooled(bytes);
    const filled = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += MAX_RANDOM_BYTES) {
      crypto.getRandomValues(filled.subarray(at, at + MAX_RANDOM_BYTES));
    }
    return filled;
  },
  timer(delayMs, fire) {
    const due = performance.now() + delayMs;
    let id: ReturnType<typeof setTimeout>;
    // In legs: for long delays, and because a timeout may come a fraction of a millisecond early.
    function leg(leftMs: number): void {
      id = setTimeout(
        () => {
          const stillMs = due - performance.now();
          if (stillMs > 0) leg(stillMs);
          else fire();
        },
        Math.min(Math.ceil(leftMs), MAX_TIMEOUT_MS),
      );
      Deno.unrefTimer(id);
    }
    leg(Math.max(0, delayMs));
    return () => clearTimeout(id);
  },
};
