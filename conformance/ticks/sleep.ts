/** Laws of sleep: when an agent sleeps, what it keeps, what it costs, and that nobody notices who does not look. */
import { readText, writeText } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import { agent, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

const IDLE_MS = 30_000;

export const sleepLaws: readonly TickLaw[] = [
  {
    id: "T60",
    name: "an_idle_agent_sleeps",
    says:
      "after `idle_ms` without work an agent runs `onSleep` and is dormant, not before and once; its next envelope wakes it; hibernate and wake do it at once, and a handler may ask for it",
    async test(subject) {
      const hooks: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          hooks.push(said(trigger));
          if (said(trigger) === "then sleep") return { should_hibernate: true };
        }, { onWake: () => void hooks.push("wake"), onSleep: () => void hooks.push("sleep") }),
      });
      const one = s.at("one");
      const state = async () => (await s.info("one")).state;
      await one.send("a");
      await s.advance(IDLE_MS - 1_000);
      await one.send("b");
      await s.advance(IDLE_MS - 1);
      same(hooks, ["wake", "a", "b"], "before it was idle long enough");
      same(await state(), "active", "its state");
      await s.advance(IDLE_MS);
      same(hooks.slice(3), ["sleep"], "when it was");
      same(await state(), "dormant", "its state then");
      await s.advance(10 * IDLE_MS);
      same(hooks.length, 4, "hooks of an agent that sleeps");
      await one.send("c");
      same(hooks.slice(4), ["wake", "c"], "what the next envelope did");
      await one.control("hibernate");
      same([hooks.slice(6), await state()], [["sleep"], "dormant"], "hibernate");
      await one.control("wake");
      same(await state(), "active", "wake");
      same(hooks.length, 7, "onWake belongs to the first tick");
      await one.send("then sleep");
      same(hooks.slice(7), ["wake", "then sleep", "sleep"], "a handler that asks for it");
      same(await state(), "dormant", "its state in the end");
    },
  },
  {
    id: "T61",
    name: "hooks_keep_what_they_do_where_it_belongs",
    says:
      "`onWake` shares the commit of the first tick; `onSleep` has one of its own in which it can do all that a tick can, whichever way sleep came, and when it fails nothing of it is left and the agent sleeps all the same",
    async test(subject) {
      let sleeps = "works";
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          await ctx.kv.set("ticked", said(trigger));
          if (said(trigger) === "fail") throw new Error("as asked");
          if (said(trigger) === "then sleep") return { should_hibernate: true };
          if (said(trigger) === "by word") await ctx.env.write("/ctl", "hibernate");
        }, {
          async onWake(ctx) {
            ctx.state.wakes = (ctx.state.wakes ?? 0) + 1;
            await ctx.env.write("/files/wake", "awake");
          },
          async onSleep(ctx) {
            ctx.state.sleeps = (ctx.state.sleeps ?? 0) + 1;
            await ctx.kv.set("slept", ctx.state.sleeps);
            await ctx.env.write("/files/sleep", `${ctx.state.sleeps}`);
            await ctx.env.write("/goals/g.json", { description: "wake up" });
            await ctx.broadcast("sleeps");
            if (sleeps === "fails") throw new Error("cannot sleep");
          },
        }),
      }, { limits: ONCE });
      const one = s.at("one");
      await one.send("fail");
      same([await one.state(), await one.names("/files")], [{}, []], "a wake whose tick failed");
      await one.send("fine");
      same(await one.state(), { wakes: 1 }, "a wake whose tick was fine");
      let count = 0;
      const ways: Record<string, () => Promise<unknown>> = {
        "hibernate by an operator": () => one.control("hibernate"),
        "a handler's wish": () => one.send("then sleep"),
        "the agent's own word": () => one.send("by word"),
        idleness: () => one.send("fine").then(() => s.advance(2 * IDLE_MS)),
      };
      for (const [way, go] of Object.entries(ways)) {
        await go();
        await s.quiet();
        const seen = [await one.json("/kv/slept"), await one.read("/files/sleep")];
        same(seen, [++count, `${count}`], `what onSleep wrote after ${way}`);
        same((await s.info("one")).state, "dormant", `the agent after ${way}`);
      }
      same((await one.events("/outbox")).length, 4, "events");
      sleeps = "fails";
      await one.send("then sleep");
      same((await s.info("one")).state, "dormant", "the agent after an onSleep that failed");
      same(
        [await one.json("/kv/slept"), (await one.events("/outbox")).length],
        [4, 4],
        "what it left",
      );
      same((await one.status()).failures, 0, "failures");
      const logs = (await one.events("/logs/trace")).filter(({ type }) => type === "log");
      holds(logs.some(({ text }) => String(text).includes("cannot sleep")), "the log tells of it");
      await s.restart("crash");
      same((await one.state() as { sleeps: number }).sleeps, 4, "the state after a crash");
    },
  },
  {
    id: "T62",
    name: "hibernation_state_persists",
    says:
      "state survives sleep, clean restarts and crashes byte for byte, whatever JSON it is and however large",
    async test(subject) {
      const states: Record<string, unknown> = {
        empty: {},
        order: { z: 1, a: 2, "10": 3, "9": 4 },
        text: { s: 'ümlaut ☃ 𝒳 \u0000 \\ " \n \u2028 \ud7ff', "": "empty name", __proto__x: 1 },
        numbers: { n: [0, -1, 1e21, 1e-7, 0.1, 123456789012345680000, 2 ** 53, -0.5] },
        nested: { a: [[[{ b: [null, true, false, {}] }]]] },
        large: { text: "0123456789".repeat(30_000) },
        "larger still": { lines: Array.from({ length: 20_000 }, (_, i) => `line ${i}`) },
      };
      const woken: Record<string, string> = {};
      const s = await scene(subject, {
        one: agent((ctx, trigger) => {
          const text = said(trigger);
          if (text in states) {
            ctx.state = JSON.parse(JSON.stringify(states[text]));
            return;
          }
          woken[text] = JSON.stringify(ctx.state);
        }),
      });
      const one = s.at("one");
      for (const [name, state] of Object.entries(states)) {
        await one.send(name);
        const want = JSON.stringify(state);
        const bytes = await one.read("/state");
        same(bytes === want, true, `${name}: the bytes of the state`);
        const ways = {
          sleep: () => one.control("hibernate"),
          idle: () => s.advance(2 * IDLE_MS),
          clean: () => s.restart("clean"),
          crash: () => s.restart("crash"),
        };
        for (const [way, go] of Object.entries(ways)) {
          await go();
          same(await one.read("/state") === bytes, true, `${name}: the bytes after ${way}`);
          await one.send(`look ${name} ${way}`);
          same(
            woken[`look ${name} ${way}`] === want,
            true,
            `${name}: what the agent has after ${way}`,
          );
          same(
            await one.read("/state") === bytes,
            true,
            `${name}: the bytes after a tick that looks`,
          );
        }
      }
    },
  },
  {
    id: "T63",
    name: "a_dormant_agent_costs_its_rows_alone",
    says:
      "an agent that has slept for a while is not in memory, and a runtime that begins looks at none that has nothing to do",
    async test(subject) {
      const s = await scene(subject, {
        busy: agent(() => {}),
        idle: agent(() => {}),
        ringing: agent((ctx, trigger) => {
          if (trigger.type === "message") return void ctx.alarm(1_000);
        }),
        failing: agent((ctx) => {
          if (ctx.tick.attempt === 1) throw new Error("once");
        }),
      }, { limits: { retry_ms: [3_600_000] } });
      await s.at("failing").send("in an hour");
      for (const id of ["busy", "idle"]) await s.at(id).send("hello");
      await s.at("ringing").send("hello");
      await s.at("busy").control("pause");
      await s.at("busy").send("waits");
      await s.advance(10 * IDLE_MS);
      const status = await s.answer(() => s.runtime.status());
      same([status.agents, status.in_memory], [4, 0], "agents, and those in memory");
      await s.advance(3_600_000);
      same((await s.at("failing").status()).tick_count, 1, "ticks of the one that waited an hour");
      for (const end of ["clean", "crash"] as const) {
        await s.restart(end);
        await s.advance(10 * IDLE_MS);
        same(subject.touched.has("idle"), false, `rows of the idle one were asked for (${end})`);
        same(subject.touched.has("busy"), true, `rows of one with work were asked for (${end})`);
      }
      await s.at("ringing").send("hello");
      await s.restart("crash");
      same(subject.touched.has("ringing"), false, "rows of one whose alarm is not due");
      await s.advance(1_000);
      same(subject.touched.has("ringing"), true, "rows of one whose alarm is due");
      const all = await s.answer(() => s.runtime.list({}));
      same(all.map(({ id }) => id), ["busy", "failing", "idle", "ringing"], "the list");
      await s.advance(10 * IDLE_MS);
      same(
        (await s.answer(() => s.runtime.status())).in_memory,
        0,
        "in memory after a look at all",
      );
    },
  },
  {
    id: "T64",
    name: "files_outlive_sleep",
    says:
      "a caller's files go on working when the agent has left memory in the meantime: what is sent is ticked, once, and what is written is seen by all",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, { one: agent((_, t) => void heard.push(said(t))) });
      const old = await s.at("one").files();
      await s.at("one").send("1");
      await s.advance(10 * IDLE_MS);
      await s.answer(() => writeText(old, "/inbox", "2"));
      same(heard, ["1", "2"], "ticked after it had left memory");
      await s.at("one").send("3");
      await s.answer(() => writeText(old, "/inbox", "4"));
      same(heard, ["1", "2", "3", "4"], "ticked by the old and the new way");
      const opened = await s.answer(() => old.open("/inbox", "write"));
      await opened.write(new TextEncoder().encode("5"));
      await s.advance(10 * IDLE_MS);
      await s.at("one").send("6");
      await s.answer(() => opened.close());
      same(heard, ["1", "2", "3", "4", "6", "5"], "ticked of a write that took its time");
      await s.advance(10 * IDLE_MS);
      await s.answer(() => writeText(old, "/ctl", "pause"));
      same((await s.info("one")).state, "paused", "a word by the old way");
      await s.answer(() => writeText(old, "/ctl", "resume"));
      await s.answer(() => writeText(old, "/inbox/overflow", '{"max_depth":7}'));
      same(
        (await s.at("one").json<{ max_depth: number }>("/inbox/overflow")).max_depth,
        7,
        "the policy",
      );
      same(
        await s.answer(() => readText(old, "/inbox/overflow")),
        await s.at("one").read("/inbox/overflow"),
        "by both ways",
      );
    },
  },
  {
    id: "T65",
    name: "a_look_does_not_get_in_the_way",
    says:
      "what is sent to a sleeping agent while others list and look at agents is ticked, and keeps its number",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, { one: agent((_, t) => void heard.push(said(t))) });
      for (let round = 0; round < 12; round++) {
        await s.advance(10 * IDLE_MS);
        const listing = Array.from({ length: 3 }, () => s.runtime.list({}));
        // Sent a little later each round: once it meets the moment at which a look lets go.
        for (let turns = 0; turns < round * 6; turns++) await Promise.resolve();
        const sent = s.at("one").sending(`${round}`);
        await s.answer(() => Promise.all([...listing, sent]));
        await s.quiet();
        same(heard.length, round + 1, `ticks after ${round + 1} were sent`);
      }
      same(heard, Array.from({ length: 12 }, (_, n) => `${n}`), "what was ticked");
      const records = (await s.at("one").events("/logs/trajectory"))
        .filter(({ type }) => type === "tick");
      const numbers = records.map(({ trigger }) => (trigger as { meta: { seq: number } }).meta.seq);
      same(new Set(numbers).size, numbers.length, "each number is given once");
    },
  },
];
