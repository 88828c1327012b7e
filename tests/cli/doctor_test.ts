/** What a look found, and how that reads. */
import { deepEqual, equal } from "../assert.ts";
import { type Finding, groupLines, look } from "../../src/cli/doctor/finding.ts";
import { isOlder } from "../../src/cli/doctor/machine.ts";
import { ask, modelsIn } from "../../src/cli/doctor/models.ts";
import { painter } from "../../src/cli/terminal.ts";
import { FileError } from "../../src/fs/error.ts";
import { VERSION_HEADER } from "../../src/http/app.ts";

Deno.test("what may not be looked at is no fault; all else that fails is", async () => {
  const fails = (error: unknown) =>
    look("thing", () => {
      throw error;
    });
  const unseen = (permission: string): Finding => ({
    name: "thing",
    state: "unseen",
    found: "this program may not look",
    todo: `It was started without --allow-${permission}.`,
  });
  deepEqual(await fails(new Error('Requires read access to "/x", run again')), unseen("read"));
  const caused = new FileError("io", "start", "agent process", {
    detail: 'it does not start: Requires run access to "/proc/self/exe"',
  });
  deepEqual(await fails(caused), unseen("run"));
  deepEqual(
    await fails(new Error("odd", { cause: new Error("Requires net access") })),
    unseen("net"),
  );
  deepEqual(await fails(new Error("odd")), { name: "thing", state: "broken", found: "odd" });
});

Deno.test("findings stand under each other, what to do below its own", () => {
  const lines = groupLines([
    {
      title: "Settings",
      findings: [
        { name: "listen", state: "ok", found: "127.0.0.1:8080", from: "AGENTD_LISTEN" },
        { name: "a name", state: "broken", found: "bad\x1b[2Jnews", todo: "Mend it." },
      ],
    },
    { title: "More", findings: [{ name: "x", state: "absent", found: "none" }] },
  ], painter(false));
  deepEqual(lines, [
    "Settings",
    `  ✓ listen  127.0.0.1:8080${" ".repeat(30)}AGENTD_LISTEN`,
    "  ✗ a name  bad\\x1b[2Jnews",
    "            Mend it.",
    "",
    "More",
    "  – x       none",
  ]);
});

Deno.test("versions are compared by their numbers", () => {
  equal(isOlder("2.7.9", "2.7.11"), true);
  equal(isOlder("2.7.11", "2.7.11"), false);
  equal(isOlder("2.10.0", "2.7.11"), false);
  equal(isOlder("1.99.99", "2.7.11"), true);
  equal(isOlder("3.0.0-rc.1+abc", "2.7.11"), false);
});

Deno.test("the models of either kind of server; an answer of another kind has none", () => {
  deepEqual(modelsIn({ object: "list", data: [{ id: "a" }, { id: "b" }] }), ["a", "b"]);
  deepEqual(modelsIn({ models: [{ name: "llama3:8b", size: 1 }] }), ["llama3:8b"]);
  deepEqual(modelsIn({ data: [] }), []);
  for (const other of [undefined, null, 1, [], {}, { data: 1 }]) equal(modelsIn(other), undefined);
});

Deno.test("agentd, which lists models too, is not taken for a model server", async () => {
  const found = async (headers: Record<string, string>) => {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => Response.json({ data: [{ id: "m" }] }, { headers }),
    );
    const { port } = server.addr;
    const told = await ask({ name: "llama.cpp", port, path: "/v1/models", start: "start it" });
    return [told.state, told.found.replace(`127.0.0.1:${port}`, "HERE")];
  };
  deepEqual(await found({}), ["ok", "HERE · m"]);
  deepEqual(await found({ [VERSION_HEADER]: "0.1.0" }), ["absent", "agentd is at HERE"]);
});
