import fc from "fast-check";
import { deepEqual, throws } from "../assert.ts";
import { parseJsonc } from "../../src/cli/jsonc.ts";

Deno.test("comments and trailing commas are no part of the value", () => {
  const text = `{
    // a line
    "listen": "127.0.0.1:80", /* a
    block */ "hosts": ["a", "b",],
    "url": "http://x/*y*/", // not a comment in there
  }`;
  deepEqual(parseJsonc(text), {
    listen: "127.0.0.1:80",
    hosts: ["a", "b"],
    url: "http://x/*y*/",
  });
});

Deno.test("all JSON is read as JSON.parse reads it", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
    const text = JSON.stringify(value, null, indent);
    deepEqual(parseJsonc(text), JSON.parse(text));
  }));
});

Deno.test("what is no JSON stays an error", () => {
  for (
    const text of ["", "{,}", "[,]", "[1,,]", "{'a':1}", '{"a":1', "/* open", "[1] // x\n]", '"a']
  ) {
    throws(() => parseJsonc(text), SyntaxError, text);
  }
});

Deno.test("the fault is told by the line in which it stands", () => {
  throws(() => parseJsonc('{\n  // fine\n  "a": 1,\n  oops\n}'), /line 4, column 3/);
});
