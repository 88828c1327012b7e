import fc from "fast-check";
import assert from "../assert.ts";
import { codeOf } from "../../src/fs/error.ts";
import {
  baseName,
  byteOrder,
  isDirPath,
  joinPath,
  MAX_PATH_BYTES,
  MAX_SEGMENT_BYTES,
  segmentFault,
  segments,
} from "../../src/fs/path.ts";

const encoder = new TextEncoder();
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => segmentFault(text) === undefined);

Deno.test("segments and joinPath are each other's inverse", () => {
  fc.assert(fc.property(fc.array(name, { maxLength: 8 }), (names) => {
    assert.deepEqual(segments(joinPath(names)), names);
    if (names.length) assert.deepEqual(segments(joinPath(names) + "/"), names);
  }));
});

Deno.test("a path that is taken has no segment which could lead out of a directory", () => {
  const piece = fc.constantFrom(
    "a",
    "..",
    ".",
    "/",
    "//",
    "\\",
    "%2e",
    "\u0000",
    "\ud800",
    "é",
    "...",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
    const path = "/" + pieces.join("");
    let names: string[];
    try {
      names = segments(path);
    } catch (error) {
      return assert.equal(codeOf(error), "invalid_path");
    }
    for (const name of names) {
      assert.ok(name !== "" && name !== "." && name !== ".." && !name.includes("/"));
      assert.ok(!name.includes("\u0000") && name.isWellFormed());
    }
  }));
});

Deno.test("the limits are in bytes, and the last byte within them is taken", () => {
  assert.deepEqual(segments("/" + "a".repeat(MAX_SEGMENT_BYTES)), ["a".repeat(255)]);
  assert.deepEqual(segments("/" + "é".repeat(127)).length, 1);
  assert.throws(() => segments("/" + "é".repeat(128)), { code: "invalid_path" });
  const longest = "/" + "abcdefg/".repeat(511) + "abcdefg";
  assert.equal(longest.length, MAX_PATH_BYTES);
  assert.equal(segments(longest).length, 512);
  assert.throws(() => segments(longest + "/"), { code: "invalid_path" });
});

Deno.test("an error about a path repeats at most its beginning, and says which verb it was", () => {
  const path = "/" + "x".repeat(100_000);
  try {
    segments(path, "mount");
    assert.fail("it is too long");
  } catch (error) {
    const { op, path, message } = error as { op: string; path: string; message: string };
    assert.deepEqual([op, path.length], ["mount", 200]);
    assert.ok(message.length < 400);
  }
});

Deno.test("byteOrder is the order of the UTF-8 bytes", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 });
  fc.assert(fc.property(text, text, (a, b) => {
    const [x, y] = [encoder.encode(a), encoder.encode(b)];
    const at = x.findIndex((byte, i) => byte !== y[i]);
    const bytes = at >= 0 && at < y.length ? x[at]! - y[at]! : x.length - y.length;
    assert.equal(Math.sign(byteOrder(a, b)), Math.sign(bytes));
  }));
  assert.deepEqual(["🙂", "ｚ", "a", "B", "é"].sort(byteOrder), ["B", "a", "é", "ｚ", "🙂"]);
});

Deno.test("the base name is the last segment, with or without a last slash", () => {
  assert.deepEqual(["/", "/a", "/a/b", "/a/b/"].map(baseName), ["", "a", "b", "b"]);
  assert.deepEqual(["/", "/a", "/a/"].map(isDirPath), [false, false, true]);
});
