/** What a command of a law does, in words that every subject puts into its own: a shell's, or a script's in memory. */
import type { Command, OutputStream } from "../../src/core/containers.ts";
import type { Program, Script } from "./engine.ts";

export type Act =
  /** Prints this. */
  | { readonly say: string; readonly to?: OutputStream }
  | { readonly bytes: readonly number[] }
  /** Prints its standard input. */
  | { readonly input: true }
  /** Prints a variable's value. */
  | { readonly env: string }
  /** Writes a file; its directories are made. */
  | { readonly keep: string; readonly text: string }
  /** Prints a file. */
  | { readonly tell: string }
  /** Makes a link to what is outside of the work directory. */
  | { readonly link: string; readonly to: string }
  /** Goes on when there is such a file. */
  | { readonly until: string }
  /** Ends at once. */
  | { readonly exit: number };

/** One after the other; without `exit` it ends with 0. */
export type Acts = readonly Act[];

/** For the engine in memory: the acts themselves are its program. */
export function acted(acts: Acts): Command {
  return JSON.stringify(acts);
}

const encoder = new TextEncoder();

export const acting: Script = async (program) => {
  for (const act of JSON.parse(program.text) as Acts) {
    if ("exit" in act) return act.exit;
    await done(program, act);
  }
  return 0;
};

async function done(
  { env, files, link, print, stdin, until }: Program,
  act: Exclude<Act, { readonly exit: number }>,
): Promise<void> {
  if ("say" in act) await print(act.say, act.to);
  else if ("bytes" in act) await print(Uint8Array.from(act.bytes));
  else if ("input" in act) await print(stdin ?? new Uint8Array(0));
  else if ("env" in act) await print(env[act.env] ?? "");
  else if ("keep" in act) files.set(act.keep, encoder.encode(act.text));
  else if ("tell" in act) await print(files.get(act.tell) ?? new Uint8Array(0));
  else if ("link" in act) link(act.link);
  else await until(act.until);
}
