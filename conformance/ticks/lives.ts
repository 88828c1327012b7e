/** Laws of lives: how agents come, are paused, and go, and how a runtime stops. */
import type { AgentId } from "../../src/core/id.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, allRows, AT_ONCE, door, said, scene, stage } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const lifeLaws: readonly TickLaw[] = [
  {
    id: "T55",
    name: "a_create_is_answered_when_it_has_committed",
    says:
      "what `onCreate` did stands when the create is answered; the same request again finds the agent, another one of its id is already_exists",
    async test(subject) {
      let creates = 0;
      const gate = door();
      const s = await stage(subject, {
        one: agent(() => {}, {
          async onCreate(ctx) {
            creates++;
            ctx.state.made = ctx.agent.config;
            await ctx.kv.set("made", ctx.agent.name);
            await ctx.env.write("/files/made", "yes");
            await ctx.alarm(5_000);
            await ctx.broadcast("made");
            if (ctx.agent.id === "slow") await gate.pass();
          },
        }),
      });
      const request = {
        id: "one" as AgentId,
        agent: "one",
        name: "One",
        config: { a: 1 },
        goals: ["be"],
      };
      const [first, second] = await s.answer(() =>
        Promise.all([s.runtime.create(request), s.runtime.create({ ...request })])
      );
      same([first.created, second.created, creates], [true, false, 1], "two of the same at once");
      await s.restart("crash");
      const one = s.at("one");
      same(await one.state(), { made: { a: 1 } }, "the state");
      same(await one.json("/kv/made"), "One", "KV");
      same(await one.read("/files/made"), "yes", "a file");
      same((await one.events("/outbox")).length, 1, "events");
      same((await one.names("/goals")).length, 1, "goals");
      holds((await one.status()).next_alarm, "an alarm");
      const again = await s.answer(() => s.runtime.create({ ...request }));
      same([again.created, again.info.id, creates], [false, "one", 1], "the same request, later");
      await refuses("already_exists", () => s.create("one"), "another request of its id");
      await refuses(
        "not_found",
        () => s.create("two", { agent: "nobody" }),
        "an agent that is not built in",
      );
      await refuses(
        "invalid_request",
        () => s.create("two", { agent: "one", limits: { idle_ms: -1 } }),
        "limits that are none",
      );
      const coming = s.runtime.create({ id: "slow" as AgentId, agent: "one" });
      await s.quiet();
      await refuses("not_found", () => s.at("slow").status(), "an agent that is not made yet");
      gate.open();
      same((await s.answer(() => coming)).created, true, "a create that took its time");
      same((await s.at("slow").status()).id, "slow", "the agent then");
      const ids = (await s.answer(() => s.runtime.list({}))).map(({ id }) => id);
      same(ids, ["one", "slow"], "the list");
      const named = await s.answer(() => s.runtime.create({ agent: "one", name: "any" }));
      holds(named.created && !ids.includes(named.info.id), "an agent whose id nobody chose");
    },
  },
  {
    id: "T56",
    name: "a_failed_create_leaves_nothing",
    says:
      "a create whose `onCreate` throws, runs too long, or is cut off by a crash leaves no row and no key, and the id is free",
    async test(subject) {
      let how = "throws";
      const gate = door();
      const s = await stage(subject, {
        one: agent(() => {}, {
          async onCreate(ctx) {
            ctx.state.made = how;
            await ctx.env.write("/files/large", "x".repeat(200_000));
            await ctx.kv.set("a", 1);
            if (how === "throws") throw new Error("as asked");
            if (how !== "works") await gate.pass();
          },
        }),
      });
      const gone = async (when: string) => {
        const owners = await subject.backend.owners({ limit: 10 });
        same(owners.filter((owner) => !owner.startsWith("@")), [], `owners ${when}`);
        const rows = await subject.backend.storage("@registry").list({ prefix: "" });
        same(rows.map(({ key }) => key), [], `rows of the registry ${when}`);
        same(await s.answer(() => s.runtime.list({})), [], `agents ${when}`);
      };
      await refuses("agent_error", () => s.create("one"), "a create that throws");
      await gone("after a create that throws");
      how = "is slow";
      let told: unknown;
      s.runtime.create({ id: "one" as AgentId, agent: "one", limits: { max_tick_ms: 1_000 } })
        .catch((error) => told = codeOf(error));
      await s.advance(1_000);
      same(told, "timeout", "a create that takes too long");
      await gone("after a create that took too long");
      s.runtime.create({ id: "one" as AgentId, agent: "one" }).catch(() => {});
      await s.quiet();
      await s.restart("crash");
      await gone("after a crash in a create");
      how = "works";
      await s.create("one");
      same(await s.at("one").state(), { made: "works" }, "the agent in the end");
      same(subject.secrets.length, 4, "a key was made for each");
    },
  },
  {
    id: "T57",
    name: "a_paused_agent_takes_and_does_not_tick",
    says:
      "a paused agent takes envelopes and ticks none, over restarts, until it is resumed; so do all agents while the runtime is paused",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => void heard.push(said(trigger))),
        two: agent((_, trigger) => void heard.push(`two ${said(trigger)}`)),
      });
      await s.at("one").control("pause");
      same((await s.info("one")).state, "paused", "its state");
      await s.at("one").send("1");
      await s.restart("crash");
      await s.at("one").send("2");
      await s.at("two").send("1");
      await s.restart("clean");
      await s.advance(100_000);
      same((await s.info("one")).state, "paused", "its state after restarts");
      same(heard, ["two 1"], "what was ticked");
      await s.at("one").control("resume");
      same(heard.slice(1), ["1", "2"], "what was ticked after the resume");
      await s.answer(() => s.runtime.pauseAll());
      await s.at("one").send("3");
      await s.restart("crash");
      await s.at("two").send("2");
      same((await s.answer(() => s.runtime.status())).paused, true, "the runtime after a crash");
      same(heard.length, 3, "what was ticked while all are paused");
      await s.answer(() => s.runtime.resumeAll());
      same(heard.slice(3).sort(), ["3", "two 2"], "what was ticked after all were resumed");
    },
  },
  {
    id: "T58",
    name: "an_ended_agent_leaves_nothing",
    says:
      "a delete lets the running tick end, runs `onTerminate`, and leaves no row, no key, no alarm and no file; the id is free for another agent that knows nothing of the first",
    async test(subject) {
      const heard: string[] = [];
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "slow") await gate.pass();
          heard.push(said(trigger));
          ctx.state.heard = said(trigger);
          await ctx.markSeen("x");
          await ctx.kv.set("k", "x".repeat(1_000));
          await ctx.env.write("/files/a/b", "x".repeat(200_000));
          await ctx.alarm(5_000, "ring");
          await ctx.cron("* * * * *", "each minute");
          await ctx.reply("done");
        }, {
          async onTerminate(ctx) {
            heard.push(`terminate ${JSON.stringify(ctx.state)}`);
            await ctx.send("two", "farewell").catch(() => {});
            if (ctx.agent.config === "throws") throw new Error("in onTerminate");
          },
        }),
        two: agent(() => {}),
      });
      await s.at("one").send("a", { id: "known" });
      await s.at("one").send("slow");
      await s.at("one").send("waits");
      const files = await s.at("one").files();
      const paths = ["/inbox", "/files/late", "/kv/late"];
      const late = await s.answer(() =>
        Promise.all(paths.map((path) => files.open(path, "write")))
      );
      await s.answer(() => Promise.all(late.map((h) => h.write(new TextEncoder().encode("1")))));
      let deleted = false;
      s.runtime.delete("one" as AgentId).then(() => deleted = true);
      await s.quiet();
      same([deleted, heard], [false, ["a"]], "while the tick runs");
      gate.open();
      await s.quiet();
      same(deleted, true, "after the tick");
      same(heard, ["a", "slow", 'terminate {"heard":"slow"}'], "what was run");
      for (const handle of late) {
        await refuses("not_found", () => s.answer(() => handle.close()), "a late write");
      }
      const left = [...(await allRows(subject)).keys()].filter((row) => /\bone\b/.test(row));
      same(left, [], "rows that are left");
      for (const look of [() => s.at("one").status(), () => s.info("one"), () => s.delete("one")]) {
        await refuses("not_found", look, "a look at it");
      }
      await s.advance(120_000);
      same(heard.length, 3, "what came of its alarms");
      const before = (await s.info("two")).pubkey;
      await s.create("one", { config: "throws" });
      same(await s.at("one").state(), {}, "the state of the next one");
      same(
        (await s.at("one").send("a", { id: "known" })).duplicate,
        false,
        "an id that the first knew",
      );
      holds((await s.info("one")).pubkey !== before, "it has a key of its own");
      await s.delete("one");
      await s.restart("crash");
      same(
        (await s.answer(() => s.runtime.list({}))).map(({ id }) => id),
        ["two"],
        "the list in the end",
      );
    },
  },
  {
    id: "T59",
    name: "a_stop_ends_ticks_and_loses_nothing",
    says:
      "a stop starts no tick, lets those that run end within the grace, rolls back the rest without counting a try, and all goes on at the next start",
    async test(subject) {
      const heard: string[] = [];
      const attempts: number[] = [];
      const [quick, never] = [door(), door()];
      const s = await scene(subject, {
        quick: agent(async (_, trigger) => {
          if (said(trigger) === "1") await quick.pass();
          heard.push(`quick ${said(trigger)}`);
        }),
        never: agent(async (ctx, trigger) => {
          attempts.push(ctx.tick.attempt);
          if (attempts.length === 1) await never.pass(ctx);
          heard.push(`never ${said(trigger)}`);
        }),
      }, { limits: AT_ONCE });
      for (const text of ["1", "2"]) await s.at("quick").send(text);
      await s.at("never").send("1");
      let stopped = false;
      const stop = s.runtime.stop(5_000).then(() => stopped = true);
      await s.quiet();
      same(stopped, false, "stopped while ticks run");
      quick.open();
      await s.quiet();
      same(heard, ["quick 1"], "ticks that ended within the grace");
      await s.advance(5_000);
      same([stopped, await stop], [true, true], "stopped after the grace");
      await s.restart("crash");
      same(heard.sort(), ["never 1", "quick 1", "quick 2"], "ticked in the end");
      same(attempts, [1, 1], "tries of the one that was rolled back");
      never.open();
      await s.quiet();
      same(heard.length, 3, "what came late");
    },
  },
];
