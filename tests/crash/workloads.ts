/** Every workload that is a file in `conformance/crash/workloads`, in the order of their names. */
import type { MakeWorkload } from "../../conformance/crash.ts";

const PLACE = new URL("../../conformance/crash/workloads/", import.meta.url);

async function files(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(PLACE)) if (name.endsWith(".ts")) names.push(name);
  return names.sort();
}

const modules = await Promise.all(
  (await files()).map(async (name) => await import(new URL(name, PLACE).href)),
);

export const WORKLOADS: readonly MakeWorkload[] = modules.map(({ default: make }) => make);
