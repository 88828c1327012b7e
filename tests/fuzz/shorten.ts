/** Makes a failing input as short as it can be and still fail, without knowing what it means. */
import type { Sample } from "./target.ts";

/** Inputs that are tried on the way, at the most. */
const MAX_TRIES = 2_000;

/** @param fails whether it still fails; what it does not fail with is no longer looked at */
export async function shortest<I extends Sample>(
  input: I,
  fails: (input: I) => Promise<boolean>,
): Promise<I> {
  let best = input;
  let tries = 0;
  for (let better = true; better;) {
    better = false;
    for (const next of shorter(best)) {
      if (tries++ >= MAX_TRIES) return best;
      if (!await fails(next as I)) continue;
      best = next as I;
      better = true;
      break;
    }
  }
  return best;
}

/** Simpler ones, the simplest first; objects keep their fields, which say what an input is made of. */
export function* shorter(sample: Sample): Generator<Sample> {
  if (typeof sample === "string") yield* shorterText(sample);
  else if (typeof sample === "number") yield* shorterNumber(sample);
  else if (sample === true) yield false;
  else if (sample instanceof Uint8Array) {
    yield* without(sample.length, (from, to) => {
      return Uint8Array.from([...sample.subarray(0, from), ...sample.subarray(to)]);
    });
  } else if (Array.isArray(sample)) yield* shorterList(sample);
  else if (typeof sample === "object" && sample !== null) yield* shorterFields(sample);
}

function* shorterText(text: string): Generator<string> {
  yield* without(text.length, (from, to) => text.slice(0, from) + text.slice(to));
  for (let i = 0; i < text.length; i++) {
    if (!/[a0]/.test(text[i]!)) yield `${text.slice(0, i)}a${text.slice(i + 1)}`;
  }
}

function* shorterNumber(number: number): Generator<number> {
  if (number === 0 || Number.isNaN(number)) return;
  yield 0;
  const half = Math.trunc(number / 2);
  if (half !== 0) yield half;
  if (number < 0) yield -number;
}

function* shorterList(list: readonly Sample[]): Generator<Sample> {
  yield* without(list.length, (from, to) => list.toSpliced(from, to - from));
  for (const [i, one] of list.entries()) {
    for (const next of shorter(one)) yield list.with(i, next);
  }
}

function* shorterFields(sample: Sample & object): Generator<Sample> {
  const fields = Object.entries(sample as Readonly<Record<string, Sample>>);
  for (const [name, value] of fields) {
    for (const next of shorter(value)) {
      yield Object.fromEntries(fields.map(([at, one]) => [at, at === name ? next : one]));
    }
  }
}

/** Everything gone, then halves of it, quarters, down to single ones. */
function* without<T>(length: number, cut: (from: number, to: number) => T): Generator<T> {
  for (let size = length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < length; from += size) yield cut(from, Math.min(length, from + size));
  }
}
