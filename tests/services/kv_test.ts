/** `/kv` and `ctx.kv` are one store: JSON values under names that are file names. */
import { readJson, readText, watch, writeJson, writeText } from "../../src/fs/use.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";
import { inWorld } from "./world.ts";

const NAMES = ["a", "B", "user:1", "constructor", "__proto__", "ä b", "100%", "~"];

inWorld("what the agent sets is a file, and what is written the agent gets", async (made) => {
  const { files, tick } = made;
  await tick();
  const listed = (await files.list("/kv")).map((entry) => entry.name);
  deepEqual(listed, NAMES.concat("seen").toSorted((a, b) => a < b ? -1 : 1));
  for (const name of NAMES) deepEqual(await readJson(files, `/kv/${name}`), { name });
  await writeJson(files, "/kv/written", ["by", "the", "operator"]);
  await tick();
  deepEqual(await readJson(files, "/kv/seen"), ["by", "the", "operator"]);
}, async (ctx: AgentContext) => {
  for (const name of NAMES) await ctx.kv.set(name, { name });
  await ctx.kv.set("seen", (await ctx.kv.get("written")) ?? null);
});

inWorld("a value is JSON, and what is not is refused with how to write it", async ({ files }) => {
  await rejects(writeText(files, "/kv/a", "text"), { code: "invalid_request", message: /quotes/ });
  await rejects(writeText(files, "/kv/a", ""), { code: "invalid_request" });
  await writeText(files, "/kv/a", ' "text" ');
  equal(await readText(files, "/kv/a"), ' "text" ');
  const { version, size } = await files.stat("/kv/a");
  equal(size, 8);
  await writeJson(files, "/kv/a", 2, { match: version! });
  await rejects(writeJson(files, "/kv/a", 3, { match: version! }), { code: "precondition_failed" });
  await rejects(files.remove("/kv/a", { match: version! }), { code: "precondition_failed" });
  await files.remove("/kv/a");
  await rejects(readText(files, "/kv/a"), { code: "not_found" });
  const large = writeJson(files, "/kv/a", "x".repeat(512 * 1024));
  await rejects(large, { code: "too_large" });
});

inWorld("the store is watched, and listed in pages", async ({ files }) => {
  const abort = new AbortController();
  const events = await watch(files, "/kv", { signal: abort.signal });
  for (let i = 0; i < 5; i++) await writeJson(files, `/kv/${i}`, i);
  await writeJson(files, "/kv/0", "again");
  const page = await files.list("/kv", { after: "1", limit: 2 });
  deepEqual(page.map((entry) => entry.name), ["2", "3"]);
  for (let i = 0; i < 5; i++) {
    deepEqual((await events.next()).value, { type: "created", name: `${i}` });
  }
  deepEqual((await events.next()).value, { type: "modified", name: "0" });
  abort.abort();
  ok((await events.next()).done);
});
