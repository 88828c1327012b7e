/** All targets that there are: a file of `tests/fuzz/targets/` is one, and nothing else lists them. */
import type { Target } from "./target.ts";

const DIR = new URL("targets/", import.meta.url);

/** In order of their names. */
export function targetNames(): string[] {
  return Array.from(Deno.readDirSync(DIR), ({ name }) => name)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.slice(0, -".ts".length))
    .sort();
}

export async function targetOf(name: string): Promise<Target> {
  const { target } = await import(new URL(`${name}.ts`, DIR).href) as { target: Target };
  return target;
}
