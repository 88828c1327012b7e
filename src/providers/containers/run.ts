/** `docker run`, for all containers that are made here. */
import type { DockerCli, Ran } from "./cli.ts";
import { RUN_STDIN } from "./container.ts";

/** The engine's words where more processors are asked for than there are. */
const TOO_MANY = /Range of CPUs is from [\d.]+ to (\d+)(?:\.\d+)?/i;

/** `max_cpu_cores` is the most that a session may have: where the machine has fewer, it has those. Nothing was made when the engine says so. */
export async function runContainer(
  cli: DockerCli,
  args: readonly string[],
  withinMs: number,
): Promise<Ran> {
  const run = (all: readonly string[]) => cli.run(all, { stdin: RUN_STDIN, withinMs });
  const ended = await run(args);
  const [, cores] = TOO_MANY.exec(ended.stderr) ?? [];
  if (ended.code === 0 || cores === undefined) return ended;
  return await run(args.map((one) => one.startsWith("--cpus=") ? `--cpus=${cores}` : one));
}
