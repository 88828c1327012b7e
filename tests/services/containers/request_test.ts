/** What is written to `exec/new`: text for the shell, a list of words, or an object. */
import assert from "../../assert.ts";
import { execRequestOf, requestOf } from "../../../src/services/containers/request.ts";

const asked = (text: string) => execRequestOf(new TextEncoder().encode(text));

Deno.test("a command is text, a list of words, or an object; what only looks like a list is text", () => {
  assert.deepEqual(asked("ls -l").command, "ls -l");
  assert.deepEqual(asked('["ls", "-l"]').command, ["ls", "-l"]);
  assert.deepEqual(asked('{"command":["ls"]}').command, ["ls"]);
  for (const text of ["[ -f x ] && echo y", '["a" = "b"] || true', "[a]"]) {
    assert.equal(asked(text).command, text);
  }
  for (const text of ["{ echo a; echo b; } | sort", "{\n  ls\n}", " { ls; }"]) {
    assert.equal(asked(text).command, text);
  }
  for (const text of ["{", "{}", "{ }", '{ "command": 1 }', "{command: ls}", '{"command":"ls"']) {
    assert.throws(() => asked(text), { code: "invalid_request" }, text);
  }
  assert.throws(() => asked('["ls", 1]'), { code: "invalid_request" });
  assert.throws(() => asked('["", "x"]'), { code: "invalid_request" });
});

Deno.test("what no program can be given, or would be left out, is refused with its place", () => {
  const wrong: [RegExp, object][] = [
    [/command: .*Unicode/, { command: "echo \ud800" }],
    [/command\.1: .*Unicode/, { command: ["echo", "\ud800"] }],
    [/stdin: .*Unicode/, { command: "cat", stdin: "\udc00" }],
    [/env\.A: .*Unicode/, { command: "ls", env: { A: "\ud800" } }],
    [/env\.__proto__/, { command: "ls", env: { ["__proto__"]: "x" } }],
  ];
  for (const [message, request] of wrong) {
    assert.throws(() => asked(JSON.stringify(request)), { code: "invalid_request", message });
  }
  const nested = `["ls",${"[".repeat(100_000)}${"]".repeat(100_000)}]`;
  assert.throws(() => asked(nested), { code: "invalid_request" });
});

Deno.test("a branch may be called whatever git lets it be called", () => {
  const of = (git_ref: string) =>
    requestOf(new TextEncoder().encode(JSON.stringify({
      commands: ["ls"],
      repo: { url: "https://x/y", git_ref },
    }))).repo!.git_ref;
  for (const name of ["HEAD", "größe", "fix#12", "v1.0+rc,2", "a@b", "refs/heads/x"]) {
    assert.equal(of(name), name);
  }
  for (
    const name of ["", "-x", "+x", "a b", "a..b", "a:b", "a@{1}", "HEAD^", "x.lock", "/a", "a/"]
  ) {
    assert.throws(() => of(name), { code: "invalid_request" }, name);
  }
});
