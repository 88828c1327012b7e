import { deepEqual, equal, match } from "../assert.ts";
import { CODES, FileError } from "../../src/fs/error.ts";
import {
  asFailure,
  EXIT,
  exitOf,
  exitOfCode,
  jsonOf,
  lineOf,
  trouble,
  usage,
} from "../../src/cli/exit.ts";

Deno.test("exit codes are what the command line promises", () => {
  deepEqual(EXIT, { done: 0, failed: 1, usage: 2, notFound: 3, refused: 4, unreachable: 5 });
});

Deno.test("a code of the closed list ends the program by its HTTP status", () => {
  const by: Record<number, number> = { 401: 4, 402: 4, 403: 4, 429: 4, 404: 3 };
  for (const [code, status] of Object.entries(CODES)) {
    equal(exitOfCode(code as keyof typeof CODES), by[status] ?? 1, code);
  }
  equal(exitOf(new FileError("not_found", "open", "/x")), 3);
  equal(exitOf(new Error("anything else")), 1);
  equal(exitOf(usage("what?")), 2);
});

Deno.test("an error is one line, with what to try at its end", () => {
  equal(lineOf(trouble(1, "It broke", "Mend it.")), "It broke. Mend it.");
  equal(lineOf(trouble(2, "Which one?", "This one.")), "Which one? This one.");
  equal(
    lineOf(new FileError("not_found", "revoke", "/runtime/tokens/12", { detail: "no such token" })),
    "Cannot revoke 12: no such token (not_found)",
  );
  equal(lineOf(trouble(1, "It broke.\n  Badly")), "It broke. Badly");
  const refused = new FileError("not_ready", "tick", "/agents/bob/tick", {
    detail: "it is paused",
  });
  equal(lineOf(refused), "Cannot tick bob: it is paused (not_ready)");
  // An operator's token would not help.
  const forbidden = new FileError("permission_denied", "read", "bob/http/new", {
    detail: "x.com is not among the allowed_hosts of /http/policy",
  });
  match(lineOf(forbidden), /\/http\/policy \(permission_denied\)$/);
  equal(lineOf(new FileError("not_found", "open", "bob/x")), "Cannot open bob/x: not_found");
  match(
    lineOf(new FileError("auth_required", "list", "/agents")),
    /^Cannot list \/agents: auth_required\. .*AGENTD_TOKEN\.$/,
  );
});

Deno.test("what no server has refused needs no token of one", () => {
  const why = { detail: "this user may not write here" };
  const error = asFailure(new FileError("permission_denied", "create", "/data", why));
  equal(exitOf(error), EXIT.failed);
  equal(lineOf(error), "Cannot create /data: this user may not write here (permission_denied)");
});

Deno.test("machines get the same with its code", () => {
  const { error } = jsonOf(new FileError("not_found", "open", "/x"));
  deepEqual(error, { code: "not_found", message: 'Cannot open "/x": not_found', exit: 3 });
});
