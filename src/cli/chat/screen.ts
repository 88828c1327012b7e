/** A conversation as a terminal shows it: words as they come, a dim line for each file that was used, the cost behind each answer. */
import type { Call } from "../call.ts";
import { safe, safeLine } from "../print.ts";
import type { Answered, Listener } from "./exchange.ts";
import { costWords } from "./words.ts";

export interface Screen extends Listener {
  /** The replies, as far as they have not been shown yet, and what they cost. */
  answered(replies: readonly string[], answered: Answered, left: number | undefined): void;
}

/** @param first is called before anything is shown */
export function screen(call: Pick<Call, "terminal" | "program">, first: () => void): Screen {
  const { terminal } = call;
  const encoder = new TextEncoder();
  /** What the model call that speaks has said so far. */
  let said = "";
  let isMidLine = false;
  /** A colour of the words could not be ended safely, so they have none. */
  function show(text: string): void {
    if (text === "") return;
    first();
    terminal.raw(encoder.encode(safe(text)));
    isMidLine = !text.endsWith("\n");
  }
  function line(text: string): void {
    first();
    endLine();
    terminal.print(text);
  }
  function endLine(): void {
    if (isMidLine) terminal.raw(encoder.encode("\n"));
    isMidLine = false;
  }

  return {
    speaks() {
      endLine();
      said = "";
    },
    text(text) {
      said += text;
      show(text);
    },
    file: (op, path) => line(terminal.paint("dim", safeLine(`  ${op} ${path}`))),
    asks(id, op, path) {
      const [what, how] = askWords(call.program, id, op, path);
      line(terminal.paint("yellow", what));
      line(how);
    },
    answered(replies, answered, left) {
      for (const reply of replies) {
        if (said !== "" && reply.startsWith(said)) show(reply.slice(said.length));
        else {
          endLine();
          show(reply);
        }
        said = "";
      }
      endLine();
      if (replies.length === 0) line(terminal.paint("dim", "no reply"));
      const words = costWords(answered.jobs, left);
      if (words !== "") line(terminal.paint("dim", words));
    },
  };
}

/** For a pipe, which gets the replies alone: only that a person is waited for is said, on standard error. */
export function notes(call: Pick<Call, "terminal" | "program" | "quiet" | "json">): Listener {
  const { terminal, program, quiet, json } = call;
  return {
    speaks() {},
    text() {},
    file() {},
    asks(id, op, path) {
      if (quiet || json) return;
      for (const line of askWords(program, id, op, path)) terminal.note(line);
    },
  };
}

function askWords(
  program: string,
  id: string,
  op: string,
  path: string,
): readonly [string, string] {
  return [
    safeLine(`  waits for your yes: ${op} ${path}`),
    `  ${program} approve ${id}   or   ${program} deny ${id}`,
  ];
}
