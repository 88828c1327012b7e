/** What a verb is given when it runs: its arguments, the streams, and ways to the data directory and the server. */
import type { Client } from "../http/client.ts";
import type { Given } from "./args.ts";
import { usage } from "./exit.ts";
import type { Home } from "./home.ts";
import type { Terminal } from "./terminal.ts";

export interface Call {
  readonly given: Given;
  readonly terminal: Terminal;
  /** How a person runs this program: `agentd`, `agentctl`, `deno task agentd`. */
  readonly program: string;
  readonly version: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly cwd: string;
  /** undefined also where the program may not look. */
  readonly env: (name: string) => string | undefined;
  /** Aborts when the program is asked to stop. */
  readonly signal: AbortSignal;
  /** Aborts when the program ends at once, for what must not be left behind; there is no time to wait for anything. */
  readonly hurry: AbortSignal;
  /** The data directory; `here`: `./.agentd` even if it is not there yet. */
  home(here?: boolean): Home;
  /** A client of the running server, with the token where it may have it. */
  server(): Client;
}

/** What a verb does; rejects with an error that says how the program ends. */
export type Action = (call: Call) => Promise<void>;

/** A required argument. */
export function arg(call: Call, name: string): string {
  const value = call.given.args[name];
  if (typeof value !== "string") throw usage(`<${name}> is missing`);
  return value;
}

/** An argument that may be left out. */
export function maybeArg(call: Call, name: string): string | undefined {
  const value = call.given.args[name];
  return typeof value === "string" ? value : undefined;
}

/** The words of a `[name...]` argument. */
export function restArg(call: Call, name: string): readonly string[] {
  const value = call.given.args[name];
  return Array.isArray(value) ? value : [];
}

export function option<T>(call: Call, name: string): T | undefined {
  return call.given.options[name] as T | undefined;
}

/** Prints the answer: JSON for machines, else lines for people. */
export function answer(call: Call, value: unknown, lines: () => readonly string[]): void {
  if (call.json) printJson(call, value);
  else for (const line of lines()) call.terminal.print(line);
}

/** Indented on a terminal, one line in a pipe. */
export function printJson(call: Call, value: unknown): void {
  const indent = call.terminal.columns === undefined ? undefined : 2;
  call.terminal.print(JSON.stringify(value, null, indent) ?? "null");
}

/** Runs `work`, with a progress line once it takes over a second. */
export async function withProgress<T>(call: Call, text: string, work: Promise<T>): Promise<T> {
  const done = call.terminal.progress(text);
  try {
    return await work;
  } finally {
    done();
  }
}
