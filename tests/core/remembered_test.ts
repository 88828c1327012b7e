/** What an agent remembers of ids is bounded: a hundred thousand, and none that still matters is forgotten. */
import assert from "../assert.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import { agent, ONCE, said, scene } from "../../conformance/ticks/scene.ts";
import type { Backend } from "../../src/core/backend.ts";
import { decodeJson, encodeJson } from "../../src/core/code.ts";
import { MARKS_KEPT } from "../../src/core/commit.ts";
import { SEEN_KEPT } from "../../src/core/inbox.ts";
import { key } from "../../src/core/keys.ts";
import type { SeenRow, Turn } from "../../src/core/record.ts";

/** As if the agent had come so far. */
async function skipTo(backend: Backend, change: Partial<Turn>): Promise<void> {
  const rows = backend.storage("one");
  const turn = decodeJson<Turn>((await rows.get(key.turn))!);
  const value = encodeJson({ ...turn, ...change });
  await rows.commit({ check: [], remove: [], put: [{ key: key.turn, value }] });
}

Deno.test("ids are remembered for a hundred thousand envelopes; those that wait or are dead letters for ever", async () => {
  assert.equal(SEEN_KEPT, 100_000);
  const { subject, close } = await memoryTicks().open();
  const heard: string[] = [];
  const s = await scene(subject, {
    one: agent((_, trigger) => {
      heard.push(said(trigger));
      if (said(trigger) === "dead") throw new Error("as it should");
    }),
  }, { limits: ONCE });
  const one = s.at("one");
  const send = (id: string) => one.send(id, { id });
  for (const id of ["old", "dead"]) await send(id);
  const jump = (inbox: number) =>
    s.restart("clean", { meanwhile: (backend) => skipTo(backend, { inbox }) });
  await jump(SEEN_KEPT - 1);
  for (const id of ["a", "b", "c"]) await send(id);
  await s.quiet();
  assert.equal((await send("old")).duplicate, true, "fewer than a hundred thousand came after it");
  await one.control("pause");
  await send("waits");
  await jump(SEEN_KEPT * 3 / 2 - 1);
  await one.control("resume");
  await one.control("pause");
  for (const id of ["d", "e", "f"]) await send(id);
  await s.quiet();
  const forgotten = async (id: string) =>
    await subject.backend.storage("one").get(key.seen(id)) === undefined;
  assert.equal(await forgotten("old"), true, "more than a hundred thousand came after it");
  assert.equal(await forgotten("dead"), false, "it is a dead letter");
  assert.equal(await forgotten("b"), false, "fewer came after it");
  assert.equal((await send("dead")).duplicate, true);
  assert.equal((await send("old")).duplicate, false, "what is forgotten is new");
  await one.control("resume");
  assert.equal(heard.filter((id) => id === "dead").length, 1);
  assert.equal(heard.filter((id) => id === "waits").length, 1);

  await one.control("pause");
  await send("long-ago");
  const row = decodeJson<SeenRow>(
    (await subject.backend.storage("one").get(key.seen("long-ago")))!,
  );
  await s.restart("clean", {
    // It has waited while two hundred thousand came and went; its own number stays.
    meanwhile: (backend) => skipTo(backend, { inbox: SEEN_KEPT * 4 - 1 }),
  });
  for (const id of ["g", "h", "i"]) await send(id);
  await s.quiet();
  assert.ok(row.n < SEEN_KEPT * 3);
  assert.equal((await send("long-ago")).duplicate, true, "it still waits");
  await close();
});

Deno.test("marks are remembered for a hundred thousand marks", async () => {
  assert.equal(MARKS_KEPT, 100_000);
  const { subject, close } = await memoryTicks().open();
  const seen: Record<string, boolean> = {};
  const s = await scene(subject, {
    one: agent(async (ctx, trigger) => {
      const [word, ...ids] = said(trigger).split(" ");
      for (const id of ids) {
        if (word === "mark") await ctx.markSeen(id);
        else seen[id] = await ctx.seen(id);
      }
    }),
  });
  const one = s.at("one");
  await one.send("mark old");
  const jump = (marks: number) =>
    s.restart("clean", { meanwhile: (backend) => skipTo(backend, { marks }) });
  await jump(60_000);
  await one.send("mark middle");
  await jump(99_996);
  await one.send("mark a b c d");
  await one.send("look old middle a");
  assert.deepEqual(seen, { old: true, middle: true, a: true }, "within a hundred thousand");
  await jump(149_998);
  await one.send("mark e f g h");
  await s.quiet();
  await one.send("look old middle a e");
  assert.deepEqual(seen, { old: false, middle: true, a: true, e: true });
  await close();
});
