/** Feeds a target with inputs by seed; a failure is told by the line that repeats it and the shortest input that fails. */
import { drawsOf } from "./chance.ts";
import { shortest } from "./shorten.ts";
import type { Sample, Target, Trial } from "./target.ts";

/** Inputs of one seed; behind them the next seed begins, in a new world. */
export const BLOCK = 1_000;
/** Whoever has not answered by then will not. */
const HANG_MS = 60_000;
/** Of an input, more is not shown. */
const MAX_SHOWN = 4_000;

export interface Plan {
  readonly name: string;
  readonly seed: number;
  readonly count: number;
}

/** Milliseconds of the one input that took longest, and which it was. */
export interface Slowest {
  readonly ms: number;
  readonly line: string;
}

export const lineOf = ({ name, seed, count }: Plan): string =>
  `deno task fuzz --target ${name} --seed ${seed} --count ${count}`;

/**
 * @param told called behind each block with how many inputs have been tried
 * @throws an error that shows the line and the shortest input
 */
export async function fuzz(
  target: Target,
  { name, seed, count }: Plan,
  told: (tried: number) => void = () => {},
): Promise<Slowest> {
  let slowest: Slowest = { ms: 0, line: "" };
  for (let at = 0; at < count; at += BLOCK) {
    const one = { name, seed: seed + at / BLOCK, count: Math.min(BLOCK, count - at) };
    const slow = await block(target, one);
    if (slow.ms > slowest.ms) slowest = slow;
    told(at + one.count);
  }
  return slowest;
}

async function block(target: Target, plan: Plan): Promise<Slowest> {
  const chance = drawsOf(plan.seed);
  const trial = await target.begin();
  const inputs: Sample[] = [];
  let slowest: Slowest = { ms: 0, line: "" };
  try {
    for (let n = 1; n <= plan.count; n++) {
      const input = target.make(chance);
      inputs.push(input);
      const from = performance.now();
      try {
        await tried(trial, input);
      } catch (error) {
        throw await failed(target, { ...plan, count: n }, inputs, error);
      }
      const ms = performance.now() - from;
      if (ms > slowest.ms) slowest = { ms, line: lineOf({ ...plan, count: n }) };
    }
  } finally {
    await trial.end?.();
  }
  return slowest;
}

async function tried(trial: Trial, input: Sample): Promise<void> {
  const doing = trial.try(input);
  if (!doing) return;
  const hung = Promise.withResolvers<never>();
  const timer = setTimeout(() => hung.reject(new Error("it never ends")), HANG_MS);
  try {
    await Promise.race([doing, hung.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function failed(
  target: Target,
  plan: Plan,
  inputs: readonly Sample[],
  error: unknown,
): Promise<Error> {
  const of = (some: readonly Sample[]) => failureOf(target, some);
  const alone = inputs.slice(-1);
  // What fails only behind others is shown with those that it needs.
  const first = placeOf(await of(alone)) === placeOf(error) ? alone : inputs;
  // What fails elsewhere is another failure, and as likely none of the target's.
  const at = placeOf(error);
  const best = await shortest(first, async (some) => placeOf(await of(some)) === at);
  const last = await of(best) ?? error;
  const shown = best.map(show).join("\n  ");
  return new Error(`${lineOf(plan)}\n  ${shown}\n${textOf(last)}`, { cause: last });
}

/** What goes wrong with these in a world of their own; undefined: nothing. */
async function failureOf(target: Target, inputs: readonly Sample[]): Promise<unknown> {
  const trial = await target.begin();
  try {
    for (const input of inputs) await tried(trial, input);
  } catch (error) {
    return error ?? new Error("it threw nothing");
  } finally {
    await trial.end?.();
  }
}

/** Where it was thrown; undefined for what is no error. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? error.stack ?? "" : "";
  return stack.split("\n").find((line) => /^\s+at .*file:/.test(line));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** As it can be copied into a test. */
export function show(sample: Sample): string {
  const text = JSON.stringify(
    sample,
    (_, value) => value instanceof Uint8Array ? `bytes ${value.toHex()}` : value,
  );
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}… (${text.length})`;
}
