/** `deno task crash`: every point at which a runtime or an agent's host can die in every workload. Exit codes: 0 all held, 1 one was broken, 2 the words typed make no sense. */
import type { MakeWorkload } from "../../conformance/crash.ts";
import { mortalHost, mortalOn } from "./mortal.ts";
import { processPoints } from "./process_points.ts";
import { hostPoints, secondPoints, storagePoints } from "./points.ts";
import { WORKLOADS } from "./workloads.ts";
import { runTask, type Task, wholeNumbers } from "../task.ts";

const USAGE = `deno task crash [workload …] [--in memory|sqlite|host|twice|process] [--stride N]

  workload    by name; by default all
  --in WHERE  what dies: a runtime on rows in memory or on SQLite, the agents' host, a runtime that dies again
              while it recovers, or a real agent's process, at each frame of its pipe (it has a workload of its own);
              by default each
  --stride N  every Nth point; by default every one (of two deaths: every 7th and every 5th)`;

const OPTIONS = {
  in: { type: "string", multiple: true },
  stride: { type: "string", default: "1" },
} as const;

/** Of two deaths, every so manyth of each: all of them would be the square. */
const FIRST = 7;
const SECOND = 5;

const PROCESS = "process";

type Try = (make: MakeWorkload, stride: number) => Promise<number>;

const PLACES: Readonly<Record<string, Try>> = {
  memory: (make, stride) => storagePoints(make, mortalOn("memory"), { stride }),
  sqlite: (make, stride) => storagePoints(make, mortalOn("sqlite"), { stride }),
  host: (make, stride) => hostPoints(make, mortalHost, { stride }),
  twice: (make, stride) =>
    secondPoints(make, mortalOn("memory"), { first: FIRST * stride, second: SECOND * stride }),
};

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  takesWords: true,
  async run({ values, positionals: asked }, misused) {
    const { in: named = [...Object.keys(PLACES), PROCESS] } = values;
    const numbers = wholeNumbers([values.stride], 1);
    if (!numbers) return misused("A stride is a whole number from 1.");
    const [stride] = numbers;
    const strange = named.find((place) => place !== PROCESS && !Object.hasOwn(PLACES, place));
    if (strange !== undefined) return misused(`Nothing dies in "${strange}".`);
    const names = WORKLOADS.map((make) => make().name);
    const unknown = asked.find((name) => !names.includes(name));
    if (unknown !== undefined) {
      return misused(`There is no workload "${unknown}"; there are ${names.join(", ")}.`);
    }
    const chosen = WORKLOADS.filter((make) => asked.length === 0 || asked.includes(make().name));
    const places = named.filter((place) => place !== PROCESS);
    const broken = places.length > 0 ? await run(chosen, places, stride) : 0;
    return broken + (named.includes(PROCESS) ? await runProcess(stride) : 0) > 0 ? 1 : 0;
  },
};

/** Answers how many were broken. */
async function runProcess(stride: number): Promise<number> {
  try {
    console.log(`an agent's process: ${await processPoints({ stride })} frames`);
    return 0;
  } catch (error) {
    console.error(`an agent's process, ${(error as Error).message}`);
    return 1;
  }
}

/** Answers how many cells were broken. */
async function run(
  chosen: readonly MakeWorkload[],
  places: readonly string[],
  stride: number,
): Promise<number> {
  const sums = places.map(() => 0);
  let broken = 0;
  console.log(["workload".padEnd(20), ...places.map((place) => place.padStart(8))].join(""));
  for (const make of chosen) {
    const cells: string[] = [];
    for (const [n, place] of places.entries()) {
      try {
        const tried = await PLACES[place]!(make, stride);
        sums[n]! += tried;
        cells.push(String(tried));
      } catch (error) {
        broken++;
        cells.push("broken");
        console.error(`${make().name} in ${place}, ${(error as Error).message}`);
      }
    }
    console.log([make().name.padEnd(20), ...cells.map((cell) => cell.padStart(8))].join(""));
  }
  console.log(["all".padEnd(20), ...sums.map((sum) => String(sum).padStart(8))].join(""));
  return broken;
}

if (import.meta.main) await runTask(TASK);
