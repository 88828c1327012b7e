/** Draws that are the same in every run of one seed. */
import { seededRandom } from "../../src/backends/seeded_random.ts";

export interface Chance {
  /** A whole number from 0 to below `below`. */
  below(below: number): number;
  /** True so many times in a hundred. */
  percent(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** One of the names, each as often as its weight says. */
  weighed<T extends string>(weights: Readonly<Record<T, number>>): T;
}

export function chanceOf(seed: number): Chance {
  const bytes = seededRandom(`sim ${seed}`);
  return drawnFrom(() => {
    const [a, b, c, d] = bytes(4);
    return ((a! << 24 | b! << 16 | c! << 8 | d!) >>> 0) / 2 ** 32;
  });
}

/** @param next a number from 0 to below 1, another at each call */
export function drawnFrom(next: () => number): Chance {
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    percent: (percent) => below(100) < percent,
    pick: (from) => from[below(from.length)]!,
    weighed(weights) {
      const names = Object.keys(weights) as (keyof typeof weights)[];
      let at = below(names.reduce((sum, name) => sum + weights[name], 0));
      for (const name of names) {
        at -= weights[name];
        if (at < 0) return name;
      }
      return names.at(-1)!;
    },
  };
}
