/** Frames and tapes by themselves: cut anywhere, repeated, and broken. */
import assert from "../../assert.ts";
import { hasCode } from "../../../src/fs/error.ts";
import { type Frame, frameReader, tape } from "../../../src/providers/containers/frames.ts";
import { MARK_BYTE } from "../../../src/providers/containers/relay.ts";
import { bytesOf, textOf } from "./own_container.ts";

const MARK = "0123456789abcdef0123456789abcdef";
const END = String.fromCharCode(MARK_BYTE) + MARK;
const interrupted = (error: unknown) => hasCode(error, "interrupted");

function read(text: string, step = Infinity): Frame[] {
  const reader = frameReader("s"), bytes = bytesOf(text), frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    frames.push(...reader.push(bytes.subarray(at, at + step)));
  }
  return frames;
}

Deno.test("frames come whole, however they are cut", () => {
  const said = `h ${MARK}\ni\no 0 5\na\nb\nc.\ne 7 1\n..\nd e\nx 137 1\n`;
  const expected: Frame[] = [
    { is: "hello", mark: MARK },
    { is: "stdin" },
    { is: "chunk", stream: "stdout", begin: 0, bytes: bytesOf("a\nb\nc") },
    { is: "chunk", stream: "stderr", begin: 7, bytes: bytesOf(".") },
    { is: "done", stream: "stderr" },
    { is: "end", code: "137", oom: true },
  ];
  for (const step of [1, 2, 3, 7, Infinity]) assert.deepEqual(read(said, step), expected);
  assert.deepEqual(read("o 0 5\n00000r broken\n"), [{ is: "refused", why: "broken" }]);
  assert.deepEqual(read("r memory\n"), [{ is: "refused", why: "memory" }]);
});

Deno.test("what is no frame is refused, and nothing behind it is read", () => {
  const bad = [
    "o 0 0\n",
    "o 0 65537\n",
    "o 9007199254740991 1\n",
    "o -1 1\n",
    "x 256 0\n",
    "h short\n",
    "\n",
    "z\n",
    "a".repeat(64),
    "o 0 1\naX\n",
    "o 0 1\nai\n",
  ];
  for (const text of bad) assert.throws(() => read(text), interrupted, text);
  const reader = frameReader("s");
  assert.throws(() => [...reader.push(bytesOf("?\n"))], interrupted);
  assert.throws(() => [...reader.push(bytesOf("i\n"))], interrupted);
});

Deno.test("a tape gives each byte once, up to its mark, wherever that is cut", () => {
  const text = `one${String.fromCharCode(MARK_BYTE)}two${END}later`;
  for (let cut = 1; cut < text.length; cut++) {
    const one = tape("s", 0, MARK);
    const parts = [one.push(0, bytesOf(text.slice(0, cut)))];
    // The same again, as after an attach.
    parts.push(one.push(0, bytesOf(text.slice(0, cut))));
    parts.push(one.push(cut, bytesOf(text.slice(cut))));
    assert.equal(textOf(parts), text.slice(0, 7));
    assert.equal(one.position, 7);
    assert.ok(one.isEnded);
    // From any position on, the rest.
    const two = tape("s", Math.min(cut, 7), MARK);
    assert.equal(textOf([two.push(0, bytesOf(text))]), text.slice(Math.min(cut, 7), 7));
  }
  assert.throws(() => tape("s", 0, MARK).push(1, bytesOf("x")), interrupted);
});
