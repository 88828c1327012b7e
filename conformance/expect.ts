/** The few assertions that laws need; they throw plain errors that say what was promised. */
import { type Code, codeOf } from "../src/fs/error.ts";

/** JSON with sorted keys; bytes as hex. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, v) => {
    if (ArrayBuffer.isView(v)) {
      return Array.from(v as Uint8Array, (b) => b.toString(16).padStart(2, "0")).join("");
    }
    if (v && typeof v === "object" && !Array.isArray(v)) {
      return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return v === undefined ? "undefined" : v;
  }) ?? "undefined";
}

/** Deep equality of data. */
export function same(got: unknown, want: unknown, what: string): void {
  const [a, b] = [show(got), show(want)];
  if (a !== b) throw new Error(`${what}: got ${a.slice(0, 500)}, want ${b.slice(0, 500)}`);
}

export function holds(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** `run` rejects with a `FileError` of this code. */
export async function refuses(
  code: Code,
  run: () => Promise<unknown>,
  what: string,
): Promise<void> {
  let answer: unknown;
  try {
    answer = await run();
  } catch (error) {
    if (codeOf(error) === code) return;
    throw new Error(`${what}: refused with ${String(error)}, want ${code}`);
  }
  throw new Error(`${what}: answered ${show(answer)?.slice(0, 200)}, want ${code}`);
}
