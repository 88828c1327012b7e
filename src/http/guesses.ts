/** Counts wrong tokens by address, in a bounded memory. */

/** Wrong tokens from one address before more are answered `rate_limited`. */
export const MAX_GUESSES = 20;
/** How long an address is remembered, in milliseconds, from its first wrong token on. */
export const GUESS_WINDOW_MS = 60_000;
/** Addresses remembered; the oldest makes room. */
export const MAX_ADDRESSES = 1_024;

export interface Guesses {
  /** Counts one more. Answers 0, or in how many milliseconds the address may try again. */
  count(address: string): number;
}

export function guesses(now: () => number): Guesses {
  const known = new Map<string, { n: number; readonly until: number }>();
  return {
    count(address) {
      const at = now();
      let entry = known.get(address);
      if (!entry || entry.until <= at) {
        known.delete(address);
        entry = { n: 0, until: at + GUESS_WINDOW_MS };
        known.set(address, entry);
        if (known.size > MAX_ADDRESSES) known.delete(known.keys().next().value!);
      }
      entry.n++;
      return entry.n > MAX_GUESSES ? entry.until - at : 0;
    },
  };
}
