/** `agentd completions`: what a shell must be told once to complete commands; and the verb that its script asks at each Tab. */
import { BUILTINS } from "../agents/mod.ts";
import { entries } from "../fs/use.ts";
import type { Client } from "../http/client.ts";
import { openOfAll } from "./approvals.ts";
import { type Action, arg, type Call, maybeArg, restArg } from "./call.ts";
import { beginning, type Candidate, candidates, type Known } from "./complete.ts";
import { EXIT, usage } from "./exit.ts";
import { findHome } from "./home.ts";
import type { VerbSpec } from "./args.ts";
import { clientOf } from "./reach.ts";
import { SCRIPTS } from "./completion_scripts.ts";
import { safeLine } from "./print.ts";
import { didYouMean } from "./similar.ts";
import { targetOf } from "./target.ts";

/** A Tab that takes longer is no help. */
const MAX_WAIT_MS = 2_000;
/** More than anybody reads. */
const MAX_NAMES = 1_000;

// deno-lint-ignore require-await -- a verb answers with a promise
export const completions: Action = async (call) => {
  const shell = arg(call, "shell");
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script !== undefined) return call.terminal.print(script.trimEnd());
  const shells = Object.keys(SCRIPTS);
  const hint = didYouMean(shell, shells) ?? `It knows ${shells.join(", ")}.`;
  throw usage(`completions knows no ${JSON.stringify(shell)}`, hint);
};

/** Prints a candidate a line, what it is about behind a tab; nothing where there is none, and never an error. */
export const complete =
  (all: readonly (VerbSpec & { readonly local?: boolean })[]): Action => async (call) => {
    const words = restArg(call, "words").map(maybeArg(call, "shell") === "bash" ? unquoted : same);
    const late = setTimeout(() => Deno.exit(EXIT.done), MAX_WAIT_MS);
    const isClient = call.program === "agentctl";
    const verbs = all.filter((verb) => !(isClient && verb.local));
    const found = await candidates(words, verbs, knownOf(call, words));
    clearTimeout(late);
    for (const one of beginning(found, words.at(-1) ?? "")) call.terminal.print(line(one));
  };

const same = (word: string) => word;

/** Bash gives words as they were typed. */
function unquoted(word: string): string {
  return word.replace(/^['"]/, "").replace(/\\(.)/g, "$1").replace(/['"]$/, "");
}

function line({ value, about }: Candidate): string {
  return about === undefined ? value : `${value}\t${about}`;
}

/** Asks the server that the command line being typed would ask. */
function knownOf(call: Call, words: readonly string[]): Known {
  const typed = (flag: string) => {
    const at = words.indexOf(flag);
    return at < 0 || at === words.length - 1 ? undefined : words[at + 1];
  };
  const home = () => findHome({ flag: typed("--home"), env: call.env, cwd: call.cwd });
  const { env, program } = call;
  const asked = { url: typed("--url"), token: typed("--token"), env, home, program, hurry: true };
  const quietly = async <T>(ask: (server: Client) => Promise<T[]>): Promise<T[]> => {
    try {
      return await ask(clientOf(asked));
    } catch {
      return [];
    }
  };
  return {
    builtins: BUILTINS,
    secrets: () => quietly(async (server) => (await server.secrets.list()).map(({ name }) => name)),
    agents: () =>
      quietly(async (server) => (await server.list({ limit: MAX_NAMES })).agents.map((a) => a.id)),
    names: (path) =>
      quietly(async (server) => {
        const { id, path: within } = targetOf(path);
        const names: string[] = [];
        for await (const entry of entries(server.files(id), within)) {
          names.push(entry.dir ? `${entry.name}/` : entry.name);
          if (names.length === MAX_NAMES) break;
        }
        return names;
      }),
    approvals: () =>
      quietly(async (server) =>
        (await openOfAll(server)).map(({ id, agent, op, path }) => ({
          id,
          about: safeLine(`${agent}: ${op} ${path}`),
        }))
      ),
  };
}
