/** Containers as the engine lists them: whose they are, whether they run, what they died of, and how they are removed. */
import { type Code, FileError } from "../../fs/error.ts";
import type { DockerCli } from "./cli.ts";
import { type House, LABELS } from "./container.ts";
import { engineFailure } from "./failure.ts";

/** The engine answers such questions in some hundredths of a second. */
const ASK_MS = 30_000;

export interface Listed {
  readonly name: string;
  readonly session: string;
  readonly role: string;
}

export interface Looked {
  readonly isRunning: boolean;
  /** The kernel ended it for want of memory. */
  readonly isOutOfMemory: boolean;
  /** Of its own program, once that has ended. */
  readonly exitCode: number;
  readonly home: string | undefined;
}

/** The filter for all that are ours. */
export function home(house: House): string {
  return `label=${LABELS.home}=${house.home}`;
}

/** All that fit, whether they run or not. @throws FileError `provider_unavailable` */
export async function listed(cli: DockerCli, filters: readonly string[]): Promise<Listed[]> {
  const label = (name: string) => `{{.Label ${JSON.stringify(name)}}}`;
  const format = ["{{.Names}}", label(LABELS.session), label(LABELS.role)].join("\t");
  const args = ["ps", "--all", "--no-trunc", "--format", format];
  const wanted = filters.flatMap((filter) => ["--filter", filter]);
  const said = await cli.ask([...args, ...wanted], "containers", { withinMs: ASK_MS });
  return said.split("\n").filter((line) => line !== "").map((line) => {
    const [name = "", session = "", role = ""] = line.split("\t");
    return { name, session, role };
  });
}

/** Undefined: there is none of that name. @throws FileError `provider_unavailable` */
export async function look(cli: DockerCli, name: string): Promise<Looked | undefined> {
  const label = `{{json (index .Config.Labels ${JSON.stringify(LABELS.home)})}}`;
  const format =
    `[{{json .State.Running}},{{json .State.OOMKilled}},{{json .State.ExitCode}},${label}]`;
  const args = ["container", "inspect", "--format", format, name];
  const ended = await cli.run(args, { withinMs: ASK_MS });
  if (ended.code !== 0) {
    if (/No such container/i.test(ended.stderr)) return undefined;
    throw engineFailure("look", name, ended);
  }
  const [isRunning, isOutOfMemory, exitCode, home] = JSON.parse(ended.stdout);
  return { isRunning, isOutOfMemory, exitCode, home };
}

/** With all that runs in it, at once. No error for one that is gone or going. @throws FileError `provider_unavailable` */
export async function remove(cli: DockerCli, name: string): Promise<void> {
  const ended = await cli.run(["rm", "--force", "--volumes", name], { withinMs: ASK_MS });
  if (ended.code === 0) return;
  if (/No such container|removal of container .* is already in progress/i.test(ended.stderr)) {
    return;
  }
  throw engineFailure("remove", name, ended);
}

/** What the smallest program of the engine says when it finds no program to start. */
const NO_PROGRAM = 127;

/** Why nothing more comes out of a session's container, as an error for whoever waits for it; `provider_unavailable` where the engine itself is gone. */
export async function lossOf(cli: DockerCli, name: string): Promise<FileError> {
  const refusal = (code: Code, detail: string) => new FileError(code, "run", name, { detail });
  try {
    const found = await look(cli, name);
    if (found?.isRunning) {
      return refusal("provider_unavailable", "the engine let go of the command; try again");
    }
    if (found?.isOutOfMemory) {
      const detail = "the session used more memory than it may, and the kernel ended it";
      return refusal("out_of_memory", detail);
    }
    return found?.exitCode === NO_PROGRAM
      ? refusal("invalid_request", "its image has no sleep; take one with a shell and its tools")
      : refusal("interrupted", "the session's container has ended");
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
}
