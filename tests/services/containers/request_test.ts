/** What is written to `exec/new`: text for the shell, a list of words, or an object. */
import assert from "../../assert.ts";
import { execRequestOf } from "../../../src/services/containers/request.ts";

const asked = (text: string) => execRequestOf(new TextEncoder().encode(text));

Deno.test("a command is text, a list of words, or an object; what only looks like a list is text", () => {
  assert.deepEqual(asked("ls -l").command, "ls -l");
  assert.deepEqual(asked('["ls", "-l"]').command, ["ls", "-l"]);
  assert.deepEqual(asked('{"command":["ls"]}').command, ["ls"]);
  for (const text of ["[ -f x ] && echo y", '["a" = "b"] || true', "[a]"]) {
    assert.equal(asked(text).command, text);
  }
  assert.throws(() => asked('["ls", 1]'), { code: "invalid_request" });
  assert.throws(() => asked('["", "x"]'), { code: "invalid_request" });
});
