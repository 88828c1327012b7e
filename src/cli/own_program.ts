/** How this program is started: by people, and by itself again, as a client with fewer rights. */

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Whatever program this is, also when its file has been replaced meanwhile; and the one that a narrow permission to run names. */
const LINUX = "/proc/self/exe";
const ENV = "AGENTD_*,HOME,XDG_DATA_HOME,TERM";

/** A compiled program has its rights in it; from source, it may write below one directory alone, and start nothing. */
export function ownProgram(words: readonly string[], writable: string): Command {
  const program = Deno.build.os === "linux" ? LINUX : Deno.execPath();
  if (Deno.build.standalone) return { program, args: words };
  const rights = ["--allow-net", "--allow-read", `--allow-write=${writable}`, `--allow-env=${ENV}`];
  return { program, args: ["run", "--quiet", "--no-prompt", ...rights, Deno.mainModule, ...words] };
}

/** What people type to have this program from its source; whoever began with npx may have no Deno of their own. */
export function typedProgram(execPath: string, denoVersion: string): string {
  return /[/\\]_npx[/\\]/.test(execPath)
    ? `npx -y deno@${denoVersion} task -q agentd`
    : "deno task agentd";
}
