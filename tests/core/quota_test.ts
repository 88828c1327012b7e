/** How much an agent may keep: what does not fit is refused and changes nothing, and what is removed makes room. */
import type { AgentStatus } from "../../src/core/view.ts";
import { codeOf, type FileError } from "../../src/fs/error.ts";
import { readJson, readText, writeBytes, writeJson, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { ID, inWorld, mustBeTidy, type World, world } from "../services/world.ts";

const LIMIT = 100_000;
const QUOTA = { code: "quota_exceeded" };

async function stored({ files }: World): Promise<number> {
  return (await readJson<AgentStatus>(files, "/status")).storage_bytes;
}

async function warnings({ files }: World): Promise<Record<string, unknown>[]> {
  const lines = (await readText(files, "/logs/trace")).trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter(({ type, warning }) =>
    type === "budget" && String(warning).includes("max_storage_bytes")
  );
}

function inSmall(
  name: string,
  run: (made: World) => Promise<void>,
  onTrigger?: Parameters<typeof world>[0],
): void {
  inWorld(name, run, onTrigger, { limits: { max_storage_bytes: LIMIT } });
}

inSmall(
  "what does not fit is refused, says by how much, and leaves what was there",
  async (made) => {
    const { files, tick, keys } = made;
    await writeText(files, "/files/a", "x".repeat(60_000));
    await rejects(
      writeText(files, "/files/b", "x".repeat(60_000)),
      (error: FileError) => {
        deepEqual([error.code, error.extra], ["quota_exceeded", {
          limit_bytes: LIMIT,
          stored_bytes: 60_000,
          asked_bytes: 60_000,
        }]);
        match(error.detail!, /max_storage_bytes/);
        return true;
      },
    );
    await rejects(writeText(files, "/files/a", "y".repeat(100_001)), QUOTA);
    equal(await readText(files, "/files/a"), "x".repeat(60_000));
    deepEqual((await files.list("/files")).map(({ name }) => name), ["a"]);
    mustBeTidy(made);
    equal(keys("draft/").length, 0);
    equal((await tick()).tick.success, true, "messages come in and are ticked");
  },
);

inSmall("in place of what is there, or when something was removed, it fits", async ({ files }) => {
  await writeText(files, "/files/a", "x".repeat(90_000));
  for (let n = 0; n < 20; n++) await writeText(files, "/files/a", String(n % 10).repeat(90_000));
  await rejects(writeText(files, "/files/b", "x".repeat(20_000)), QUOTA);
  await writeText(files, "/files/a", "less");
  await writeText(files, "/files/b", "x".repeat(20_000));
  await rejects(writeText(files, "/files/c", "x".repeat(90_000)), QUOTA);
  await files.remove("/files/b");
  await writeText(files, "/files/c", "x".repeat(90_000));
  await rejects(writeText(files, "/files/b", "x".repeat(20_000)), QUOTA);
});

inSmall("every kind of file counts", async (made) => {
  const { files } = made;
  await writeText(files, "/kv/k", JSON.stringify("x".repeat(50_000)));
  await writeJson(files, "/goals/g.json", { description: "d".repeat(9_000) });
  await writeText(files, "/files/f", "x".repeat(30_000));
  const bytes = await stored(made);
  ok(bytes > 89_000 && bytes < LIMIT);
  await rejects(writeText(files, "/kv/l", JSON.stringify("x".repeat(20_000))), QUOTA);
  await rejects(writeText(files, "/files/l", "x".repeat(20_000)), QUOTA);
  const long = { description: "d".repeat(9_900) };
  await writeJson(files, "/goals/g.json", long);
  await rejects(writeJson(files, "/goals/h.json", long), QUOTA);
  await files.remove("/kv/k");
  await writeJson(files, "/goals/h.json", long);
});

inSmall("a large file on its way is stopped as soon as it is too much", async (made) => {
  const { files, keys, runtime } = made;
  await runtime.configure(ID, { limits: { max_storage_bytes: 3 * 1024 * 1024 } }, "ann");
  let given = 0;
  async function* much() {
    for (; given < 200; given++) yield new Uint8Array(128 * 1024);
  }
  await rejects(writeBytes(files, "/files/big", much()), QUOTA);
  ok(given < 40, `it was read to its chunk ${given}`);
  deepEqual([keys("blob/"), keys("draft/")], [[], []]);
  await writeBytes(files, "/files/fits", new Uint8Array(2 * 1024 * 1024));
  await writeBytes(files, "/files/fits", new Uint8Array(2 * 1024 * 1024).fill(1)).catch((error) =>
    equal(codeOf(error), "quota_exceeded")
  );
  await files.remove("/files/fits");
  await writeBytes(files, "/files/again", new Uint8Array(2 * 1024 * 1024));
  mustBeTidy(made);
});

const codes: string[] = [];
inSmall(
  "an agent is told at the write, in its tick, and the rest of the tick stands",
  async (made) => {
    const { files, tick } = made;
    codes.length = 0;
    await tick();
    deepEqual(codes, ["done", "done", "done", "quota_exceeded", "quota_exceeded", "done", "done"]);
    const names = (await files.list("/files")).map(({ name }) => name);
    deepEqual(names, ["1", "2", "5"]);
    ok(await stored(made) <= LIMIT);
    mustBeTidy(made);
  },
  async (ctx) => {
    const tried = (work: Promise<unknown>) =>
      work.then(() => codes.push("done"), (error) => codes.push(codeOf(error)));
    const write = (name: string) => ctx.env.write(`/files/${name}`, "x".repeat(30_000));
    for (const name of ["1", "2", "3", "4"]) await tried(write(name));
    await tried(write("4"));
    await tried(ctx.env.remove("/files/3"));
    await tried(write("5"));
  },
);

inSmall("at four fifths it warns, once until there is room again", async (made) => {
  const { files } = made;
  await writeText(files, "/files/a", "x".repeat(79_000));
  deepEqual(await warnings(made), []);
  await writeText(files, "/files/b", "x".repeat(1_000));
  await writeText(files, "/files/c", "x".repeat(1_000));
  const [first, ...more] = await warnings(made);
  equal(more.length, 0);
  deepEqual([first!.limit_bytes, first!.stored_bytes], [LIMIT, 80_000]);
  await files.remove("/files/a");
  await writeText(files, "/files/d", "x".repeat(76_000));
  await writeText(files, "/files/e", "x".repeat(10_000));
  equal((await warnings(made)).length, 2);
});

Deno.test("the limit holds after a restart, and a limit that is raised at once", async () => {
  const first = await world(undefined, { limits: { max_storage_bytes: LIMIT } });
  await writeText(first.files, "/files/a", "x".repeat(60_000));
  await first.stop();
  const again = await world(undefined, {}, first.backend.reopen());
  await rejects(writeText(again.files, "/files/b", "x".repeat(60_000)), QUOTA);
  await again.runtime.configure(ID, { limits: { max_storage_bytes: 2 * LIMIT } }, "ann");
  await writeText(again.files, "/files/b", "x".repeat(60_000));
  await again.stop();
});

const FULL = { limits: { max_storage_bytes: LIMIT, retry_ms: [] } };

inWorld("a tick whose state or KV does not fit is undone, and says why", async (made) => {
  const { files, tick } = made;
  await tick("60000 0");
  equal((await tick("0 60000")).tick.error?.code, "quota_exceeded");
  equal(await readText(files, "/kv/k").catch(codeOf), "not_found");
  equal((await tick("60000 30000")).tick.success, true);
  equal((await tick("80000 30000")).tick.error?.code, "quota_exceeded");
  equal(JSON.parse(await readText(files, "/state")).text.length, 60_000);
  equal((await tick("50000 40000")).tick.success, true);
  await files.remove("/kv/k");
  equal((await tick("90000 0")).tick.success, true);
}, async (ctx, trigger) => {
  if (trigger.type !== "message") return;
  const [state, kv] = trigger.text.split(" ").map(Number) as [number, number];
  if (kv > 0) await ctx.kv.set("k", "x".repeat(kv));
  if (state > 0) (ctx.state as { text?: string }).text = "x".repeat(state);
}, FULL);
