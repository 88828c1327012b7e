/** What comes out of a container beside a command's output. */
import { type Frame, frameReader, tape } from "../../../src/providers/containers/frames.ts";
import { equal, ok } from "../../assert.ts";
import { refusing } from "../expect.ts";
import { brokenBytes, partsOf, sizesOf } from "../mutate.ts";
import type { Target } from "../target.ts";

const MARK = "0123456789abcdef0123456789abcdef";
const FRAMES: readonly string[] = [
  "i\n",
  `h ${MARK}\n`,
  "o 0 3\nabc.\n",
  "e 0 1\n\n.\n",
  `o 3 35\nhi\u001e${MARK}.\n`,
  `o 3 5\nhi\u001e01.\n`,
  "o 8 4\n2345.\n",
  "d o\n",
  "x 137 1\n",
  "x absent 0\n",
  "r lost\n",
  "o 0 5\n00000r broken\n",
];
const MAX_BYTES = 200_000;

function framesOf(parts: Iterable<Uint8Array>): { frames: Frame[]; isWhole: boolean } {
  const reader = frameReader("s"), frames: Frame[] = [];
  const isWhole = refusing(() => {
    for (const part of parts) for (const frame of reader.push(part)) frames.push(frame);
    return true;
  }, "interrupted");
  return { frames, isWhole: isWhole === true };
}

export const target: Target<{ bytes: Uint8Array; sizes: number[] }> = {
  about: "what carries a command's output is frames or refused, alike however it is cut",
  make(chance) {
    const text = Array.from({ length: 1 + chance.below(6) }, () => chance.pick(FRAMES)).join("");
    const bytes = new TextEncoder().encode(text);
    return {
      bytes: chance.percent(60) ? brokenBytes(chance, bytes) : bytes,
      sizes: sizesOf(chance),
    };
  },
  begin: () => ({
    try({ bytes, sizes }) {
      const whole = framesOf([bytes]), cut = framesOf(partsOf(bytes, sizes));
      equal(JSON.stringify(cut), JSON.stringify(whole));
      const out = tape("s", 0, MARK);
      let size = 0;
      for (const frame of whole.frames) {
        if (frame.is !== "chunk") continue;
        size += frame.bytes.length;
        const given = refusing(() => out.push(frame.begin, frame.bytes), "interrupted");
        if (given === undefined) break;
        ok(out.position <= size && size <= MAX_BYTES);
      }
    },
  }),
};
