/** From the words typed to the exit code: which verb, what it is given, how it ends, what Ctrl-C does. */
import { parseArgs } from "./args.ts";
import type { Call } from "./call.ts";
import {
  EXIT,
  EXIT_INTERRUPTED,
  EXIT_TERMINATED,
  exitOf,
  frameLines,
  jsonOf,
  lineOf,
} from "./exit.ts";
import { findHome } from "./home.ts";
import { onInterrupt } from "./interrupt.ts";
import { HIDDEN, type Verb, VERBS } from "./mod.ts";
import { typedProgram } from "./own_program.ts";
import { clientOf } from "./reach.ts";
import { safe } from "./print.ts";
import { isBrokenPipe, openTerminal, type Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

const ABOUT = "A runtime for autonomous agents: every agent is a tree of files.";
const CLIENT = "agentctl";

/**
 * Runs a command line.
 * @param argv the words behind the program's name
 * @param calledAs the name the program was called by, as far as it is known
 * @returns the exit code
 */
export async function start(argv: readonly string[], calledAs: string): Promise<number> {
  const isClient = /(?:^|[/\\])agentctl(?:\.exe)?$/.test(calledAs);
  const name = isClient ? CLIENT : "agentd";
  // Only a compiled program is called by its own name.
  const program = Deno.build.standalone ? name : typedProgram(Deno.execPath(), Deno.version.deno);
  let quiet = argv.includes("-q") || argv.includes("--quiet");
  const terminal = openTerminal(env, () => quiet);
  const verbs = isClient ? [...VERBS, ...HIDDEN].filter((v) => !v.local) : [...VERBS, ...HIDDEN];
  try {
    const parsed = parseArgs(
      { program: name, about: ABOUT, version: VERSION, verbs, columns: terminal.columns },
      argv,
    );
    if (parsed.kind === "say") {
      if (parsed.exit === EXIT.done) terminal.print(parsed.text);
      else terminal.note(parsed.text);
      return parsed.exit;
    }
    quiet = parsed.given.options.quiet === true;
    const { verb, given } = parsed;
    const stop = stopping(verb, terminal);
    const call = callOf({ given, terminal, program, quiet, ...stop });
    await (await verb.load())(call);
    return EXIT.done;
  } catch (error) {
    return failed(error, terminal, argv.includes("--json"));
  }
}

function callOf(
  own: Pick<Call, "given" | "terminal" | "program" | "quiet" | "signal" | "hurry">,
): Call {
  const text = (name: string) => own.given.options[name] as string | undefined;
  const cwd = Deno.cwd();
  const home = (here = false) => findHome({ flag: text("home"), env, cwd, here });
  return {
    ...own,
    version: VERSION,
    json: own.given.options.json === true,
    cwd,
    env,
    home,
    server: () =>
      clientOf({ url: text("url"), token: text("token"), env, home, program: own.program }),
  };
}

/** A variable, undefined also where the program may not look. */
function env(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined;
  }
}

/**
 * Ctrl-C. A client has nothing to bring to an end, so it puts away what it has begun and ends at once; a server gets the time to stop in order, and at the second
 * signal ends at once too: what it has answered for is on the disk.
 */
function stopping(verb: Verb, terminal: Terminal): { signal: AbortSignal; hurry: AbortSignal } {
  const [stop, hurry] = [new AbortController(), new AbortController()];
  const onSignal = (exit: number) => {
    if (!verb.lasting) {
      terminal.leave();
      hurry.abort();
      Deno.exit(exit);
    }
    if (stop.signal.aborted) {
      hurry.abort();
      Deno.exit(EXIT.done);
    }
    stop.abort();
  };
  if (!verb.ownInterrupt) {
    onInterrupt(() => onSignal(EXIT_INTERRUPTED));
  }
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", () => onSignal(EXIT_TERMINATED));
  }
  return { signal: stop.signal, hurry: hurry.signal };
}

function failed(error: unknown, terminal: Terminal, json: boolean): number {
  if (isBrokenPipe(error)) return EXIT.done;
  try {
    if (json) terminal.note(JSON.stringify(jsonOf(error)));
    else {
      terminal.note(`${terminal.paintNote("red", "error:")} ${safe(lineOf(error))}`);
      for (const line of frameLines(error)) terminal.note(terminal.paintNote("dim", safe(line)));
    }
  } catch {
    // Nobody reads standard error either; the exit code says it.
  }
  return exitOf(error);
}
