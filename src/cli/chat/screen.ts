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
      line(terminal.paint("yellow", safeLine(`  waits for your yes: ${op} ${path}`)));
      line(`  ${call.program} approve ${id}   or   ${call.program} deny ${id}`);
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
