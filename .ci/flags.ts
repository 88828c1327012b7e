/** How the binary is compiled: what it may do is what the task that serves from source may do. */

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
    // Kept in the program: it says nothing of its own on standard error.
    "--quiet",
    "--no-check",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    "--config",
    `${stage}deno.json`,
    // It would be read from the folder for temporary files, where whoever comes first puts what this program then runs.
    "--no-code-cache",
    ...permissions(tasks.serve!.command),
    ...["", ...workers].flatMap((path) => ["--include", path || stage]),
    "--output",
    output,
    ...(target === undefined ? [] : ["--target", target]),
    `${stage}main.js`,
  ];
}

/** The words of a command that grant, as a shell would pass them on. */
export function permissions(command: string): string[] {
  return command.split(" ")
    .filter((word) => /^--(allow-|deny-|no-prompt)/.test(word))
    .map((word) => word.replaceAll('"', ""));
}
