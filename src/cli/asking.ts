/** Questions to whoever sits at the terminal, and the lines typed behind them. */
import { EXIT_INTERRUPTED } from "./exit.ts";
import { typedLine } from "./typed_line.ts";

export interface Asking {
  /** Shows the question and gives the line. Ctrl-C ends the program, and so does the end of the input. */
  ask(question: string, unseen: boolean): Promise<string>;
  /** Gives the terminal back as it was; the program ends now. */
  leave(): void;
}

/** @param show what writes to the terminal */
export function asking(
  input: () => ReadableStream<Uint8Array>,
  show: (text: string) => void,
): Asking {
  /** What was pasted behind the last line belongs to the next question. */
  let rest: Uint8Array = new Uint8Array(0);
  /** The terminal shows nothing, and Ctrl-C comes as a key. */
  let raw = false;
  function setRaw(on: boolean): void {
    if (raw !== on) Deno.stdin.setRaw(on);
    raw = on;
  }

  async function line(): Promise<string | undefined> {
    const typed = typedLine();
    const reader = input().getReader();
    try {
      while (true) {
        const taken = typed.take(rest);
        rest = rest.slice(taken.bytes);
        if (taken.now === "done") return typed.text;
        if (taken.now === "given up") return undefined;
        const { done, value } = await reader.read();
        if (done) return undefined;
        rest = value;
      }
    } finally {
      reader.releaseLock();
    }
  }

  return {
    async ask(question, unseen) {
      // Before the question: who answers fast is not to be shown either.
      if (unseen) setRaw(true);
      let typed: string | undefined;
      try {
        show(question);
        typed = await line();
      } finally {
        setRaw(false);
      }
      if (unseen || typed === undefined) show("\n");
      if (typed === undefined) Deno.exit(EXIT_INTERRUPTED);
      return typed;
    },
    leave: () => setRaw(false),
  };
}
