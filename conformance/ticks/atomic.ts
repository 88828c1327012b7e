/** Laws of the one commit: what a tick does stands whole, or not at all. */
import type { AgentContext } from "../../src/core/agent.ts";
import type { AgentId } from "../../src/core/id.ts";
import { MAX_INLINE_BYTES } from "../../src/core/blob.ts";
import { holds, same } from "../expect.ts";
import { agent, AT_ONCE, type Door, door, ONCE, said, type Scene, scene } from "./scene.ts";
import type { TickLaw, TickSubject } from "./subject.ts";

/** More than a row holds as it is, so that it is kept in chunks. */
const LARGE = "large ".repeat(MAX_INLINE_BYTES / 4);

/** One effect of every kind. */
async function doEverything(ctx: AgentContext): Promise<void> {
  ctx.state.count = 1;
  await ctx.kv.set("kept", "new");
  await ctx.kv.delete("old");
  await ctx.env.write("/kv/by-file", "1");
  await ctx.env.write("/files/dir/a", "small");
  await ctx.env.write("/files/dir/b", LARGE);
  await ctx.env.append("/files/log", "line\n");
  await ctx.env.remove("/files/gone");
  await ctx.env.write("/goals/g.json", { description: "all or nothing" });
  await ctx.markSeen("mark");
  await ctx.send("other", { large: LARGE });
  await ctx.alarm(1_000, "ring");
  await ctx.cron("0 0 * * *", "daily");
  await ctx.reply("answer");
  await ctx.reply("second answer");
  await ctx.broadcast("told", { n: 1 });
  await ctx.env.write("/inbox", "to myself");
}

/** What stands before. */
async function prepare(ctx: AgentContext): Promise<void> {
  ctx.state.count = 0;
  await ctx.kv.set("old", "old");
  await ctx.env.write("/files/gone", "still here");
}

/** An agent that does everything when it is told to, and `other` that hears of it. */
async function everything(
  subject: TickSubject,
  end: (ctx: AgentContext) => void | Promise<void>,
  limits = ONCE,
): Promise<{ readonly s: Scene; readonly heard: string[] }> {
  const heard: string[] = [];
  const s = await scene(subject, {
    other: agent((_, trigger) => void heard.push(`other: ${trigger.type}`)),
    one: agent(async (ctx, trigger) => {
      if (said(trigger) !== "everything") return void heard.push(`one: ${said(trigger)}`);
      await doEverything(ctx);
      await end(ctx);
    }, { onCreate: prepare }),
  }, { limits });
  return { s, heard };
}

interface Outside {
  readonly state: unknown;
  readonly kv: readonly string[];
  readonly files: readonly string[];
  readonly goals: readonly string[];
  readonly outbox: readonly string[];
  readonly next_alarm: string | null;
}

/** What others see of an agent. */
async function seenFromOutside(s: Scene, id = "one"): Promise<Outside> {
  const one = s.at(id);
  const below = await one.names("/files");
  return {
    state: await one.state(),
    kv: await one.names("/kv"),
    files: below.includes("dir") ? [...below, ...await one.names("/files/dir")] : below,
    goals: await one.names("/goals"),
    outbox: (await one.events("/outbox")).map(({ type }) => type),
    next_alarm: (await one.status()).next_alarm,
  };
}

const BEFORE: Outside = {
  state: { count: 0 },
  kv: ["old"],
  files: ["gone"],
  goals: [],
  outbox: [],
  next_alarm: null,
};

/** Nothing is left of it: not in files, not in rows of any other kind, not at the other agent, not by the clock. */
async function nothingHappened(subject: TickSubject, s: Scene, heard: string[]): Promise<void> {
  same(await seenFromOutside(s), BEFORE, "what is seen of it");
  const rows = await subject.backend.storage("one").list({ prefix: "" });
  const kinds = new Set(rows.map(({ key }) => key.split("/")[0]!));
  for (const kind of ["mark", "send", "alarm", "alarmid", "reply", "pending", "outbox", "goal"]) {
    same(kinds.has(kind), false, `rows of ${kind}/ are left`);
  }
  await s.advance(2_000);
  same(heard, [], "what came of it");
}

