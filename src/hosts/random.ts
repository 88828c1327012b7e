/** Chance that is the same at every retry: sfc32 (Chris Doty-Humphrey's Small Fast Counter), seeded by a digest. */
import { uuidv4 } from "../core/id.ts";

export interface SeededRandom {
  /** [0, 1), with 53 random bits. */
  random(): number;
  /** A version 4 UUID. */
  uuid(): string;
}

/**
 * The same seed gives the same row of numbers and UUIDs, on every machine and after every restart.
 * @param seed at least 12 bytes without a pattern, as `seedOf` makes them
 */
export function seededRandom(seed: Uint8Array): SeededRandom {
  const next = sfc32(seed);
  return {
    random: () => (next() >>> 5) * 2 ** -27 + (next() >>> 6) * 2 ** -53,
    uuid() {
      const bytes = new Uint8Array(16);
      const view = new DataView(bytes.buffer);
      for (let at = 0; at < 16; at += 4) view.setUint32(at, next());
      return uuidv4(bytes);
    },
  };
}

/** 128 bits of state: three words of the seed and a counter that begins at 1, as its author seeds it. */
function sfc32(seed: Uint8Array): () => number {
  const words = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  let a = words.getUint32(0), b = words.getUint32(4), c = words.getUint32(8), counter = 1;
  const next = () => {
    const out = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + out) >>> 0;
    return out;
  };
  // The first outputs still show the seed's words; its author throws these away as well.
  for (let i = 0; i < 15; i++) next();
  return next;
}
