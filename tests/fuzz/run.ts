/** `deno task fuzz`: feeds targets with inputs by seed and stops at the first that fails. Exit codes: 0 all held, 1 something did not, 2 the words typed make no sense. */
import { fuzz } from "./fuzz.ts";
import { targetNames, targetOf } from "./targets.ts";
import { runTask, type Task, wholeNumbers } from "../task.ts";

const USAGE = `deno task fuzz [--target NAME] [--count N] [--seed S]

  --target NAME  what is fed; by default everything, one after the other:
                 ${targetNames().join(", ")}
  --count N      inputs of each; by default 1000000
  --seed S       the first seed, one for every thousand inputs; by default 1`;

const OPTIONS = {
  target: { type: "string" },
  count: { type: "string", default: "1000000" },
  seed: { type: "string", default: "1" },
} as const;

/** Inputs between two signs of life. */
const TOLD = 100_000;

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  async run({ values: { target, ...values } }, misused) {
    const names = targetNames();
    if (target !== undefined && !names.includes(target)) {
      return misused(`There is no target "${target}".`);
    }
    const numbers = wholeNumbers([values.count, values.seed]);
    if (!numbers) return misused("A count and a seed are whole numbers.");
    const [count, seed] = numbers;
    for (const name of target === undefined ? names : [target]) {
      if (!await run(name, seed, count)) return 1;
    }
    return 0;
  },
};

async function run(name: string, seed: number, count: number): Promise<boolean> {
  const from = performance.now();
  try {
    const slowest = await fuzz(await targetOf(name), { name, seed, count }, (tried) => {
      if (tried % TOLD === 0 && tried < count) console.error(`${name}: ${tried} inputs`);
    });
    const seconds = (performance.now() - from) / 1_000;
    console.log(
      `${name}: ${count} inputs from seed ${seed} in ${seconds.toFixed(1)} s, all held; ` +
        `the slowest took ${slowest.ms.toFixed(1)} ms (${slowest.line})`,
    );
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

if (import.meta.main) await runTask(TASK);
