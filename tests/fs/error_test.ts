import assert from "../assert.ts";
import { codeOf, CODES, FileError, hasCode, isCode, retold } from "../../src/fs/error.ts";

Deno.test("the codes are the closed list, each with its HTTP status", () => {
  const list = `not_found 404 permission_denied 403 already_exists 409 not_directory 409
    is_directory 409 invalid_path 400 invalid_request 400 too_large 413 not_ready 409 conflict 409
    precondition_failed 412 range_not_satisfiable 416 budget_exceeded 402 insufficient_credits 402
    approval_required 403 auth_required 401 idempotency_required 400 max_cost_required 400
    inbox_full 503 rate_limited 429 quota_exceeded 507 not_supported 501 provider_unavailable 503
    timeout 504 interrupted 500 agent_error 500 out_of_memory 500 nondeterministic 500 corrupt 500
    io 500 internal 500`;
  const words = Object.entries(CODES).flatMap(([code, status]) => [code, String(status)]);
  assert.deepEqual(words, list.split(/\s+/));
});

Deno.test("names of Object.prototype are no codes", () => {
  for (const name of ["constructor", "__proto__", "toString", "", undefined, 404]) {
    assert.equal(isCode(name), false);
  }
});

Deno.test("an error says what was tried on what, and why", () => {
  const error = new FileError("not_found", "open", "/jobs/7", { detail: "no such job" });
  assert.equal(error.message, 'Cannot open "/jobs/7": not_found (no such job)');
  assert.equal(new FileError("io", "read", "/a\nb").message, 'Cannot read "/a\\nb": io');
});

Deno.test("a code is read from an error of another realm, and from nothing else", () => {
  assert.equal(codeOf({ name: "FileError", code: "conflict" }), "conflict");
  for (const other of [undefined, null, "not_found", { code: "not_found" }, new Error("x")]) {
    assert.equal(codeOf(other), "internal");
  }
  assert.equal(codeOf({ name: "FileError", code: "ENOENT" }), "internal");
  assert.ok(hasCode(new FileError("io", "read", "/"), "io"));
});

Deno.test("retold keeps code, detail, extra and cause, and tells the outer verb and path", () => {
  const cause = new Error("disk");
  const extra = { limit: 7, path: "/inner" };
  const inner = new FileError("too_large", "write", "/inner", { detail: "why", extra, cause });
  const outer = retold(inner, "append", "/m/f");
  assert.deepEqual(
    [outer.code, outer.op, outer.path, outer.detail, outer.extra, outer.cause],
    ["too_large", "append", "/m/f", "why", { limit: 7 }, cause],
  );
  assert.ok(!outer.message.includes("inner"));
});

Deno.test("what is no FileError is told as internal, its text in the cause alone", () => {
  for (const thrown of [new TypeError("secret"), "secret", undefined, { code: "not_found" }]) {
    const told = retold(thrown, "open", "/f");
    assert.equal(told.message, 'Cannot open "/f": internal');
    assert.equal(told.cause, thrown);
    assert.equal(told.detail, undefined);
  }
  assert.ok(retold(undefined, "open", "/" + "x".repeat(9999)).message.length < 400);
});
