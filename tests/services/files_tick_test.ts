/** `/files` in a tick: what the agent writes is its own until the commit, counts as a whole or not at all, and meets what others write. */
import { CHUNK_BYTES } from "../../src/core/blob.ts";
import { decodeJson } from "../../src/core/code.ts";
import { key } from "../../src/core/keys.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import type { FileService } from "../../src/fs/file.ts";
import { codeOf } from "../../src/fs/error.ts";
import { readBytes, readText, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, rejects } from "../assert.ts";
import { ID, mustBeTidy, world } from "./world.ts";

const BIG = new Uint8Array(3 * CHUNK_BYTES + 5).fill(7);

/** A world whose agent's first tick runs beside an operator. */
async function beside(
  agent: (ctx: AgentContext, operator: FileService, run: number) => Promise<void>,
) {
  let runs = 0;
  const made = await world(async (ctx) => await agent(ctx, made.files, ++runs));
  return { made, runs: () => runs };
}

Deno.test("others see what a tick wrote when it commits; the tick sees it at once", async () => {
  const { made } = await beside(async (ctx, operator) => {
    await ctx.env.write("/files/d/small", "text");
    await ctx.env.write("/files/big", BIG);
    await ctx.env.append("/files/big", "end");
    equal(await ctx.env.read("/files/d/small"), "text");
    equal((await ctx.env.readBytes("/files/big")).length, BIG.length + 3);
    deepEqual((await ctx.env.list("/files")).map((entry) => entry.name), ["big", "d"]);
    deepEqual(await operator.list("/files"), []);
    await rejects(operator.stat("/files/big"), { code: "not_found" });
  });
  equal((await made.tick()).tick.error, undefined);
  equal((await readBytes(made.files, "/files/big")).length, BIG.length + 3);
  equal(await readText(made.files, "/files/d/small"), "text");
  mustBeTidy(made);
  await made.stop();
});

Deno.test("a tick that fails leaves nothing of what it wrote, removed and changed", async () => {
  const made = await world(async (ctx, trigger) => {
    if (trigger.type !== "message") return;
    await ctx.env.write("/files/kept", BIG);
    await ctx.env.write("/files/kept-too", "x");
    if (trigger.text === "good") return;
    await ctx.env.write("/files/new", BIG);
    await ctx.env.write("/files/kept", BIG, { offset: 10 });
    await ctx.env.append("/files/kept", "more");
    await ctx.env.remove("/files/kept-too");
    throw new Error("no");
  }, { limits: { retry_ms: [] } });
  await made.tick("good");
  const before = made.keys("").filter((at) => /^(file|blob|draft)\//.test(at));
  equal((await made.tick("bad")).tick.success, false);
  deepEqual((await made.files.list("/files")).map((entry) => entry.name), ["kept", "kept-too"]);
  equal((await readBytes(made.files, "/files/kept")).length, BIG.length);
  deepEqual(made.keys("").filter((at) => /^(file|blob|draft)\//.test(at)), before);
  mustBeTidy(made);
  await made.stop();
});

Deno.test("chunks that a crash left are swept at the next start", async () => {
  const made = await world();
  const handle = await made.files.open("/files/half", "write");
  await handle.write(BIG);
  equal(made.keys("blob/").length, 3);
  const again = await world(() => {}, {}, made.backend.reopen());
  mustBeTidy(again);
  await again.stop();
});

Deno.test("writes of one tick that run at the same time all count", async () => {
  const { made } = await beside(async (ctx) => {
    const paths = Array.from({ length: 20 }, (_, i) => `/files/d/${i % 4}/${i}`);
    await Promise.all(paths.map((path) => ctx.env.write(path, path)));
    await Promise.all([1, 2, 3].map((n) => ctx.env.append("/files/log", `${n}\n`)));
    await Promise.all(paths.slice(0, 8).map((path) => ctx.env.remove(path)));
  });
  equal((await made.tick()).tick.error, undefined);
  const rows = made.backend.rows().get(ID)!;
  const children = (...names: string[]) =>
    decodeJson<{ children: number }>(rows.get(key.folder(names))!).children;
  deepEqual([children("d"), children("d", "0"), children("d", "3")], [4, 3, 3]);
  deepEqual((await readText(made.files, "/files/log")).trim().split("\n").sort(), ["1", "2", "3"]);
  await made.stop();
});

Deno.test("a refused write of a tick that goes on leaves nothing half done", async () => {
  const { made } = await beside(async (ctx) => {
    await ctx.env.write("/files/file", "x");
    const refused = ["/files/new/dir/x", "/files/file/x"].map((path) =>
      ctx.env.write(path, "x", { offset: 5 }).then(() => "done", codeOf)
    );
    deepEqual(await Promise.all(refused), ["range_not_satisfiable", "not_directory"]);
  });
  equal((await made.tick()).tick.error, undefined);
  deepEqual(made.keys("file/"), [key.file(["file"])]);
  await made.stop();
});

Deno.test("a tick that made a file where an operator made a directory is run again, and told", async () => {
  const codes: string[] = [];
  const { made, runs } = await beside(async (ctx, operator, run) => {
    codes.push(await ctx.env.write("/files/name", "agent").then(() => "done", codeOf));
    if (run === 1) await writeText(operator, "/files/name/below", "operator");
  });
  equal((await made.tick()).tick.error, undefined);
  deepEqual([codes, runs()], [["done", "is_directory"], 2]);
  equal(await readText(made.files, "/files/name/below"), "operator");
  mustBeTidy(made);
  await made.stop();
});

Deno.test("a tick that made a directory where an operator made a file is run again, and told", async () => {
  const codes: string[] = [];
  const { made } = await beside(async (ctx, operator, run) => {
    codes.push(await ctx.env.write("/files/name/below", "agent").then(() => "done", codeOf));
    if (run === 1) await writeText(operator, "/files/name", "operator");
  });
  equal((await made.tick()).tick.error, undefined);
  deepEqual(codes, ["done", "not_directory"]);
  equal(await readText(made.files, "/files/name"), "operator");
  await made.stop();
});

Deno.test("an operator who empties a directory does not take a tick's new file with it", async () => {
  const { made } = await beside(async (ctx, operator, run) => {
    await ctx.env.write("/files/d/new", "agent");
    if (run === 1) await operator.remove("/files/d/old");
  });
  await writeText(made.files, "/files/d/old", "x");
  equal((await made.tick()).tick.error, undefined);
  deepEqual((await made.files.list("/files/d")).map((entry) => entry.name), ["new"]);
  await made.files.remove("/files/d/new");
  deepEqual(made.keys("file/"), []);
  await made.stop();
});

Deno.test("a handle that a tick leaves open counts for nothing", async () => {
  const { made } = await beside(async (ctx) => {
    const handle = await ctx.env.files.open("/files/open", "write");
    await handle.write(BIG);
  });
  equal((await made.tick()).tick.error, undefined);
  await made.stop();
  deepEqual(await made.backend.storage(ID).list({ prefix: "file/" }), []);
  mustBeTidy(made);
});
