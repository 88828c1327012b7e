/** What the model server and the tests that started it tell each other. */
import type { Reply } from "./model.ts";

/** Given to the server as its one argument. */
export interface Setup {
  readonly dir: string;
  readonly replies: readonly Reply[];
  /** Which reply comes is counted over the whole talk, and not since the last word of the user. */
  readonly wholeTalk: boolean;
}

/** Told on the server's standard output, among what the engine prints there. */
export type Report =
  | { readonly event: "listening"; readonly port: number }
  /** A generation has begun: its first words are there. */
  | { readonly event: "generating" }
  /** A client has left, and its generation was ended in the engine. */
  | { readonly event: "cancelled" };

const MARK = "@llama ";

export function reportLine(report: Report): string {
  return `${MARK}${JSON.stringify(report)}\n`;
}

/** The engine may have left a line open, so it is looked for anywhere. */
export function reportIn(line: string): Report | undefined {
  const at = line.indexOf(MARK);
  return at < 0 ? undefined : JSON.parse(line.slice(at + MARK.length)) as Report;
}
