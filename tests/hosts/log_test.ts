/** How log entries look, and that nothing that an agent logs can throw or grow. */
import assert from "../assert.ts";
import { errorText, logText, MAX_LOG_CHARS } from "../../src/hosts/log.ts";

Deno.test("strings as they are, values as JSON, errors on a line of their own", () => {
  assert.equal(logText(["got", 3, { a: [1n] }, null]), 'got 3 {"a":["1"]} null');
  assert.equal(logText(["failed:", new TypeError("no")]), "failed:\nTypeError: no");
  assert.equal(logText([undefined, Symbol("s")]), "undefined Symbol(s)");
  assert.equal(logText([]), "");
});

Deno.test("what cannot be shown does not throw", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const hostile = {
    toJSON: () => {
      throw new Error("no");
    },
  };
  const liar = Object.defineProperty(new Error(), "message", {
    get: () => {
      throw new Error("no");
    },
  });
  assert.match(
    logText([cycle, hostile, liar]),
    /cannot be shown.*cannot be shown.*cannot be shown/s,
  );
  assert.equal(errorText("plain"), "plain");
  assert.equal(errorText(undefined), "undefined");
  assert.equal(errorText({ code: 1 }), '{"code":1}');
});

Deno.test("an entry is cut, never inside a character, and says how much is missing", () => {
  const text = logText(["x".repeat(MAX_LOG_CHARS - 1) + "😀".repeat(10)]);
  assert.ok(text.isWellFormed());
  assert.ok(text.endsWith("… (20 more)"), text.slice(-30));
  assert.ok(logText(Array(1000).fill("y".repeat(1000))).length < MAX_LOG_CHARS + 100);
});
