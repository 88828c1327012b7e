/** A line as its keys come in from a terminal in raw mode: what was typed, what was taken back, when it is done. */

const ENTER = [0x0a, 0x0d];
const BACKSPACE = [0x08, 0x7f];
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const ESC = 0x1b;

/** `done` by Enter; `given up` by Ctrl-C, or by Ctrl-D on an empty line. */
export type Typing = "typing" | "done" | "given up";

export interface TypedLine {
  /** Takes bytes up to the end of the line; says how many of them. */
  take(bytes: Uint8Array): { readonly now: Typing; readonly bytes: number };
  readonly text: string;
}

export function typedLine(): TypedLine {
  let typed: number[] = [];
  /** Within an arrow or another key of many bytes, which types nothing. */
  let escape: "no" | "begun" | "going on" = "no";

  function key(byte: number): Typing {
    if (escape === "begun" && (byte === 0x5b || byte === 0x4f)) {
      escape = "going on";
      return "typing";
    }
    if (escape === "going on") {
      // Its last byte is a letter or `~`.
      if (byte >= 0x40 && byte <= 0x7e) escape = "no";
      return "typing";
    }
    escape = byte === ESC ? "begun" : "no";
    if (ENTER.includes(byte)) return "done";
    if (byte === CTRL_C || (byte === CTRL_D && typed.length === 0)) return "given up";
    if (BACKSPACE.includes(byte)) takeBack();
    else if (byte === CTRL_U) typed = [];
    else if (byte >= 0x20) typed.push(byte);
    return "typing";
  }
  /** A whole character, of however many bytes. */
  function takeBack(): void {
    while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
  }
  return {
    take(bytes) {
      for (const [i, byte] of bytes.entries()) {
        const now = key(byte);
        if (now !== "typing") return { now, bytes: i + 1 };
      }
      return { now: "typing", bytes: bytes.length };
    },
    get text() {
      return new TextDecoder().decode(Uint8Array.from(typed));
    },
  };
}
