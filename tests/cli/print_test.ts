import { deepEqual, equal } from "../assert.ts";
import {
  ago,
  clip,
  count,
  facts,
  inline,
  safe,
  safeLine,
  size,
  span,
  table,
  width,
} from "../../src/cli/print.ts";
import { painter } from "../../src/cli/terminal.ts";

const plain = painter(false);
const NOW = Date.parse("2026-01-02T03:04:05.000Z");

Deno.test("columns stand under each other, whatever is in them", () => {
  const rows = [["bob", "3"], ["日本", "120"], [painter(true)("bold", "x"), "7"]];
  const lines = table([{ title: "ID" }, { title: "TICKS", right: true }], rows, plain);
  deepEqual(lines.map(width), [11, 11, 11, 11]);
  equal(lines[0], "ID    TICKS");
  equal(lines[1], "bob       3");
  equal(lines[2], "日本    120");
});

Deno.test("no line ends in blanks", () => {
  deepEqual(table([{ title: "A" }, { title: "LAST" }], [["1", "x"]], plain), ["A  LAST", "1  x"]);
  deepEqual(facts([["a", "1"], ["long", "2"]], plain), ["a     1", "long  2"]);
});

Deno.test("times are told from now", () => {
  equal(ago(new Date(NOW - 200).toISOString(), NOW), "now");
  equal(ago(NOW - 3_000, NOW), "3 s ago");
  equal(ago(NOW - 119_000, NOW), "1 min ago");
  equal(ago(NOW + 2 * 3_600_000, NOW), "in 2 h");
  equal(ago(NOW - 50 * 3_600_000, NOW), "2 d ago");
  equal(ago(null, NOW), "never");
  equal(span(6), "6 ms");
  equal(span(0.4), "0 ms");
});

Deno.test("sizes have three figures at the most", () => {
  deepEqual([0, 1023, 1024, 1536, 200 * 1024, 5 * 2 ** 30].map(size), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "200 KiB",
    "5.0 GiB",
  ]);
  equal(size(undefined), "-");
  equal(count(1, "tick"), "1 tick");
  equal(count(0, "tick"), "0 ticks");
});

Deno.test("nobody's text can move the cursor, set the title, or turn the line around", () => {
  equal(safe("a\x1b[2Jb\x07\u202ec\n\td"), "a\\x1b[2Jb\\x07\\x202ec\n\td");
  equal(safeLine("one\ntwo\tthree"), "one⏎two three");
  equal(safe("plain ünïcödé 日本 🙂"), "plain ünïcödé 日本 🙂");
});

Deno.test("what is too wide is cut where it is seen", () => {
  equal(clip("hello", 5), "hello");
  equal(clip("hello!", 5), "hell…");
  equal(width(clip("日本語日本語", 5)), 5);
});

Deno.test("a value is one line", () => {
  equal(inline("text"), "text");
  equal(inline({ a: [1] }), '{"a":[1]}');
});
