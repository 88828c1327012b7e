/** The first and the last of an output, for a result: never more than so many bytes of it are held. */

export interface Capture {
  add(bytes: Uint8Array): void;
  /** Something of it was lost, nobody knows how much. */
  lost(): void;
  /** What is left out is said where it was. */
  text(): string;
}

const lossy = new TextDecoder();

export function capture(maxBytes: number): Capture {
  const half = Math.floor(maxBytes / 2);
  const head: Uint8Array[] = [];
  let tail: Uint8Array[] = [];
  let headBytes = 0;
  let tailBytes = 0;
  let left = 0;
  let isLost = false;

  function trim(): void {
    while (tailBytes > half) {
      const first = tail[0]!;
      const over = Math.min(first.length, tailBytes - half);
      left += over;
      tailBytes -= over;
      if (over === first.length) tail.shift();
      else tail[0] = first.subarray(over);
    }
    // Of what was cut off, nothing is held on to.
    if (tail.length > 1_000) tail = [joined(tail, tailBytes)];
  }
  return {
    add(bytes) {
      const taken = isLost ? 0 : Math.min(bytes.length, half - headBytes);
      if (taken > 0) {
        head.push(bytes.slice(0, taken));
        headBytes += taken;
      }
      if (taken === bytes.length) return;
      tail.push(bytes.slice(taken));
      tailBytes += bytes.length - taken;
      trim();
    },
    lost() {
      isLost = true;
    },
    text() {
      const begin = lossy.decode(joined(head, headBytes));
      const end = lossy.decode(joined(tail, tailBytes));
      if (left === 0 && !isLost) return begin + end;
      const what = isLost ? "a part of it" : `${left} bytes`;
      return `${begin}\n[… ${what} left out here …]\n${end}`;
    },
  };
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
