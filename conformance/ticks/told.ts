/** Laws of what is told while it happens: the trace, and how an agent is. */
import type { StreamEvent } from "../../src/fs/file.ts";
import { watch } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import { agent, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const toldLaws: readonly TickLaw[] = [
  {
    id: "T66",
    name: "the_trace_is_seen_while_it_happens",
    says:
      "a watcher of the trace, outside or the agent itself, sees the events of a tick while it runs, in order and each once; those of a try that failed stay, and a restart goes on with their numbers",
    async test(subject) {
      const gate = door();
      const own: string[] = [];
      const s = await scene(subject, {
        two: agent(() => {}),
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "watch") {
            for await (const event of ctx.env.watch<StreamEvent>("/logs/trace", { tail: 1 })) {
              if (own.push(event.type) === 1) ctx.log.info("from inside");
              if (event.type === "log") break;
            }
            return;
          }
          ctx.log.warn("a line", { n: 1 });
          await ctx.env.write("/kv/a", "1");
          await ctx.env.read("/nowhere").catch(() => {});
          await ctx.send("two", "x");
          await ctx.alarm(60_000);
          await gate.pass();
          throw new Error("after all");
        }),
      }, { limits: ONCE });
      const seen: StreamEvent[] = [];
      const leave = new AbortController();
      const files = await s.at("one").files();
      const watching = (async () => {
        const events = await watch<StreamEvent>(files, "/logs/trace", {
          after: 0,
          signal: leave.signal,
        });
        for await (const event of events) seen.push(event);
      })();
      const { envelope_id } = await s.at("one").send("go");
      const types = () => seen.filter((e) => e.envelope_id === envelope_id).map(({ type }) => type);
      const want = [
        "message_in",
        "tick_start",
        "log",
        "file_call",
        "file_result",
        "file_call",
        "file_result",
        "message_out",
        "alarm",
      ];
      same(types(), want, "what is seen while the tick runs");
      gate.open();
      await s.quiet();
      same(
        types().slice(want.length),
        ["error", "tick_end", "lifecycle"],
        "what is seen when it failed",
      );
      const log = seen.find(({ type }) => type === "log")!;
      same([log.level, log.text], ["warn", 'a line {"n":1}'], "a log line");
      const start = seen.find(({ type }) => type === "tick_start")!;
      holds(String(start.tick_id).startsWith("tick_"), "events name their tick");
      await s.at("one").send("watch");
      same(own.at(-1), "log", "what the agent sees of itself");
      leave.abort();
      await s.answer(() => watching);
      const kept = await s.at("one").events("/logs/trace", 0);
      same(kept.slice(0, seen.length), seen, "what was watched is what is kept");
      same(kept.map(({ seq }) => seq), kept.map((_, i) => i + 1), "the numbers");
      await s.restart("clean");
      await s.at("one").send("watch");
      const later = await s.at("one").events("/logs/trace", 0);
      same(later.slice(0, kept.length), kept, "what is kept over a restart");
      same(later.map(({ seq }) => seq), later.map((_, i) => i + 1), "the numbers after a restart");
      await s.restart("crash");
      await s.at("one").send("watch");
      const numbers = (await s.at("one").events("/logs/trace")).map(({ seq }) => seq);
      same(numbers, [...new Set(numbers)].sort((a, b) => a - b), "the numbers after a crash");
    },
  },
  {
    id: "T67",
    name: "the_status_counts",
    says:
      "`/status` tells the agent's state, its ticks, what waits, its dead letters, its last tick and error, and what it stores; the agent reads it in its tick",
    async test(subject) {
      const own: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          const { id, state, queue_depth } = await ctx.env.readJson<{
            id: string;
            state: string;
            queue_depth: number;
          }>("/status");
          own.push([id, state, queue_depth]);
          if (said(trigger) === "fails") throw new Error("the reason");
          ctx.state.text = "x".repeat(100);
          await ctx.kv.set("k", "y".repeat(1_000));
          await ctx.env.write("/files/f", "z".repeat(100_000));
        }),
      }, { limits: ONCE, name: "The One" });
      const one = s.at("one", "ann");
      const made = await one.status();
      same(
        [made.id, made.name, made.agent, made.state],
        ["one", "The One", "one", "active"],
        "a new one",
      );
      same([made.tick_count, made.last_tick_at, made.last_error], [0, null, null], "before a tick");
      await one.send("go");
      await s.advance(1_000);
      await one.send("fails");
      const status = await one.status();
      same([status.tick_count, status.queue_depth, status.dead_letters, status.failures], [
        1,
        0,
        1,
        1,
      ], "counts");
      same(status.last_tick_at, new Date(subject.clock.now()).toISOString(), "the last tick");
      same(status.last_tick_cause, "message http:ann", "its cause");
      same([status.last_error?.code, status.last_error?.message.includes("the reason")], [
        "agent_error",
        true,
      ], "the last error");
      const stored = status.storage_bytes;
      holds(stored >= 101_100 && stored < 103_000, `what it stores: ${stored}`);
      same(own, [["one", "active", 1], ["one", "active", 1]], "what the agent reads");
      same(status.created_at, made.created_at, "when it was made");
      await s.restart("crash");
      const { state: _a, ...after } = await one.status();
      const { state: _b, ...before } = status;
      same(after, before, "after a crash");
    },
  },
];
