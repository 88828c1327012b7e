/** Draws by seed, fast enough for millions. */
import { type Chance, drawnFrom } from "../sim/chance.ts";

/** The same draws for the same seed (mulberry32 over a mixed seed). */
export function drawsOf(seed: number): Chance {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.floor(seed / 2 ** 32);
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return drawnFrom(next);
}
