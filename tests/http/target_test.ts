import assert from "../assert.ts";
import { hasCode } from "../../src/fs/error.ts";
import { fileOf, plainPath, queryOf, rawPath, targetOf } from "../../src/http/target.ts";

const HOST = "http://localhost:8080";

Deno.test("segments are decoded once, and a last slash is kept", () => {
  const { names, dir, path, query } = targetOf(`${HOST}/agents/abc/files/a%20b%2525/?x=%2f#y`);
  assert.deepEqual(names, ["agents", "abc", "files", "a b%25"]);
  assert.equal(dir, true);
  assert.equal(path, "/agents/abc/files/a%20b%2525/");
  assert.equal(query?.get("x"), "/");
  assert.equal(fileOf(targetOf(`${HOST}/agents/abc/files/x/`), 2), "/files/x/");
  assert.equal(fileOf(targetOf(`${HOST}/agents/abc/`), 2), "/");
  assert.equal(fileOf(targetOf(`${HOST}/agents/abc`), 2), "/");
});

Deno.test("a path without a path is the root", () => {
  assert.equal(rawPath("http://localhost"), "/");
  assert.deepEqual(targetOf("http://localhost/?a").names, []);
  assert.equal(rawPath(`${HOST}/a?b/c`), "/a");
  assert.equal(rawPath(`${HOST}/a#b?c`), "/a");
});

for (
  const path of [
    "/agents/abc/logs/%2e%2e/status",
    "/agents/abc/logs/../status",
    "/agents/abc/./status",
    "/agents/abc/%2E/status",
    "/agents/abc/a%2fb",
    "/agents/abc/a%2Fb",
    "/agents/abc/a%00b",
    "/agents/abc/a%0ab",
    "/agents/abc//status",
    "//agents/abc",
    "/agents/abc/%",
    "/agents/abc/%zz",
    "/agents/abc/%ff",
    "/agents/abc/%ed%a0%80",
    `/agents/abc/${"a".repeat(256)}`,
  ]
) {
  Deno.test(`invalid_path: ${path.slice(0, 60)}`, () => {
    assert.throws(() => targetOf(HOST + path), (error: unknown) => hasCode(error, "invalid_path"));
  });
}

Deno.test("an encoded dot is decoded once: what is left of an escape is a name", () => {
  assert.deepEqual(targetOf(`${HOST}/a/%252e%252e/%25`).names, ["a", "%2e%2e", "%"]);
});

Deno.test("the router sees a path without needless escapes, and never one that an escape has changed", () => {
  const at = (path: string) => plainPath(HOST + path);
  assert.equal(at("/agents/%61bc/%73end?x=%61"), "/agents/abc/send");
  assert.equal(at("/agents/a%2Fb/%25/%00/%C3%A4"), "/agents/a%2Fb/%25/%00/%C3%A4");
  assert.equal(at("/agents/abc/%2e%2e/status"), "/agents/abc/../status");
  assert.equal(at("/agents/%2573end"), "/agents/%2573end");
});

Deno.test("a query is taken apart alike, with something to decode or without", () => {
  for (
    const text of ["a=1&b&aa=2&a=3&=x&c=", "a=1&b&aa=2&a=3&=x&c=&d=%20", "a=1&b&aa=2&a=3&=x&c=&+"]
  ) {
    const params = new URLSearchParams(text);
    for (const name of ["a", "aa", "b", "c", "z", "", "constructor"]) {
      assert.equal(queryOf(text).get(name), params.get(name) ?? undefined, `${name} of ${text}`);
    }
  }
  assert.equal(queryOf("after=a%2Fb+c").get("after"), "a/b c");
});
