/** `deno task sim`: runs seeds one after the other and stops at the first that breaks a promise. Exit codes: 0 all held, 1 one was broken, 2 the words typed make no sense. */
import { type Plan, simulate } from "./simulate.ts";
import { BACKENDS } from "./world.ts";
import { runTask, type Task, wholeNumbers } from "../task.ts";

const USAGE = `deno task sim [--seed N] [--steps M] [--count K] [--backend memory|sqlite]

  --seed N      the first seed; by default 1
  --steps M     steps of each; by default 200
  --count K     so many seeds from there on; by default 1
  --backend B   by default memory`;

const OPTIONS = {
  seed: { type: "string", default: "1" },
  steps: { type: "string", default: "200" },
  count: { type: "string", default: "1" },
  backend: { type: "string", default: "memory" },
} as const;

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  async run({ values }, misused) {
    const numbers = wholeNumbers([values.seed, values.steps, values.count]);
    const backend = BACKENDS.find((name) => name === values.backend);
    if (!backend) return misused(`There is no backend "${values.backend}".`);
    if (!numbers) return misused("A seed, steps and a count are whole numbers.");
    const [seed, steps, count] = numbers;
    return await run({ seed, steps, backend }, count);
  },
};

async function run(first: Plan, count: number): Promise<number> {
  const all = { sent: 0, ticks: 0, deaths: 0, asked: 0 };
  for (let n = 0; n < count; n++) {
    try {
      const told = await simulate({ ...first, seed: first.seed + n });
      for (const name of ["sent", "ticks", "deaths", "asked"] as const) all[name] += told[name];
      // What is held weakly is let go only between the turns of the event loop, and a seed may be one turn.
      await new Promise((resolve) => setTimeout(resolve));
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      return 1;
    }
  }
  const { sent, ticks, deaths, asked } = all;
  console.log(
    `${count} seeds from ${first.seed} of ${first.steps} steps on ${first.backend}: ` +
      `${sent} messages, ${ticks} ticks, ${deaths} restarts and crashes, ${asked} asked of the shop; all held`,
  );
  return 0;
}

if (import.meta.main) await runTask(TASK);
