/** How the binary is compiled. It may do what the tasks that run from source may do, and what differs is here, with the reason. */

export interface CompileOptions {
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  /** The folder that is embedded, with the last `/`. */
  readonly stage: string;
  /** Modules that nothing imports. */
  readonly workers: readonly string[];
  readonly output: string;
  /** As `deno compile --target` knows it; undefined: this machine. */
  readonly target?: string | undefined;
}

/** Arguments for `deno`. */
export function compileArgs(options: CompileOptions): string[] {
  const { tasks, stage, workers, output, target } = options;
  return [
    "compile",
    // Kept in the program: Deno's own remarks about permissions are not for its users.
    "--quiet",
    "--no-check",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    "--config",
    `${stage}deno.json`,
    // It would be read from the folder for temporary files, where whoever comes first puts what this program then runs.
    "--no-code-cache",
    ...permissions(tasks.serve!.command, target),
    ...["", ...workers].flatMap((path) => ["--include", path || stage]),
    "--output",
    output,
    ...(target === undefined ? [] : ["--target", target]),
    `${stage}main.js`,
  ];
}

/** How a program of Linux calls itself; no other system has such a name, and there it is the one by which it is on PATH. */
const SELF = "/proc/self/exe";
const BY_NAME = "agentd";

/** @param command the task's, whose quotes a shell would take away */
export function permissions(command: string, target: string | undefined): string[] {
  const words = command.split(" ").map((word) => word.replaceAll('"', ""));
  const granted = words.filter((word) => /^--(allow-|deny-|no-prompt)/.test(word));
  if (target?.includes("linux") ?? Deno.build.os === "linux") {
    // An agent's process locks itself in by calls to the C library. From source it is started with everything, and gives up everything;
    // a binary cannot be started with more than it has. The program itself gives it up first of all: see main.ts.
    return [...granted, "--allow-ffi"];
  }
  return granted.map((word) => word.replace(SELF, BY_NAME));
}
