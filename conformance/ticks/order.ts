/** Laws of turns: who ticks when, and who waits for whom. */
import type { AgentId } from "../../src/core/id.ts";
import { MAX_TICKING } from "../../src/core/supervisor.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, answer, AT_ONCE, door, said, scene, stage } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const orderLaws: readonly TickLaw[] = [
  {
    id: "T1",
    name: "single_tick_lock",
    says:
      "an agent is in one hook at a time, whoever sends, ticks it by hand, lets it sleep or pulls the plug, and whether it is new, woken or tried again",
    async test(subject) {
      let inside = 0;
      let most = 0;
      const ticked = new Set<string>();
      const busy = async (work: () => Promise<unknown>) => {
        most = Math.max(most, ++inside);
        await work();
        inside--;
      };
      const gate = door();
      const s = await scene(subject, {
        one: agent((ctx, trigger) =>
          busy(async () => {
            await ctx.kv.set("at", said(trigger));
            if (said(trigger) === "wait") await gate.pass();
            await ctx.kv.get("at");
            ticked.add(said(trigger));
            if (said(trigger) === "fails once" && ctx.tick.attempt === 1) {
              inside--;
              throw new Error("once");
            }
            if (said(trigger) === "sleep") await ctx.env.write("/ctl", "hibernate");
          }), {
          onCreate: (ctx) => busy(() => ctx.kv.set("at", "create")),
          onWake: (ctx) => busy(() => ctx.kv.set("at", "wake")),
          onSleep: (ctx) => busy(() => ctx.kv.set("at", "sleep")),
        }),
      }, { limits: AT_ONCE });
      const words = ["wait", "a", "sleep", "fails once", "b", "sleep", "c"];
      await answer(
        subject,
        () => Promise.all(words.map((word, i) => s.at("one", `caller${i}`).sending(word))),
      );
      same(inside, 1, "ticks that run while the first one waits");
      const byHand = s.answer(() => Promise.all([s.at("one").tick(), s.at("one", "other").tick()]))
        .catch(() => {});
      await s.at("one").control("hibernate");
      await s.at("one").control("wake");
      await s.at("one").send("late");
      gate.open();
      await s.quiet();
      await byHand;
      await s.advance(60_000);
      same(most, 1, "hooks of one agent that ran at the same time");
      for (const word of [...words, "late"]) holds(ticked.has(word), `"${word}" was ticked`);
    },
  },
  {
    id: "T2",
    name: "agents_tick_concurrently",
    says: "a tick that waits does not hold up other agents",
    async test(subject) {
      const [left, right] = [door(), door()];
      const ended: string[] = [];
      const s = await scene(subject, {
        left: agent(async () => {
          right.open();
          await left.pass();
          ended.push("left");
        }),
        right: agent(async () => {
          left.open();
          await right.pass();
          ended.push("right");
        }),
      });
      await s.at("left").send("go");
      await s.at("right").send("go");
      same(ended.sort(), ["left", "right"], "ticks that each waited for the other");
    },
  },
  {
    id: "T3",
    name: "fairness",
    says:
      "due agents stand in one line and go to its end after each tick: nobody has its next turn before all who waited had theirs",
    async test(subject) {
      const agents = MAX_TICKING + 4;
      const rounds = 3;
      const turns = new Map<string, number>();
      const early: string[] = [];
      const s = await stage(subject, {
        runner: agent((ctx) => {
          const turn = (turns.get(ctx.agent.id) ?? 0) + 1;
          turns.set(ctx.agent.id, turn);
          const behind = Math.min(...turns.values());
          if (turn > behind + 1) early.push(`${ctx.agent.id}: turn ${turn} at ${behind}`);
        }),
      });
      const ids = Array.from({ length: agents }, (_, i) => `a${i}` as AgentId);
      await s.answer(() => Promise.all(ids.map((id) => s.runtime.create({ id, agent: "runner" }))));
      for (const id of ids) turns.set(id, 0);
      await s.answer(() => s.runtime.pauseAll());
      await s.answer(() =>
        Promise.all(
          ids.flatMap((id) => Array.from({ length: rounds }, () => s.at(id).sending("go"))),
        )
      );
      same([...turns.values()].some((n) => n > 0), false, "ticks while the runtime is paused");
      await s.answer(() => s.runtime.resumeAll());
      same(early, [], "turns that came too early");
      same([...turns.values()].every((n) => n === rounds), true, "everybody had every turn");
    },
  },
  {
    id: "T4",
    name: "per_sender_ordering",
    says:
      "envelopes of one sender are ticked in the order in which they were accepted, also after a restart; a number orders them, and the clock does not",
    async test(subject) {
      const heard: string[] = [];
      const numbers: number[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          heard.push(said(trigger));
          numbers.push(trigger.meta.seq);
        }),
      });
      await s.at("one").control("pause");
      const senders = ["ann", "bob", "cyd"];
      const send = (from: number, to: number) =>
        s.answer(() =>
          Promise.all(
            Array.from({ length: to - from }, (_, i) => from + i).flatMap((n) =>
              senders.map((name) => s.at("one", name).sending(`${name} ${n}`))
            ),
          )
        );
      await send(0, 10);
      await s.restart("crash");
      await send(10, 15);
      await s.restart("clean");
      same(heard, [], "ticks of a paused agent");
      await s.at("one").control("resume");
      for (const name of senders) {
        same(
          heard.filter((text) => text.startsWith(name)),
          Array.from({ length: 15 }, (_, n) => `${name} ${n}`),
          `what was heard of ${name}`,
        );
      }
      same(numbers, [...numbers].sort((a, b) => a - b), "numbers of acceptance, as ticked");
      same(new Set(numbers).size, 45, "each number is given once");
    },
  },
  {
    id: "T5",
    name: "a_retry_holds_back_only_its_sender",
    says:
      "while an envelope waits for its next try, its sender's later ones wait behind it, over a restart too, and everybody else's go on",
    async test(subject) {
      const heard: string[] = [];
      let fails = true;
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          if (said(trigger) === "ann 1" && fails) throw new Error("not yet");
          heard.push(said(trigger));
        }),
      }, { limits: { retry_ms: [10_000, 10_000] } });
      const [ann, bob] = [s.at("one", "ann"), s.at("one", "bob")];
      await ann.send("ann 1");
      await ann.send("ann 2");
      await bob.send("bob 1");
      await ann.send("ann 3");
      await s.at("one").tick();
      same(heard, ["bob 1", "manual"], "ticked while ann's first waits");
      await s.restart("crash");
      await bob.send("bob 2");
      await s.advance(9_999);
      same(heard, ["bob 1", "manual", "bob 2"], "ticked after a restart, before its time");
      fails = false;
      await s.advance(1);
      same(heard.slice(3), ["ann 1", "ann 2", "ann 3"], "ticked when the wait was over");
    },
  },
  {
    id: "T6",
    name: "a_manual_tick_goes_first",
    says:
      "a tick by hand is ahead of what others sent, and is answered with the result of its first try",
    async test(subject) {
      const heard: string[] = [];
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          heard.push(said(trigger));
          if (said(trigger) === "first") await gate.pass();
          if (trigger.type === "manual" && ctx.state.fails) {
            throw new Error(`try ${ctx.tick.attempt}`);
          }
          ctx.state.fails = said(trigger) === "make it fail";
        }),
      }, { limits: { retry_ms: [5_000] } });
      const one = s.at("one");
      await s.at("one", "ann").send("first");
      await s.at("one", "ann").send("second");
      await s.at("one", "bob").send("third");
      let told: unknown;
      const asked = (async () => {
        const files = await one.files();
        const handle = await files.open("/ctl", "call");
        await handle.write(new TextEncoder().encode("tick"));
        told = JSON.parse(new TextDecoder().decode(await handle.read()));
        await handle.close();
      })();
      await s.quiet();
      gate.open();
      await s.quiet();
      await asked;
      same(heard, ["first", "manual", "second", "third"], "the order of the ticks");
      holds((told as { success: boolean }).success, "the result says that it went well");
      await one.send("make it fail");
      const failed = await one.tick();
      same(failed.success, false, "success of a tick whose first try fails");
      holds(failed.error?.message.includes("try 1"), "the result tells of the first try");
    },
  },
  {
    id: "T7",
    name: "a_manual_tick_is_refused_where_it_cannot_run",
    says:
      "a tick by hand of an agent that is paused or failed is not_ready, one by the agent itself in its tick is a conflict, and none of them is enqueued",
    async test(subject) {
      let count = 0;
      const refused: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          count++;
          if (said(trigger) === "fail") throw new Error("as asked");
          if (said(trigger) !== "tick yourself") return;
          for (const way of ["call", "write"] as const) {
            await ctx.env[way]("/ctl", "tick").catch((error: unknown) => refused.push(error));
          }
        }),
      }, { limits: { retry_ms: [], max_consecutive_failures: 1 } });
      const one = s.at("one");
      await one.control("pause");
      await refuses("not_ready", () => one.tick(), "a tick of a paused agent");
      await one.control("resume");
      same(count, 0, "ticks after the resume");
      await one.send("tick yourself");
      same(
        refused.map((error) => (error as { code?: string }).code),
        ["conflict", "conflict"],
        "what the agent was told",
      );
      same(count, 1, "ticks after the agent tried to tick itself");
      await one.send("fail");
      same((await one.status()).state, "failed", "the agent's state");
      await refuses("not_ready", () => one.tick(), "a tick of a failed agent");
      await one.control("resume");
      same(count, 2, "ticks after all");
      await s.answer(() => s.runtime.pauseAll());
      await refuses("not_ready", () => one.tick(), "a tick while the runtime is paused");
    },
  },
];
