/**
 * The host for every module that is not built in: one subprocess an agent, which has given up everything before it sees a line of the agent's code and
 * reaches nothing but its namespace, over a pipe. What it says is never trusted.
 */
import { FileError } from "../fs/error.ts";
import type { Limits } from "../core/agent.ts";
import type { AgentCode, AgentHost } from "../core/host.ts";
import { agentInstance } from "./process/instance.ts";
import { makePlaces } from "./process/places.ts";
import { type Command, startProcess } from "./process/subprocess.ts";
import { MAX_CODE_BYTES } from "./process/values.ts";

/** Processes an agent's host keeps for each processor. */
const PROCESSES_PER_CORE = 4;

export interface ProcessHostOptions {
  /** How many processes live at the most; a start beyond that waits for a place. Default: four for each processor. */
  readonly maxProcesses?: number;
  /** How many blank processes are kept ready once an agent has run here. Default 1. */
  readonly spares?: number;
  /** How long a module may take to load, in milliseconds. Default 30,000. */
  readonly loadMs?: number;
  /** How this program is started as an agent's process. Default: a compiled one by its verb `__agent`, else Deno with this source. */
  readonly command?: Command;
}

export interface ProcessHost extends AgentHost {
  /** Ends all processes and waits until they are gone. */
  stop(): Promise<void>;
}

/** Linux only: elsewhere `start` rejects with `not_supported`. Processes are started when they are needed and not before. */
export function processHost(options: ProcessHostOptions = {}): ProcessHost {
  const { spares = 1, loadMs = 30_000, command = ownCommand() } = options;
  const max = options.maxProcesses ?? PROCESSES_PER_CORE * navigator.hardwareConcurrency;
  const places = makePlaces({
    max: Math.max(1, max),
    spares,
    start: (memoryMb) => startProcess(command, memoryMb),
  });

  async function start(code: AgentCode, limits: Limits) {
    if (code.kind === "builtin") {
      throw refused("not_supported", code.name, "built-in agents run inside the runtime");
    }
    if (Deno.build.os !== "linux") {
      const detail = `the walls around an agent's code are Linux's, and this is ${Deno.build.os}`;
      throw refused("not_supported", code.digest, detail);
    }
    const source = await code.source();
    if (source.length > MAX_CODE_BYTES) {
      const detail = `${source.length} bytes; a module has at most ${MAX_CODE_BYTES}`;
      throw refused("too_large", code.digest, detail);
    }
    return await agentInstance({ places, source, digest: code.digest, limits, loadMs });
  }

  return { start, stop: () => places.stop() };
}

/** Whatever program this is, also when its file has been replaced meanwhile; and the one name that a narrow permission to run has. */
const OWN_PROGRAM = "/proc/self/exe";

function ownCommand(): Command {
  if (Deno.build.standalone) return { program: OWN_PROGRAM, args: ["__agent"] };
  const main = new URL("./process_child.ts", import.meta.url).href;
  const flags = ["--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
  // It gives up all of its permissions itself, and needs them for that: see process/lock.ts.
  const args = ["run", "-A", ...flags, "--cached-only", "--no-code-cache", "--quiet", main];
  return { program: OWN_PROGRAM, args };
}

function refused(code: "not_supported" | "too_large", what: string, detail: string): FileError {
  return new FileError(code, "start", what, { detail });
}
