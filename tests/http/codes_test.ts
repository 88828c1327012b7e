import assert from "../assert.ts";
import { type Code, CODES, FileError, isCode } from "../../src/fs/error.ts";
import { errorOf, isServers, problem, problemOf, wrongMethod } from "../../src/http/codes.ts";

const WITHHELD = ["io", "corrupt", "internal"];

Deno.test("every code is answered with its status and comes back as the same error", async () => {
  for (const code of Object.keys(CODES)) {
    assert.ok(isCode(code));
    const error = new FileError(code, "write", "/files/a", {
      detail: "why",
      extra: { limit: 3, names: ["a"], ok: true },
    });
    const response = problem(error, "/agents/abc/files/a");
    assert.equal(response.status, CODES[code]);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    const body = await response.json();
    assert.equal(body.status, CODES[code]);
    assert.equal(body.instance, "/agents/abc/files/a");
    assert.equal(typeof body.title, "string");
    assert.match(body.type, /^urn:agentd:error:/);
    const back = errorOf(body, "append", "/mine")!;
    assert.deepEqual([back.code, back.op, back.path], [code, "append", "/mine"]);
    if (WITHHELD.includes(code)) continue;
    assert.equal(back.detail, "why");
    assert.deepEqual(back.extra, { limit: 3, names: ["a"], ok: true });
    assert.equal(body.path, "/files/a");
  }
});

Deno.test("no stack, no cause, no word of what failed inside", async () => {
  const secret = new Error("/srv/agentd/data.db: disk I/O error");
  for (
    const error of [
      secret,
      "text",
      undefined,
      new FileError("io", "open", "/srv/agentd/data.db", { detail: secret.message, cause: secret }),
      new FileError("corrupt", "open", "/srv", { extra: { at: "/srv" } }),
    ]
  ) {
    const text = await problem(error, "/x").text();
    assert.doesNotMatch(text, /srv|disk|\.ts|at file/);
  }
  const full = new FileError("quota_exceeded", "commit", "/srv/agentd/data.db", {
    detail: "the disk is full: free some space",
    cause: secret,
  });
  assert.doesNotMatch(await problem(full).text(), /srv/);
  assert.match(problemOf(full).detail, /free some space/);
  assert.deepEqual([full, caused()].map(isServers), [true, false]);
  assert.doesNotMatch(await problem(caused()).text(), /srv|stack/);
});

Deno.test("what a caller is not told, the log is; what is the caller's own, it is not", () => {
  const of = (code: Code) => isServers(new FileError(code, "write", "/a"));
  assert.deepEqual(WITHHELD.map((code) => of(code as Code)), [true, true, true]);
  assert.deepEqual([of("quota_exceeded"), of("not_found")], [false, false]);
  assert.ok(isServers(new TypeError("a fault of the program")));
});

function caused(): FileError {
  return new FileError("conflict", "write", "/a", { detail: "d", cause: new Error("/srv") });
}

Deno.test("what an error adds cannot pose as a member of the problem", () => {
  const extra = { status: 200, code: "ok", title: "fine", type: "t", limit: 1 };
  const body = problemOf(new FileError("too_large", "write", "/a", { extra }), "/i");
  assert.deepEqual([body.status, body.code, body.title, body["limit"]], [
    413,
    "too_large",
    "Too large",
    1,
  ]);
});

Deno.test("headers that go with a code", () => {
  const headerOf = (error: FileError, name: string) => problem(error).headers.get(name);
  const plain = (code: "inbox_full" | "rate_limited" | "auth_required" | "conflict") =>
    new FileError(code, "send", "/inbox");
  assert.equal(headerOf(plain("inbox_full"), "retry-after"), "1");
  assert.equal(headerOf(plain("conflict"), "retry-after"), null);
  const later = new FileError("rate_limited", "enter", "", { extra: { retry_after_ms: 1_001 } });
  assert.equal(headerOf(later, "retry-after"), "2");
  assert.match(headerOf(plain("auth_required"), "www-authenticate") ?? "", /^Bearer/);
  const beyond = new FileError("range_not_satisfiable", "read", "/a", { extra: { size: 7 } });
  assert.equal(headerOf(beyond, "content-range"), "bytes */7");
});

Deno.test("a method that is not taken is 405, with those that are", async () => {
  const response = wrongMethod("PATCH", ["GET", "PUT"], "/x");
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, PUT");
  assert.equal((await response.json()).status, 405);
});

Deno.test("what is no problem of ours is none", () => {
  for (const body of [undefined, null, "not_found", {}, { code: "constructor" }, { code: 404 }]) {
    assert.equal(errorOf(body, "read", "/a"), undefined);
  }
});
