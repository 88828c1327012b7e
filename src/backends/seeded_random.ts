/** Bytes that look like chance and are the same for the same seed (sfc32); never for keys or secrets. */

/** A 32-bit FNV-1a hash of the seed under a salt. */
function hash(seed: string, salt: number): number {
  let h = 0x811c9dc5 ^ salt;
  for (let i = 0; i < seed.length; i++) h = Math.imul(h ^ seed.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Answers as many bytes as asked for, going on where the last call ended. */
export function seededRandom(seed: string): (bytes: number) => Uint8Array {
  let a = hash(seed, 1);
  let b = hash(seed, 2);
  let c = hash(seed, 3);
  let counter = 1;
  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return sum >>> 24;
  }
  for (let i = 0; i < 16; i++) next();
  return (bytes) => Uint8Array.from({ length: bytes }, next);
}
