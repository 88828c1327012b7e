/** Verbs to a command line and back; the only file that knows the command-line library. */
import { Command, CommanderError, Option } from "commander";
import { EXIT, type ExitCode, usage } from "./exit.ts";
import { didYouMean } from "./similar.ts";

export interface OptionSpec {
  /** `-f, --follow`, `--tail <n>`, `--goal <text>`. */
  readonly flags: string;
  readonly about: string;
  readonly choices?: readonly string[];
  /** May be given more than once; the value is a list. */
  readonly many?: boolean;
  /** Text to value; throws a usage error. */
  readonly read?: (text: string) => unknown;
}

/** What a verb's action is given: arguments and options by their names (`allowHost`). */
export interface Given {
  readonly args: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface VerbSpec {
  readonly name: string;
  /** `<id> [message...]` */
  readonly args: string;
  readonly about: string;
  /** The heading under which the help lists it. */
  readonly group: string;
  readonly options?: readonly OptionSpec[];
  /** What its argument `[word]` or `<shell>` may be. */
  readonly words?: readonly string[];
  /** The program's own: no help tells of it. */
  readonly hidden?: boolean;
  /** Command lines without the program's name, and what each does. */
  readonly examples: readonly (readonly [string, string])[];
}

/** What the command line said: a verb to run, or text to print (help, a version) and be done. */
export type Parsed<V extends VerbSpec> =
  | { readonly kind: "run"; readonly verb: V; readonly given: Given }
  | { readonly kind: "say"; readonly text: string; readonly exit: ExitCode };

/** Options that every verb takes. */
export const COMMON: readonly OptionSpec[] = [
  { flags: "--json", about: "answer as JSON, for machines" },
  { flags: "-q, --quiet", about: "only the answer" },
  { flags: "--home <dir>", about: "the data directory" },
  { flags: "--url <url>", about: "the server, in place of the data directory's" },
  { flags: "--token <token>", about: "the token for --url (AGENTD_TOKEN keeps it out of sight)" },
];

/** @throws usage error, in one line, with a suggestion where one is near */
export function parseArgs<V extends VerbSpec>(
  input: {
    readonly program: string;
    readonly about: string;
    readonly version: string;
    readonly verbs: readonly V[];
    readonly columns: number | undefined;
  },
  argv: readonly string[],
): Parsed<V> {
  let said = "";
  let run: Parsed<V> | undefined;
  const program = new Command(input.program)
    .description(input.about)
    .usage("<command> [options]")
    .version(`${input.program} ${input.version}`, "--version", "print the version")
    .helpOption("-h, --help", "print this, or a command's help")
    .addHelpCommand(helpCommand())
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (c) => [c.name(), ...c.registeredArguments.map(argumentTerm)].join(" "),
    })
    .configureOutput({
      writeOut: (text) => void (said += text),
      writeErr: (text) => void (said += text),
      outputError: () => {},
      getOutHelpWidth: () => input.columns ?? 100,
      getErrHelpWidth: () => input.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  for (const spec of COMMON) program.addOption(option(spec));
  for (const verb of input.verbs) {
    const command = program.command(verb.name, { hidden: verb.hidden === true })
      .summary(verb.about)
      .description(capital(verb.about) + ".")
      .helpGroup(verb.group)
      .addHelpText("after", examples(input.program, verb));
    for (const arg of verb.args.split(" ").filter(Boolean)) command.argument(arg);
    for (const spec of verb.options ?? []) command.addOption(option(spec));
    command.action((...all: unknown[]) => {
      const names = command.registeredArguments.map((a) => a.name());
      run = {
        kind: "run",
        verb,
        given: {
          args: Object.fromEntries(names.map((name, i) => [name, all[i]])) as Given["args"],
          options: command.optsWithGlobals(),
        },
      };
    });
  }
  refuseUnknownHelp(input.program, input.verbs, argv);
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.help") {
      return { kind: "say", text: said.trimEnd(), exit: EXIT.usage };
    }
    if (error.exitCode !== 0) throw complaint(input.program, verbIn(input.verbs, argv), error);
  }
  return run ?? { kind: "say", text: said.trimEnd(), exit: EXIT.done };
}

function option(spec: OptionSpec): Option {
  const made = new Option(spec.flags, spec.about);
  if (spec.choices) made.choices([...spec.choices]);
  const read = spec.read ?? (made.isBoolean() ? undefined : (text: string) => text);
  if (read && !spec.choices) {
    made.argParser((text: string, before: unknown) =>
      spec.many ? [...(Array.isArray(before) ? before : []), read(text)] : read(text)
    );
  }
  return made;
}

function helpCommand(): Command {
  return new Command("help").argument("[command]").summary("print a command's help")
    .helpGroup("About:");
}

function argumentTerm(argument: { name(): string; required: boolean; variadic: boolean }): string {
  const name = argument.name() + (argument.variadic ? "..." : "");
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** The library would answer `help nope` with everything it knows. */
function refuseUnknownHelp(
  program: string,
  verbs: readonly VerbSpec[],
  [first, second]: readonly string[],
): void {
  if (first !== "help" || second === undefined || second.startsWith("-")) return;
  const names = verbs.map((verb) => verb.name);
  if (names.includes(second)) return;
  throw usage(`Unknown command ${second}`, didYouMean(second, names) ?? `See ${program} --help.`);
}

function verbIn(verbs: readonly VerbSpec[], argv: readonly string[]): string | undefined {
  return argv.find((word) => verbs.some((verb) => verb.name === word));
}

/** The library's complaint as one line of ours. */
function complaint(program: string, verb: string | undefined, error: CommanderError): Error {
  const [first = "", ...more] = error.message.replace(/^error: /, "").split("\n");
  const guess = /Did you mean (?:one of )?(.*)\?/.exec(more.join(" "))?.[1];
  const help = [program, ...(verb === undefined ? [] : [verb]), "--help"].join(" ");
  const said = capital(first.replaceAll("'", "").replace(/\.$/, ""));
  return usage(
    said,
    guess ? `Did you mean ${guess.replace(/, (?!.*,)/, " or ")}?` : `See ${help}.`,
  );
}

function examples(program: string, verb: VerbSpec): string {
  const longest = Math.max(...verb.examples.map(([line]) => line.length));
  const lines = verb.examples.map(([line, what]) =>
    `  ${program} ${what ? line.padEnd(longest) : line}${what ? `  # ${what}` : ""}`
  );
  return `\nExamples:\n${lines.join("\n")}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A reader for options that take a whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(n) && n >= min) return n;
    throw usage(`${JSON.stringify(text)} is not a whole number of at least ${min}`);
  };
}

/** A reader for options that take JSON. */
export function jsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usage(`Not JSON: ${text.slice(0, 80)}`, `Quote it for the shell: '{"a":1}'.`);
  }
}