export const atomicLaws: readonly TickLaw[] = [
  {
    id: "T8",
    name: "a_tick_commits_all_that_it_did",
    says:
      "state, KV, files of any size, goals, marks, messages, alarms, replies, events and the record stand after the tick, and its envelope is gone",
    async test(subject) {
      const { s, heard } = await everything(subject, () => {});
      const { envelope_id } = await s.at("one").send("everything");
      const seen = await seenFromOutside(s);
      same(seen, {
        state: { count: 1 },
        kv: ["by-file", "kept"],
        files: ["dir", "log", "a", "b"],
        goals: ["g.json"],
        outbox: ["reply", "reply", "event"],
        next_alarm: new Date(subject.clock.now() + 1_000).toISOString(),
      }, "what is seen of it");
      const one = s.at("one");
      same(await one.read("/files/dir/b"), LARGE, "the large file");
      same(heard, ["other: message", "one: to myself"], "messages that arrived");
      same(await one.names("/inbox"), ["overflow"], "what waits");
      const [record] = (await one.events("/logs/trajectory"))
        .filter((record) => record.envelope_id === envelope_id);
      same(record?.outcome, "committed", "the outcome in the record");
      const waited = await one.wait(envelope_id);
      same(waited.replies, [
        { kind: "text", text: "answer" },
        { kind: "text", text: "second answer" },
      ], "the replies, in their order");
      same(waited.tick.success, true, "the result");
      await s.advance(1_000);
      same(heard[2], 'one: alarm "ring"', "the alarm");
      await s.restart("crash");
      same((await seenFromOutside(s)).files, ["dir", "log", "a", "b"], "files after a crash");
    },
  },
  {
    id: "T9",
    name: "a_throw_leaves_nothing",
    says:
      "a handler that throws after it touched everything leaves none of it; only the record and the trace tell that it ran",
    async test(subject) {
      const { s, heard } = await everything(subject, () => {
        throw new Error("after all");
      });
      const { envelope_id } = await s.at("one").send("everything");
      await nothingHappened(subject, s, heard);
      const [record] = (await s.at("one").events("/logs/trajectory"))
        .filter((record) => record.envelope_id === envelope_id);
      same(record?.outcome, "rolled_back", "the outcome in the record");
      const trace = await s.at("one").events("/logs/trace");
      holds(
        trace.some((event) => event.type === "error" && event.envelope_id === envelope_id),
        "the trace tells of the error",
      );
      await s.restart("crash");
      await nothingHappened(subject, s, heard);
    },
  },
  {
    id: "T10",
    name: "nothing_is_seen_before_the_commit",
    says:
      "while a tick runs, others see nothing of what it does, and no message leaves; the agent itself reads what it wrote",
    async test(subject) {
      const gate = door();
      const own: unknown[] = [];
      const { s, heard } = await everything(subject, async (ctx) => {
        own.push(
          await ctx.kv.get("kept"),
          (await ctx.kv.list()).map(({ name }) => name),
          await ctx.env.read("/files/dir/a"),
          (await ctx.env.list("/files/dir")).map(({ name }) => name),
          (await ctx.env.list("/goals")).map(({ name }) => name),
          await ctx.env.read("/files/dir/b") === LARGE,
          await ctx.seen("mark"),
        );
        await gate.pass();
      });
      await s.at("one").send("everything");
      same(gate.callers, 1, "the tick runs");
      same(
        own,
        ["new", ["by-file", "kept"], "small", ["a", "b"], ["g.json"], true, true],
        "what the agent reads of its own writes",
      );
      same(await seenFromOutside(s), BEFORE, "what others see");
      same(heard, [], "messages that arrived");
      gate.open();
      await s.quiet();
      same((await seenFromOutside(s)).state, { count: 1 }, "the state after the commit");
    },
  },
  {
    id: "T11",
    name: "a_crash_in_a_tick_leaves_nothing",
    says:
      "when the process ends inside a tick, nothing of that try is left, and the envelope is ticked again",
    async test(subject) {
      const gates: Door[] = [door()];
      const attempts: number[] = [];
      const { s, heard } = await everything(subject, async (ctx) => {
        attempts.push(ctx.tick.attempt);
        await gates[0]?.pass();
      }, AT_ONCE);
      await s.at("one").send("everything");
      same(gates[0]!.callers, 1, "the tick runs");
      await s.restart("crash");
      same(gates[0]!.callers, 2, "the tick runs again");
      same(await seenFromOutside(s), BEFORE, "what is seen of the try that was cut off");
      gates.shift()!.open();
      await s.quiet();
      same((await seenFromOutside(s)).outbox, ["reply", "reply", "event"], "replies and events");
      same(heard.sort(), ["one: to myself", "other: message"], "messages, each once");
      holds(attempts.length === 2, "it was tried twice");
    },
  },
  {
    id: "T12",
    name: "what_comes_after_the_end_counts_for_nothing",
    says:
      "what a handler left behind when it ended cannot write, send or read any more, not even in the agent's next tick",
    async test(subject) {
      const gate = door();
      const late: string[] = [];
      const codes: unknown[] = [];
      const s = await scene(subject, {
        other: agent((_, trigger) => void late.push(`message ${said(trigger)}`)),
        one: agent(async (ctx, trigger) => {
          if (said(trigger) !== "leave something") {
            await gate.pass();
            await ctx.kv.set("own", "of this tick");
            return;
          }
          const tries: (() => unknown)[] = [
            () => ctx.kv.set("late", 1),
            () => ctx.kv.get("late"),
            () => ctx.env.write("/files/late", "x"),
            () => ctx.env.read("/status"),
            () => ctx.markSeen("late"),
            () => ctx.send("other", "late"),
            () => ctx.alarm(1, "late"),
            () => ctx.reply("late"),
            () => ctx.broadcast("late"),
            () => {
              ctx.state.late = true;
            },
            () => ctx.now(),
          ];
          (async () => {
            await gate.pass();
            for (const attempt of tries) {
              try {
                await attempt();
                codes.push("done");
              } catch (error) {
                codes.push((error as { code?: string }).code);
              }
            }
          })();
        }),
      });
      await s.at("one").send("leave something");
      await s.at("one").send("next");
      gate.open();
      await s.quiet();
      await s.advance(1_000);
      same(new Set(codes), new Set(["not_ready"]), "what the late tries were told");
      same(codes.length, 11, "how many there were");
      same(late, [], "messages that left");
      const seen = await seenFromOutside(s);
      same([seen.kv, seen.files, seen.outbox, seen.state], [["own"], [], [], {}], "what stands");
    },
  },
  {
    id: "T13",
    name: "effects_belong_to_their_agent",
    says:
      "two agents of the same code have each their own state, KV, files, marks and alarms, also when they tick at the same time",
    async test(subject) {
      const gate = door();
      const marks: Record<string, boolean> = {};
      const twin = agent(async (ctx, trigger) => {
        const { id } = ctx.agent;
        if (trigger.type === "alarm") return void (ctx.state.rang = trigger.payload);
        ctx.state.mine = id;
        await ctx.kv.set("mine", id);
        await gate.pass();
        await ctx.env.write("/files/mine", id);
        marks[id] = await ctx.seen("mark");
        await ctx.markSeen("mark");
        await ctx.alarm(1_000, id);
      });
      const s = await scene(subject, { left: twin, right: twin });
      await s.at("left").send("go");
      await s.at("right").send("go");
      gate.open();
      await s.quiet();
      await s.advance(1_000);
      for (const id of ["left", "right"]) {
        same(await s.at(id).state(), { mine: id, rang: id }, `state of ${id}`);
        same(await s.at(id).read("/kv/mine"), JSON.stringify(id), `KV of ${id}`);
        same(await s.at(id).read("/files/mine"), id, `file of ${id}`);
        same(marks[id], false, `the mark was not set in ${id}`);
      }
      holds(
        !(await s.runtime.list({})).some(({ id }) => id === ("other" as AgentId)),
        "there are no other agents",
      );
    },
  },
];
