import { deepEqual, equal, throws } from "../assert.ts";
import { exitOf } from "../../src/cli/exit.ts";
import { idOf, targetOf } from "../../src/cli/target.ts";

Deno.test("an agent and a path, as people write them", () => {
  const paths = [
    "bob",
    "bob/",
    "bob/status",
    "bob/files/",
    "bob/files/a b.txt",
    "/agents/bob/kv/x",
  ];
  deepEqual(paths.map((p) => [targetOf(p).id, targetOf(p).path]), [
    ["bob", "/"],
    ["bob", "/"],
    ["bob", "/status"],
    ["bob", "/files/"],
    ["bob", "/files/a b.txt"],
    ["bob", "/kv/x"],
  ]);
  equal(idOf("bob/"), "bob");
});

Deno.test("what is malformed is a mistake of the one who typed it", () => {
  for (const text of ["Bob", "", "/", "bob/../ann", "bob//x", "../x", "bob/a\u0000"]) {
    throws(() => targetOf(text), (error: unknown) => exitOf(error) === 2, text);
  }
  throws(() => targetOf("/bob/status"), /does not say whose file it is/);
  throws(() => idOf("bob/status"), (error: unknown) => exitOf(error) === 2);
});
