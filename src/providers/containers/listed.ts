/** Containers as the engine lists them: whose they are, whether they run, what they died of, and how they are removed. */
import { z } from "zod";
import { type Code, FileError } from "../../fs/error.ts";
import type { DockerCli, Ended } from "./cli.ts";
import { called, type House, LABELS, type Role } from "./container.ts";
import { engineFailure } from "./failure.ts";
import { saidIn } from "./said.ts";

/** The engine answers such questions in some hundredths of a second. */
const ASK_MS = 30_000;

/** What it is is told by its name: labels stay what they were when it was made. */
export interface Listed {
  readonly name: string;
  readonly session: string;
  readonly role: Role | "other";
  /** A graceful stop of the runtime ends it. */
  readonly ends: boolean;
}

export interface Looked {
  readonly isRunning: boolean;
  /** The kernel ended it for want of memory. */
  readonly isOutOfMemory: boolean;
  /** Of its own program, once that has ended. */
  readonly exitCode: number;
  readonly home: string | undefined;
  /** It was made ahead, before it was this session's. */
  readonly wasSpare: boolean;
}

/** All of this home, whether they run or not. @throws FileError `provider_unavailable` */
export async function listed(cli: DockerCli, house: House): Promise<Listed[]> {
  const format = `{{.Names}}\t{{.Label ${JSON.stringify(LABELS.ends)}}}`;
  const ours = `label=${LABELS.home}=${house.home}`;
  const args = ["ps", "--all", "--no-trunc", "--format", format, "--filter", ours];
  const said = await cli.ask(args, "containers", { withinMs: ASK_MS });
  return said.split("\n").filter((line) => line !== "").map((line) => {
    const [name = "", ends] = line.split("\t");
    return { name, ends: ends === "true", ...called(name) };
  });
}

/** As `look` asks for it. A label that is not there is empty, or null. */
const label = z.string().nullish();
const sight = z.tuple([z.boolean(), z.boolean(), z.int(), label, label]);

/** Undefined: there is none of that name. @throws FileError `provider_unavailable` */
export async function look(cli: DockerCli, name: string): Promise<Looked | undefined> {
  const labelled = (name: string) => `{{json (index .Config.Labels ${JSON.stringify(name)})}}`;
  const state = ["Running", "OOMKilled", "ExitCode"].map((name) => `{{json .State.${name}}}`);
  const format = `[${[...state, labelled(LABELS.home), labelled(LABELS.spare)]}]`;
  const args = ["container", "inspect", "--format", format, name];
  const ended = await cli.run(args, { withinMs: ASK_MS });
  if (ended.code !== 0) {
    if (/No such container/i.test(ended.stderr)) return undefined;
    throw engineFailure("look", name, ended);
  }
  const [isRunning, isOutOfMemory, exitCode, home, spare] = saidIn(sight, ended.stdout, name);
  return {
    isRunning,
    isOutOfMemory,
    exitCode,
    home: home ?? undefined,
    wasSpare: spare === "true",
  };
}

/** With all that runs in it, at once. No error for one that is gone or going. @throws FileError `provider_unavailable` */
export async function remove(cli: DockerCli, name: string): Promise<void> {
  const ask = () => cli.run(["rm", "--force", "--volumes", name], { withinMs: ASK_MS });
  let ended = await ask();
  // An engine that is busy may find a directory of it not yet empty, and leave it dead; asked again, it removes it.
  if (!isGone(ended)) ended = await ask();
  if (!isGone(ended)) throw engineFailure("remove", name, ended);
}

function isGone({ code, stderr }: Ended): boolean {
  return code === 0 ||
    /No such container|removal of container .* is already in progress/i.test(stderr);
}

/** What the smallest program of the engine says when it finds no program to start. */
const NO_PROGRAM = 127;

/**
 * Why a session's container no longer runs; undefined if it does.
 * @param on what the refusal names
 * @throws FileError `provider_unavailable`
 */
export async function whyEnded(
  cli: DockerCli,
  name: string,
  on: string = name,
): Promise<FileError | undefined> {
  const refusal = (code: Code, detail: string) => new FileError(code, "run", on, { detail });
  const found = await look(cli, name);
  if (found?.isRunning) return undefined;
  if (found?.isOutOfMemory) {
    const detail = "the session used more memory than it may, and the kernel ended it";
    return refusal("out_of_memory", detail);
  }
  return found?.exitCode === NO_PROGRAM
    ? refusal("invalid_request", "its image has no sleep; take one with a shell and its tools")
    : refusal("interrupted", "the session's container has ended");
}

/** Why nothing more comes out of a session's container, as an error for whoever waits for it; `provider_unavailable` where the engine itself is gone. */
export async function lossOf(cli: DockerCli, name: string): Promise<FileError> {
  try {
    const detail = "the engine let go of the command; try again";
    return await whyEnded(cli, name) ??
      new FileError("provider_unavailable", "run", name, { detail });
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
}
