/** Laws of others' hands: an operator who edits while a tick runs is never overwritten, and never in the way for good. */
import { holds, same } from "../expect.ts";
import { agent, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const conflictLaws: readonly TickLaw[] = [
  {
    id: "T52",
    name: "an_edit_during_a_tick_is_not_overwritten",
    says:
      "when somebody else changed a row that a tick has read and writes, the tick runs again at once on what stands now, and that does not count as a try",
    async test(subject) {
      const gates = [door(), door(), door()];
      const attempts: number[] = [];
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) !== "count") return void heard.push(said(trigger));
          attempts.push(ctx.tick.attempt);
          const n = await ctx.kv.get<number>("n") ?? 0;
          const file = await ctx.env.read("/files/f").catch(() => "");
          ctx.state.runs = (ctx.state.runs ?? 0) + 1;
          await gates[attempts.length - 1]?.pass();
          await ctx.kv.set("n", n + 1);
          await ctx.env.write("/files/f", `${file}+`);
          await ctx.env.write("/goals/g.json", { description: `run ${attempts.length}` });
          await ctx.send("one", "counted");
          await ctx.broadcast("counted", n + 1);
        }),
      }, { limits: ONCE });
      const one = s.at("one");
      await one.send("count");
      await one.write("/kv/n", 10);
      gates[0]!.open();
      await s.quiet();
      same(attempts, [1, 1], "tries after an edit of KV");
      await one.write("/files/f", "mine");
      gates[1]!.open();
      await s.quiet();
      same(attempts, [1, 1, 1], "tries after an edit of a file");
      await one.write("/kv/other", 1);
      gates[2]!.open();
      await s.quiet();
      same(attempts.length, 3, "tries after an edit of what the tick did not touch");
      same(await one.json("/kv/n"), 11, "the count");
      same(await one.read("/files/f"), "mine+", "the file");
      same(await one.state(), { runs: 1 }, "the state, of the last run alone");
      same(heard, ["counted"], "messages, of the last run alone");
      const events = await one.events("/outbox");
      same(events.map(({ seq, data }) => [seq, data]), [[1, 11]], "events, of the last run alone");
      same((await one.status()).failures, 0, "failures");
      const records = await one.events("/logs/trajectory", 0);
      same(records.map(({ seq }) => seq), records.map((_, i) => i + 1), "numbers of the records");
    },
  },
  {
    id: "T53",
    name: "after_three_conflicts_others_wait",
    says:
      "a tick that lost to others three times in a row goes before them: it commits, and then all that waited for it are done",
    async test(subject) {
      let runs = 0;
      const edits: Promise<void>[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          runs++;
          const n = await ctx.kv.get<number>("n") ?? 0;
          // Somebody edits in every run, and each time more of them stand in line.
          const mine = runs > 20 ? [] : [1, 2, 3].map((i) => edit(runs * 100 + i));
          edits.push(...mine);
          await Promise.race([mine[0], idle(500)]);
          await ctx.kv.set("n", n + 1);
        }),
      });
      const files = await s.at("one").files();
      async function edit(value: number): Promise<void> {
        const handle = await files.open("/kv/n", "write");
        await handle.write(new TextEncoder().encode(`${value}`));
        await handle.close();
      }
      /** Long enough for any edit that is not made to wait. */
      async function idle(turns: number): Promise<void> {
        while (turns-- > 0) await subject.backend.storage("one").get("turn");
      }
      await s.at("one").send("count");
      await s.answer(async () => void await Promise.all(edits));
      await s.quiet();
      // The edit that was under way when the others began to wait may still come before it.
      holds(runs === 4 || runs === 5, `three runs that lost and one that stands, not ${runs}`);
      same((await s.at("one").status()).tick_count, 1, "ticks");
      same(
        await s.at("one").json("/kv/n"),
        runs * 100 + 3,
        "what stands in the end: the last edit",
      );
      await s.at("one").write("/kv/n", 5);
      same(await s.at("one").json("/kv/n"), 5, "an edit afterwards");
    },
  },
  {
    id: "T54",
    name: "a_change_of_mounts_during_a_tick_is_kept",
    says:
      "a mount that an operator changes while a tick runs holds at once for that tick, and stands after its commit and in the record",
    async test(subject) {
      const gate = door();
      const told: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) !== "slow") return void (ctx.state.after = said(trigger));
          await ctx.env.write("/kv/a", "1");
          const before = told.length;
          if (before === 0) await gate.pass();
          told.push(await ctx.env.write("/files/b", "1").then(() => "written", (e) => e.code));
          told.push(await ctx.env.read("/kv/a").then(() => "read", (e) => e.code));
          ctx.state.told = told.length;
        }),
      });
      const one = s.at("one");
      await one.send("slow");
      const table = await one.json<{ path: string; access: string }[]>("/mounts");
      const changed = table.filter(({ path }) => path !== "/files")
        .map(({ path, access }) => ({ path, access }));
      await one.write("/mounts", changed);
      gate.open();
      await s.quiet();
      same(told.slice(0, 2), ["not_found", "read"], "what the running tick could do");
      const after = await one.json<{ path: string }[]>("/mounts");
      same(after.map(({ path }) => path), changed.map(({ path }) => path), "the table after it");
      await s.restart("crash");
      same(
        (await one.json<unknown[]>("/mounts")).length,
        changed.length,
        "the table after a crash",
      );
      const records = await one.events("/logs/trajectory", 0);
      same(records.filter(({ type }) => type === "mounts").length, 1, "the change in the record");
      await one.send("next");
      same((await one.state() as { after: string }).after, "next", "the agent goes on");
    },
  },
];
