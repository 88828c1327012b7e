/** The two output streams and the input, as a terminal or a pipe: colour, width, the progress line. */

import { asking } from "./asking.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
/** Styles text for one stream; leaves it as it is where the stream shows no colour. */
export type Paint = (style: Style, text: string) => string;

export interface Terminal {
  /** A line on standard output. */
  print(line: string): void;
  /** Bytes on standard output, as they are. */
  raw(bytes: Uint8Array): void;
  /** A line on standard error: what is not the answer. */
  note(line: string): void;
  /** Colour for standard output. */
  readonly paint: Paint;
  /** Colour for standard error. */
  readonly paintNote: Paint;
  /** Columns of standard output; undefined when it is no terminal. */
  readonly columns: number | undefined;
  /** Something typed or piped is expected on standard input. */
  readonly inputIsTerminal: boolean;
  readonly input: ReadableStream<Uint8Array>;
  /** Somebody sits there: input and standard error are terminals. */
  readonly canAsk: boolean;
  /** A line typed behind a question; Ctrl-C ends the program. */
  ask(question: string): Promise<string>;
  /** The same, and what is typed is not shown. */
  askUnseen(question: string): Promise<string>;
  /**
   * Says what is waited for once it has taken a second; nothing when standard error is no terminal. The answer takes the line away.
   */
  progress(text: string | (() => string)): () => void;
  /** Takes a progress line away, if one is shown, and gives the terminal back as it was; the program ends now. */
  leave(): void;
}

const CODES: Record<Style, string> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36",
};
const ESC = "\x1b[";
const CLEAR_LINE = `\r${ESC}K`;
/** What takes longer than this shows a line. */
const PROGRESS_AFTER_MS = 1000;

/** The process's own streams. `quiet`: no progress line. */
export function openTerminal(
  env: (name: string) => string | undefined,
  quiet: () => boolean,
): Terminal {
  const encoder = new TextEncoder();
  const outTty = Deno.stdout.isTerminal();
  const errTty = Deno.stderr.isTerminal();
  const wanted = !env("NO_COLOR") && env("TERM") !== "dumb";
  let shown = false;
  const clear = () => {
    if (!shown) return;
    shown = false;
    writeAll(Deno.stderr, encoder.encode(CLEAR_LINE));
  };
  const out = (bytes: Uint8Array) => {
    clear();
    writeAll(Deno.stdout, bytes);
  };
  const questions = asking(() => Deno.stdin.readable, (text) => {
    clear();
    writeAll(Deno.stderr, encoder.encode(text));
  });
  return {
    print: (line) => out(encoder.encode(line + "\n")),
    raw: out,
    note(line) {
      clear();
      writeAll(Deno.stderr, encoder.encode(line + "\n"));
    },
    paint: painter(outTty && wanted),
    paintNote: painter(errTty && wanted),
    columns: outTty ? columnsOf() : undefined,
    inputIsTerminal: Deno.stdin.isTerminal(),
    input: Deno.stdin.readable,
    canAsk: errTty && Deno.stdin.isTerminal(),
    ask: (question) => questions.ask(question, false),
    askUnseen: (question) => questions.ask(question, true),
    progress(text) {
      if (!errTty || quiet()) return () => {};
      const began = Date.now();
      const tick = setInterval(() => {
        shown = true;
        const line = `${typeof text === "string" ? text : text()} … ${
          Math.floor((Date.now() - began) / 1000)
        } s`;
        writeAll(Deno.stderr, encoder.encode(`${CLEAR_LINE}${line.slice(0, columnsOf() - 1)}`));
      }, PROGRESS_AFTER_MS);
      return () => {
        clearInterval(tick);
        clear();
      };
    },
    leave() {
      clear();
      questions.leave();
    },
  };
}

/** A reader that has gone away (`agentd logs bob | head`) ends the program in silence, as it does any Unix filter. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}

export function painter(on: boolean): Paint {
  return (style, text) => on && text !== "" ? `${ESC}${CODES[style]}m${text}${ESC}0m` : text;
}

/** Some terminals do not know how wide they are. */
function columnsOf(): number {
  try {
    const { columns } = Deno.consoleSize();
    return columns >= 20 ? columns : 80;
  } catch {
    return 80;
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(stream.writeSync(rest));
}
