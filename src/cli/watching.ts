/** The server's side of `dev`'s watching: the process that does it, once there is a file to watch, ended with the server. */
import type { Call } from "./call.ts";
import type { Home } from "./home.ts";
import { ownProgram } from "./own_program.ts";
import { readSources, sourcesDir } from "./sources.ts";

/** The verb of the process; nobody types it. */
export const WATCH_VERB = "__sources";

export interface Watching {
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** @param url where the server is, as it has noted it */
export function watching(call: Call, home: Home, url: string): Watching {
  let child: Deno.ChildProcess | undefined;
  let stopped = false;
  const notes = Deno.watchFs(sourcesDir(home), { recursive: false });

  async function run(): Promise<void> {
    if (readSources(home).size === 0) await firstNote();
    if (stopped) return;
    closeNotes();
    child = start();
    const { code, signal } = await child.status;
    if (!stopped) tell(`the process that did it ended (${signal ?? `exit code ${code}`})`);
  }

  async function firstNote(): Promise<void> {
    for await (const _ of notes) if (readSources(home).size > 0) return;
  }

  /** Leaving the loop over it has closed it already. */
  function closeNotes(): void {
    try {
      notes.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  function start(): Deno.ChildProcess {
    const words = [WATCH_VERB, "--home", home.dir, "--url", url];
    const { program, args } = ownProgram(
      [...words, ...(call.quiet ? ["--quiet"] : []), ...(call.json ? ["--json"] : [])],
      home.dir,
    );
    // Its standard input is a pipe, at whose end it ends too, however this process ends.
    return new Deno.Command(program, {
      args: [...args],
      stdin: "piped",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  }

  function tell(why: string): void {
    const line = `agents are not redeployed when their files change any more: ${why}`;
    call.terminal.note(call.terminal.paintNote("yellow", line));
  }

  const done = run().catch((error) => tell((error as Error).message));
  return {
    async stop() {
      stopped = true;
      closeNotes();
      try {
        child?.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await done;
    },
  };
}
