/** `deno task soak`: the real program, killed as often as is said. AGENTD_BIN tries a binary. Exit codes: 0 all held, 1 something was lost, doubled, over budget or damaged, 2 the words typed make no sense. */
import { runTask, type Task, wholeNumbers } from "../task.ts";
import { soak } from "./soak.ts";

const USAGE = `deno task soak [--kills N] [--seed N]

  --kills N  by default 200, some ten minutes
  --seed N   when it is killed and what is sent; by default 1`;

const OPTIONS = {
  kills: { type: "string", default: "200" },
  seed: { type: "string", default: "1" },
} as const;

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  async run({ values }, misused) {
    const numbers = wholeNumbers([values.kills, values.seed]);
    if (!numbers) return misused("Kills and a seed are whole numbers.");
    const [kills, seed] = numbers;
    const { givenUp, lost, doubled, overBudget, damaged, ...counts } = await soak({
      kills,
      seed,
      onKill: (n, accepted) => {
        if (n % 10 === 0) console.log(`${n} kills, ${accepted} messages accepted`);
      },
    });
    for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count}`);
    for (const line of [...givenUp, ...lost, ...doubled, ...overBudget, ...damaged]) {
      console.error(line);
    }
    console.log(
      `seed ${seed}, ${kills} kills: ${givenUp.length} given up, ${lost.length} lost, ${doubled.length} doubled, ` +
        `${overBudget.length} over budget, ${damaged.length} damaged`,
    );
    return givenUp.length + lost.length + doubled.length + overBudget.length + damaged.length > 0
      ? 1
      : 0;
  },
};

if (import.meta.main) await runTask(TASK);
