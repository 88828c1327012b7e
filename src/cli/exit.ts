/** How a command ends: the exit codes, and the errors that carry one with a line saying what to try. */
import { type Code, codeOf, CODES, type FileError } from "../fs/error.ts";

/** Part of the command line's promise: scripts branch on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unreachable: 5,
} as const;
export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** What a shell calls a program that ended by SIGINT. */
export const EXIT_INTERRUPTED = 130;
/** And by SIGTERM. */
export const EXIT_TERMINATED = 143;

const REFUSALS: ReadonlySet<number> = new Set([401, 402, 403, 429]);

interface Trouble extends Error {
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  /** Where in an agent's own code it failed, the innermost first. */
  readonly frames?: readonly string[];
}

/** An error with an exit code. `hint` is what to try, a sentence. */
export function trouble(exit: ExitCode, message: string, hint?: string): Error {
  return Object.assign(new Error(message), { name: "Trouble", exit, hint });
}

/** The caller wrote a command that cannot be run. */
export function usage(message: string, hint?: string): Error {
  return trouble(EXIT.usage, message, hint);
}

/** The same error with the places in an agent's own code where it failed, the innermost first. */
export function withFrames(error: Error, frames: readonly string[] | undefined): Error {
  return frames ? Object.assign(error, { frames }) : error;
}

/** Lines that say by which way an agent's own code came to where it failed; none where the error's own line says it all. */
export function frameLines(error: unknown): string[] {
  const frames = framesOf(error);
  return frames.length > 1 ? frames.map((frame) => `    at ${frame}`) : [];
}

function framesOf(error: unknown): readonly string[] {
  if (isTrouble(error)) return error.frames ?? [];
  const stack = isFileError(error) ? error.extra?.stack : undefined;
  return Array.isArray(stack) ? stack : [];
}

/** An error that no server refused with: its code says nothing about the exit code. */
export function asFailure(error: unknown): Error {
  if (isTrouble(error)) return error;
  return trouble(EXIT.failed, isFileError(error) ? sentenceOf(error) : messageOf(error));
}

function isTrouble(error: unknown): error is Trouble {
  return error instanceof Error && error.name === "Trouble" && "exit" in error;
}

/** The exit code for whatever a verb threw. */
export function exitOf(error: unknown): ExitCode {
  return isTrouble(error) ? error.exit : exitOfCode(codeOf(error));
}

/** The exit code for a code of the closed list, by its HTTP status. */
export function exitOfCode(code: Code): ExitCode {
  const status = CODES[code];
  if (status === 404) return EXIT.notFound;
  if (REFUSALS.has(status)) return EXIT.refused;
  return EXIT.failed;
}

/** An agent's address in the control plane, with the verbs that stand behind it. */
const SHORT_NAME = /^\/agents\/([^/]+)(?:\/(?:send|tick|hibernate|wake|pause|resume))?$/;

/** What is the runtime's own stands behind these; a verb has named it already. */
const RUNTIMES = /^\/runtime\/(?:(?:tokens|export)\/|backup$)/;

/** What to try after an error of the closed list, where one thing helps most people. */
const HINTS: Partial<Record<Code, string>> = {
  permission_denied:
    "The operator's token may: run the command where the data directory is, or set AGENTD_TOKEN.",
  is_directory: "The command ls lists it.",
  auth_required: "Run the command where the server's data directory is, or set AGENTD_TOKEN.",
};

/** One line for people: what failed, and what to try. */
export function lineOf(error: unknown): string {
  const message = (isFileError(error) ? sentenceOf(error) : messageOf(error)).trim();
  const hint = hintOf(error);
  const line = hint
    ? `${message.replace(/[.\s]*$/, "").replace(/[^?!]$/, "$&.")} ${hint}`
    : message;
  return line.replace(/\s*\n\s*/g, " ");
}

/** The same for machines. */
export function jsonOf(error: unknown): { error: Record<string, unknown> } {
  const hint = hintOf(error);
  const stack = framesOf(error);
  return {
    error: {
      ...(isTrouble(error) ? {} : { code: codeOf(error) }),
      message: messageOf(error),
      ...(stack.length > 0 ? { stack } : {}),
      ...(hint ? { hint } : {}),
      exit: exitOf(error),
    },
  };
}

function isFileError(error: unknown): error is FileError {
  return error instanceof Error && error.name === "FileError";
}

/** `Cannot tick bob: it is paused; resume it first (not_ready)` */
function sentenceOf({ op, path, detail, code }: FileError): string {
  const what = path.replace(SHORT_NAME, "$1").replace(RUNTIMES, "");
  const tried = what === "" ? `Cannot ${op}` : `Cannot ${op} ${what}`;
  // A server that says no more than the code says it in a sentence like this one.
  return detail && !detail.startsWith("Cannot ")
    ? `${tried}: ${detail} (${code})`
    : `${tried}: ${code}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hintOf(error: unknown): string | undefined {
  if (isTrouble(error)) return error.hint;
  // What a policy forbids is forbidden to whoever asks.
  const byPolicy = isFileError(error) && /\/policy\b/.test(error.detail ?? "");
  return byPolicy ? undefined : HINTS[codeOf(error)];
}
