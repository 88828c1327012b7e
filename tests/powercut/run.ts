/** `deno task powercut`: a recording of the real database's writes, cut off at as many moments as is said. Exit codes: 0 all held, 1 something said was not there or an image did not open, 2 it cannot be tried here. */
import { runTask, type Task, wholeNumbers } from "../task.ts";
import { cutPower, MISSING_RECORDER, record } from "./power_cut.ts";

const USAGE = `deno task powercut [--images N] [--messages N] [--seed N]

  --images N    moments at which the power goes; by default 2000
  --messages N  how many are recorded; by default 150
  --seed N      what is sent, and what is left of what was not flushed; by default 1`;

const OPTIONS = {
  images: { type: "string", default: "2000" },
  messages: { type: "string", default: "150" },
  seed: { type: "string", default: "1" },
} as const;

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  async run({ values }, misused) {
    const numbers = wholeNumbers([values.images, values.messages, values.seed], 1);
    if (!numbers) return misused("Images, messages and a seed are whole numbers from 1.");
    if (MISSING_RECORDER !== undefined) {
      return misused(`This cannot be tried: ${MISSING_RECORDER}.`);
    }
    const [images, messages, seed] = numbers;
    const ops = await record(messages, seed);
    const count = (op: string) => ops.filter((one) => one.op === op).length;
    console.log(
      `recorded: ${count("write")} writes, ${count("sync")} flushes, ${
        count("said")
      } acknowledgements`,
    );
    const { by, alike, acknowledged, faults, images: tried } = await cutPower(
      ops,
      images,
      seed,
      (n) => {
        if (n % 100 === 0) console.log(`${n} images`);
      },
    );
    for (const fault of faults) console.error(fault);
    const ways = Object.entries(by).map(([way, n]) => `${n} ${way}`).join(", ");
    console.log(`${tried} images (${ways}; ${alike} more were alike)`);
    console.log(`${acknowledged} acknowledgements looked for; ${faults.length} images were wrong`);
    return faults.length > 0 ? 1 : 0;
  },
};

if (import.meta.main) await runTask(TASK);
