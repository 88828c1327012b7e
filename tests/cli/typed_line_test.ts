import { deepEqual, equal } from "../assert.ts";
import { typedLine } from "../../src/cli/typed_line.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What comes of keys that come one byte at a time, as from a slow line. */
function typed(keys: string): [now: string, text: string] {
  const line = typedLine();
  let now = "typing";
  for (const byte of bytes(keys)) {
    ({ now } = line.take(Uint8Array.of(byte)));
    if (now !== "typing") break;
  }
  return [now, line.text];
}

Deno.test("a line is what was typed and not taken back", () => {
  deepEqual(typed("correct horse\r"), ["done", "correct horse"]);
  deepEqual(typed("correct horse\n"), ["done", "correct horse"]);
  deepEqual(typed("abc\x7f\x7fd\r"), ["done", "ad"]);
  deepEqual(typed("abc\x08\r"), ["done", "ab"]);
  deepEqual(typed("a\x7f\x7f\x7fb\r"), ["done", "b"]);
  deepEqual(typed("wrong\x15right\r"), ["done", "right"]);
  deepEqual(typed("\r"), ["done", ""]);
});

Deno.test("a character is taken back whole, of however many bytes", () => {
  deepEqual(typed("h\u00e9\x7fe\r"), ["done", "he"]);
  deepEqual(typed("\u{1f40e}\u{1f40e}\x7f\r"), ["done", "\u{1f40e}"]);
});

Deno.test("keys that type nothing are no part of it", () => {
  deepEqual(typed("a\x1b[Ab\x1b[3~c\x1bOPd\te\r"), ["done", "abcde"]);
});

Deno.test("Ctrl-C gives up at once, Ctrl-D where nothing was typed", () => {
  equal(typed("half\x03more\r")[0], "given up");
  equal(typed("\x04")[0], "given up");
  deepEqual(typed("a\x04b\r"), ["done", "ab"]);
});

Deno.test("what is behind the line is not taken", () => {
  const line = typedLine();
  const pasted = bytes("one\rtwo\r");
  deepEqual(line.take(pasted), { now: "done", bytes: 4 });
  equal(line.text, "one");
  const next = typedLine();
  deepEqual(next.take(pasted.subarray(4)), { now: "done", bytes: 4 });
  equal(next.text, "two");
});
