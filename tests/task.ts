/** What may be typed behind `deno task NAME`: help on request, and a usage line with exit code 2 for what makes no sense. */
import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Words<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true }>
>;

export interface Task<T extends Options> {
  readonly usage: string;
  readonly options: T;
  /** It takes words that are no options. */
  readonly takesWords?: boolean;
  /** Answers the exit code; `misused` tells why the words make no sense, and answers theirs. */
  run(words: Words<T>, misused: (why: string) => number): Promise<number>;
}

export async function runTask<T extends Options>(task: Task<T>): Promise<never> {
  Deno.exit(await exitOf(task, Deno.args));
}

async function exitOf<T extends Options>(task: Task<T>, args: readonly string[]): Promise<number> {
  const misused = (why: string) => {
    console.error(`${why}\n\n${task.usage}`);
    return 2;
  };
  if (args.includes("--help")) {
    console.log(task.usage);
    return 0;
  }
  let words: Words<T>;
  try {
    const { options, takesWords = false } = task;
    words = parseArgs({ args: [...args], options, allowPositionals: takesWords }) as Words<T>;
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error));
  }
  return await task.run(words, misused);
}

/** Whole numbers from `least` on; undefined where one of them is none. */
export function wholeNumbers<T extends readonly string[]>(
  texts: readonly [...T],
  least = 0,
): { [K in keyof T]: number } | undefined {
  const numbers = texts.map(Number);
  const areWhole = texts.every((text) => text.trim() !== "") &&
    numbers.every((n) => Number.isSafeInteger(n) && n >= least);
  return areWhole ? numbers as { [K in keyof T]: number } : undefined;
}
