/** What a shell may offer for a command line that is not finished: read off the verb table, agents and files asked of the server. */
import { COMMON, type OptionSpec, type VerbSpec } from "./args.ts";

export interface Candidate {
  /** What would stand there; one that ends with `/` goes on. */
  readonly value: string;
  readonly about?: string;
}

/** Files of this machine: the shell knows them best. */
export const FILES: Candidate = { value: ":files" };

/** What is asked while the user waits; an answer that cannot be had is none. */
export interface Known {
  agents(): Promise<readonly string[]>;
  /** The names in a directory of an agent, those of directories with `/`. `path` ends with `/`. */
  names(path: string): Promise<readonly string[]>;
  readonly builtins: readonly string[];
  /** Names of secrets. */
  secrets(): Promise<readonly string[]>;
  /** Questions that wait for an answer. */
  approvals(): Promise<readonly { readonly id: string; readonly about: string }[]>;
}

/** Options that every verb takes besides the table's. */
const HELP: OptionSpec = { flags: "-h, --help", about: "print its help" };

/**
 * Candidates for the last of `words`, which stand behind the program's name; those that do not begin as it does are for the shell to leave
 * out.
 */
export async function candidates(
  words: readonly string[],
  verbs: readonly VerbSpec[],
  known: Known,
): Promise<Candidate[]> {
  const typed = words.at(-1) ?? "";
  const { verb, args, used, open } = read(words.slice(0, -1), verbs);
  if (open) return await valuesOf(open, known);
  if (typed.startsWith("-")) return flagsOf(verb, used);
  if (!verb) {
    return [...verbs.map(verbCandidate), { value: "help", about: "print a command's help" }];
  }
  if (verb.name === "help") return args === 0 ? verbs.map(verbCandidate) : [];
  const names = verb.args.split(" ").filter(Boolean);
  const name = names[args] ?? (names.at(-1)?.includes("...") ? names.at(-1) : undefined);
  return name === undefined ? [] : await argumentsOf(verb, name, typed, known);
}

/** Those that `typed` is the beginning of; the shell's own files stay. */
export function beginning(found: readonly Candidate[], typed: string): Candidate[] {
  return found.filter((one) => one === FILES || one.value.startsWith(typed));
}

interface Read {
  readonly verb: VerbSpec | undefined;
  /** Arguments behind the verb. */
  readonly args: number;
  readonly used: ReadonlySet<OptionSpec>;
  /** The option whose value comes next. */
  readonly open: OptionSpec | undefined;
}

const HELP_VERB: VerbSpec = { name: "help", args: "[command]", about: "", group: "", examples: [] };
const UNKNOWN: VerbSpec = { ...HELP_VERB, name: "", args: "" };

function read(words: readonly string[], verbs: readonly VerbSpec[]): Read {
  let verb: VerbSpec | undefined;
  let args = 0;
  let open: OptionSpec | undefined;
  const used = new Set<OptionSpec>();
  for (const word of words) {
    if (open) open = undefined;
    else if (word.startsWith("-") && word !== "-") {
      const option = optionsOf(verb).find((option) => namesOf(option).includes(word));
      if (option) used.add(option);
      if (option && takesValue(option)) open = option;
    } else if (!verb) verb = [...verbs, HELP_VERB].find(({ name }) => name === word) ?? UNKNOWN;
    else args++;
  }
  return { verb, args, used, open };
}

function optionsOf(verb: VerbSpec | undefined): OptionSpec[] {
  return [...(verb?.options ?? []), ...COMMON, HELP];
}

/** `-f, --follow <x>` → `-f`, `--follow` */
function namesOf({ flags }: OptionSpec): string[] {
  return flags.split(/[ ,]+/).filter((word) => word.startsWith("-"));
}

function takesValue({ flags }: OptionSpec): boolean {
  return /[<[]/.test(flags);
}

function flagsOf(verb: VerbSpec | undefined, used: ReadonlySet<OptionSpec>): Candidate[] {
  return optionsOf(verb)
    .filter((option) => option.many || !used.has(option))
    .flatMap((option) => namesOf(option).map((value) => ({ value, about: option.about })));
}

async function valuesOf(option: OptionSpec, known: Known): Promise<Candidate[]> {
  if (option.choices) return option.choices.map((value) => ({ value }));
  if (/<(?:file|dir)>/.test(option.flags)) return [FILES];
  return /--agent <id>/.test(option.flags) ? await agents(known) : [];
}

async function argumentsOf(
  verb: VerbSpec,
  name: string,
  typed: string,
  known: Known,
): Promise<Candidate[]> {
  switch (name.replace(/[<>[\].]/g, "")) {
    case "id":
      // A new one has the name that its maker gives it.
      return verb.name === "create" || verb.name === "token" ? [] : await agents(known);
    case "path":
      return verb.group === "Files of an agent:" ? await paths(typed, known) : [];
    case "agent":
      if (verb.name === "hook") return await agents(known);
      return [...known.builtins.map((value) => ({ value, about: "a built-in agent" })), FILES];
    case "approval":
      return (await known.approvals()).map(({ id, about }) => ({ value: id, about }));
    case "name":
      return verb.name === "secret" ? (await known.secrets()).map((value) => ({ value })) : [];
    case "word":
    case "shell":
      return (verb.words ?? []).map((value) => ({ value }));
    case "file":
    case "dir":
      return [FILES];
    default:
      return [];
  }
}

async function agents(known: Known): Promise<Candidate[]> {
  return (await known.agents()).map((value) => ({ value }));
}

/** `bo` → `bob/`, `bob/fi` → `bob/files/` */
async function paths(typed: string, known: Known): Promise<Candidate[]> {
  const dir = typed.slice(0, typed.lastIndexOf("/") + 1);
  if (dir === "") return (await known.agents()).map((id) => ({ value: `${id}/` }));
  return (await known.names(dir)).map((name) => ({ value: dir + name }));
}

function verbCandidate({ name, about }: VerbSpec): Candidate {
  return { value: name, about };
}
