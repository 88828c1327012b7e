/** `/goals`: checked, filled in, changed in part, guarded by version. */
import { readJson, watch, writeJson, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, rejects } from "../assert.ts";
import { inWorld } from "./world.ts";

const START = "2026-01-01T00:00:00.000Z";

inWorld(
  "a goal is made from its description, and a write changes what it names",
  async ({ files, backend }) => {
    await writeJson(files, "/goals/g1.json", { description: "learn" });
    const made = {
      id: "g1",
      description: "learn",
      status: "active",
      progress: 0,
      created_at: START,
      updated_at: START,
    };
    deepEqual(await readJson(files, "/goals/g1.json"), made);
    await backend.clock.advance(1000);
    await writeJson(files, "/goals/g1.json", {
      ...made,
      status: "completed",
      created_at: "1999-01-01T00:00:00Z",
    });
    const updated_at = "2026-01-01T00:00:01.000Z";
    deepEqual(await readJson(files, "/goals/g1.json"), {
      ...made,
      status: "completed",
      updated_at,
    });
    await writeJson(files, "/goals/g1.json", { progress: 0.5 });
    deepEqual(await readJson(files, "/goals/g1.json"), {
      ...made,
      status: "completed",
      progress: 0.5,
      updated_at,
    });
    equal((await files.stat("/goals/g1.json")).modified, Date.parse(updated_at));
  },
);

inWorld("a bad goal is refused with what was wrong, and changes nothing", async ({ files }) => {
  await writeJson(files, "/goals/g1.json", { description: "learn" });
  const before = await readJson(files, "/goals/g1.json");
  const bad: [unknown, RegExp][] = [
    [{ progress: 1.1 }, /progress/],
    [{ progress: -0.1 }, /progress/],
    [{ progress: "1" }, /progress/],
    [{ status: "done" }, /status/],
    [{ description: "" }, /description/],
    [{ id: "g2" }, /id/],
    [{ wish: 1 }, /wish/],
    [[], /object/],
    [null, /object/],
    ["x", /object/],
  ];
  for (const [value, message] of bad) {
    await rejects(writeJson(files, "/goals/g1.json", value), { code: "invalid_request", message });
  }
  await rejects(writeText(files, "/goals/g1.json", "{"), { code: "invalid_request" });
  await rejects(writeJson(files, "/goals/g2.json", {}), {
    code: "invalid_request",
    message: /description/,
  });
  const late = { description: "x", created_at: "yesterday" };
  await rejects(writeJson(files, "/goals/g2.json", late), { message: /created_at/ });
  for (const name of ["g1", "g1.txt", ".json", "-a.json", "a b.json"]) {
    const write = writeJson(files, `/goals/${name}`, { description: "x" });
    await rejects(write, { code: "invalid_path" }, name);
  }
  deepEqual(await readJson(files, "/goals/g1.json"), before);
  deepEqual((await files.list("/goals")).map((entry) => entry.name), ["g1.json"]);
});

inWorld("a version guards a goal, and a removed one is gone", async ({ files }) => {
  await writeJson(files, "/goals/g1.json", { description: "learn" });
  const { version } = await files.stat("/goals/g1.json");
  await writeJson(files, "/goals/g1.json", { progress: 0.5 }, { match: version! });
  const late = writeJson(files, "/goals/g1.json", { progress: 0.7 }, { match: version! });
  await rejects(late, { code: "precondition_failed" });
  await rejects(files.remove("/goals/g1.json", { match: version! }), {
    code: "precondition_failed",
  });
  await files.remove("/goals/g1.json");
  await rejects(files.stat("/goals/g1.json"), { code: "not_found" });
  await rejects(files.remove("/goals/g1.json"), { code: "not_found" });
});

inWorld("names of Object.prototype are names of goals", async ({ files }) => {
  await rejects(files.stat("/goals/constructor.json"), { code: "not_found" });
  await writeJson(files, "/goals/constructor.json", { description: "x" });
  equal((await readJson<{ id: string }>(files, "/goals/constructor.json")).id, "constructor");
  await writeText(files, "/goals/p.json", '{"description":"x","__proto__":{"status":"abandoned"}}')
    .catch(() => {});
  const status = await readJson<{ status: string }>(files, "/goals/p.json").then(
    (g) => g.status,
    () => "refused",
  );
  equal(status === "active" || status === "refused", true);
});

inWorld("goals are listed in pages, and watched one by one and all together", async ({ files }) => {
  const abort = new AbortController();
  const all = await watch(files, "/goals", { signal: abort.signal });
  for (const id of ["b", "a", "a-b", "a.b"]) {
    await writeJson(files, `/goals/${id}.json`, { description: id });
  }
  const one = await watch(files, "/goals/b.json", { signal: abort.signal });
  await writeJson(files, "/goals/b.json", { progress: 1 });
  await files.remove("/goals/b.json");
  const names: string[] = [];
  let after: string | undefined;
  while (true) {
    const page = await files.list("/goals", {
      limit: 1,
      ...(after === undefined ? {} : { after }),
    });
    if (page.length === 0) break;
    after = page[0]!.name;
    names.push(after);
  }
  deepEqual(names.sort(), ["a-b.json", "a.b.json", "a.json"]);
  deepEqual((await one.next()).value, { type: "modified" });
  deepEqual((await one.next()).value, { type: "deleted" });
  deepEqual((await all.next()).value, { type: "created", name: "b.json" });
  for (let i = 0; i < 3; i++) await all.next();
  deepEqual((await all.next()).value, { type: "modified", name: "b.json" });
  deepEqual((await all.next()).value, { type: "deleted", name: "b.json" });
  abort.abort();
});

inWorld(
  "goals that are given at create stand",
  async ({ files }) => {
    const [entry] = await files.list("/goals");
    const goal = await readJson<{ description: string }>(files, `/goals/${entry!.name}`);
    equal(goal.description, "from the start");
  },
  undefined,
  { goals: ["from the start"] },
);
