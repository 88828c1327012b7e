/** Laws of giving up: dead letters and their way back, agents that have failed, envelopes that kill, states that cannot be kept. */
import { MAX_FAILED } from "../../src/core/dead.ts";
import type { DeadRow } from "../../src/core/dead.ts";
import { decodeJson, encodeJson } from "../../src/core/code.ts";
import { key } from "../../src/core/keys.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, AT_ONCE, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const failureLaws: readonly TickLaw[] = [
  {
    id: "T29",
    name: "dead_letters_come_back",
    says:
      "a dead letter that is replayed is ticked as if it were new, at the end of the line; one that is discarded is gone; its id stays known",
    async test(subject) {
      const heard: string[] = [];
      let broken = true;
      const s = await scene(subject, {
        one: agent((ctx, trigger) => {
          heard.push(`${said(trigger)} ${ctx.tick.attempt}`);
          if (broken && said(trigger) !== "fine") throw new Error("broken");
        }),
      }, { limits: { retry_ms: [1_000] } });
      const one = s.at("one");
      await one.send("a", { id: "a" });
      await one.send({ large: "x".repeat(200_000) }, { id: "b" });
      await one.send("c", { id: "c" });
      await s.advance(5_000);
      same((await one.letters()).map(({ id, tries }) => [id, tries]).sort(), [["a", 2], ["b", 2], [
        "c",
        2,
      ]], "the dead letters");
      same((await one.read("/deadletter/count")).trim(), "3", "their count");
      await s.restart("crash");
      heard.length = 0;
      await one.dead("replay a");
      same(heard, ["a 1"], "a replay, tried as the first time");
      await s.advance(1_000);
      same((await one.letters()).length, 3, "dead letters after a replay that failed");
      broken = false;
      heard.length = 0;
      await one.control("pause");
      await one.send("fine");
      await one.dead("replay a");
      await s.restart("crash");
      await one.control("resume");
      same(heard, ["fine 1", "a 1"], "a replay stands at the end of the line");
      same((await one.send("a", { id: "a" })).duplicate, true, "a repeat of what was replayed");
      await one.dead("discard c");
      same((await one.letters()).map(({ id }) => id), ["b"], "what is left");
      same((await one.send("c", { id: "c" })).duplicate, true, "a repeat of what was discarded");
      heard.length = 0;
      await one.dead("replay all");
      same([heard.length, (await one.letters()).length], [1, 0], "replay all");
      await refuses("not_found", () => one.dead("replay c"), "a replay of what is gone");
      const rows = await subject.backend.storage("one").list({ prefix: "" });
      const left = rows.filter(({ key }) => /^(dead|blob|inbox|try|retry|call)\//.test(key));
      same(left.map(({ key }) => key), [], "rows that are left");
    },
  },
  {
    id: "T30",
    name: "too_many_dead_letters_fail_the_agent",
    says:
      "with 1,000 given up, an agent that must give up one more is failed and keeps that envelope; with room and a resume it goes on",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          heard.push(said(trigger));
          if (said(trigger).startsWith("fails")) throw new Error("as it should");
        }),
      }, { limits: ONCE });
      await s.at("one").send("fails", { id: "d0" });
      await s.restart("clean", {
        async meanwhile(backend) {
          const rows = backend.storage("one");
          const dead = decodeJson<DeadRow>((await rows.get(key.dead("d0")))!);
          const put = Array.from({ length: MAX_FAILED - 1 }, (_, i) => {
            const id = `d${i + 1}`;
            const letter = { ...dead, envelope: { ...dead.envelope, id } };
            return { key: key.dead(id), value: encodeJson(letter) };
          });
          await rows.commit({ check: [], remove: [], put });
        },
      });
      const one = s.at("one");
      same((await one.status()).dead_letters, MAX_FAILED, "dead letters");
      heard.length = 0;
      await one.send("fails too", { id: "last" });
      await one.send("behind it");
      const failed = await one.status();
      same(
        [failed.state, failed.queue_depth, failed.dead_letters],
        ["failed", 2, MAX_FAILED],
        "the agent",
      );
      same(
        (await one.send("fails too", { id: "last" })).duplicate,
        true,
        "a repeat of what it keeps",
      );
      await s.restart("crash");
      await s.advance(60_000);
      same(heard, ["fails too"], "what was ticked");
      await one.dead("discard d7");
      await one.control("resume");
      same(heard, ["fails too", "fails too", "behind it"], "what was ticked after the resume");
      const after = await one.status();
      same([after.state === "failed", after.queue_depth, after.dead_letters], [
        false,
        0,
        MAX_FAILED,
      ], "the agent after the resume");
    },
  },
  {
    id: "T31",
    name: "consecutive_failures_fail_the_agent",
    says:
      "an agent that gives up `max_consecutive_failures` envelopes in a row is failed: it takes envelopes and ticks none until it is resumed; a tick that commits begins the count anew",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          heard.push(said(trigger));
          if (said(trigger) === "fails") throw new Error("as it should");
        }),
      }, { limits: { ...ONCE, max_consecutive_failures: 3 } });
      const one = s.at("one");
      const state = async () => {
        const { state, failures } = await one.status();
        return [state === "failed", failures];
      };
      for (const text of ["fails", "fails", "fine", "fails", "fails"]) await one.send(text);
      same(await state(), [false, 2], "after two, one that was fine, and two");
      await s.restart("crash");
      same(await state(), [false, 2], "after a restart");
      await one.send("fails");
      same(await state(), [true, 3], "after three in a row");
      heard.length = 0;
      await one.send("waits");
      await s.restart("crash");
      await one.send("waits too");
      await s.advance(100_000);
      same(heard, [], "ticks of a failed agent");
      same((await one.status()).queue_depth, 2, "what waits at a failed agent");
      await one.control("resume");
      same(heard, ["waits", "waits too"], "ticks after the resume");
      same(await state(), [false, 0], "after the resume");
    },
  },
  {
    id: "T32",
    name: "an_envelope_that_kills_the_process_is_given_up",
    says:
      "an envelope in whose every try the whole process ends becomes a dead letter after its tries, and the agent goes on with the others",
    async test(subject) {
      const kills = [door()];
      const attempts: number[] = [];
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) !== "kills") return void heard.push(said(trigger));
          attempts.push(ctx.tick.attempt);
          await kills[0]!.pass(ctx);
        }),
        two: agent((_, trigger) => void heard.push(`two ${said(trigger)}`)),
      }, { limits: AT_ONCE });
      const one = s.at("one");
      await one.send("fine");
      const { envelope_id } = await one.send("kills");
      await one.send("behind it");
      let lives = 0;
      while (kills[0]!.callers > lives && lives < 20) {
        lives = kills[0]!.callers;
        await s.restart("crash");
      }
      same([...new Set(attempts)], [1, 2, 3, 4], "its tries");
      holds(lives <= 5, `${lives} processes ended of it`);
      same(heard, ["fine", "behind it"], "what was ticked");
      const [letter] = await one.letters();
      same([letter?.id, letter?.reason], [envelope_id, "failed"], "the dead letter");
      same(letter?.last_error?.code, "interrupted", "its last error");
      await s.at("two").send("fine");
      same(heard[2], "two fine", "another agent");
    },
  },
  {
    id: "T33",
    name: "on_error_is_told_and_changes_nothing",
    says:
      "`onError` hears after each failed try what went wrong, may log, and leaves nothing else behind; one that throws itself does no harm",
    async test(subject) {
      const told: unknown[] = [];
      const s = await scene(subject, {
        one: agent(() => {
          throw new Error("the reason");
        }, {
          async onError(ctx, error) {
            told.push([ctx.tick.attempt, error.code, error.message.includes("the reason")]);
            ctx.log.warn("noted");
            ctx.state.noted = true;
            await ctx.kv.set("noted", true);
            await ctx.send("two", "noted");
            await ctx.alarm(1, "noted");
            await ctx.broadcast("noted");
            if (ctx.tick.attempt === 2) throw new Error("in onError");
          },
        }),
        two: agent(() => void told.push("a message")),
      }, { limits: { retry_ms: [1_000] } });
      const one = s.at("one");
      await one.send("go");
      await s.advance(2_000);
      same(told, [[1, "agent_error", true], [2, "agent_error", true]], "what onError was told");
      same(
        [await one.state(), await one.names("/kv"), await one.events("/outbox")],
        [{}, [], []],
        "what it left",
      );
      same((await one.status()).next_alarm, null, "its alarm");
      const logs = (await one.events("/logs/trace")).filter(({ type }) => type === "log");
      same(logs.filter(({ text }) => text === "noted").length, 2, "its log lines");
      same((await one.letters()).length, 1, "dead letters");
    },
  },
  {
    id: "T34",
    name: "a_state_that_cannot_be_kept_fails_the_tick",
    says:
      "a state that breaks its schema, is no plain JSON or is larger than `max_state_bytes` fails the tick, the message names the place in it or the limit, and the old state stays",
    async test(subject) {
      const spoil: Record<string, (state: Record<string, unknown>) => void> = {
        schema: (state) => state["count"] = "many",
        date: (state) => state["list"] = [{ when: new Date(0) }],
        nan: (state) => state["deep"] = { number: NaN },
        large: (state) => state["text"] = "x".repeat(2_000),
        whole: () => {},
      };
      const s = await scene(subject, {
        one: agent((ctx, trigger) => {
          const text = said(trigger);
          if (text === "fine") ctx.state.count = 1;
          else spoil[text]!(ctx.state);
          if (text === "whole") ctx.state = "no object";
        }, { state: countIsNumber }),
      }, { limits: { ...ONCE, max_state_bytes: 1_000 } });
      const one = s.at("one");
      await one.send("fine");
      const want: Record<string, RegExp> = {
        schema: /count/,
        date: /state\.list\[0\]\.when/,
        nan: /state\.deep\.number/,
        large: /1000/,
        whole: /state/,
      };
      for (const [text, names] of Object.entries(want)) {
        await one.send(text);
        const { last_error } = await one.status();
        holds(
          names.test(last_error?.message ?? ""),
          `${text}: the error names the place, it says: ${last_error?.message}`,
        );
        same(await one.state(), { count: 1 }, `${text}: the state that stays`);
      }
      same((await one.letters()).length, 5, "dead letters");
    },
  },
];

/** A validator that speaks Standard Schema and wants `count`, if it is there, to be a number. */
const countIsNumber = {
  "~standard": {
    version: 1 as const,
    vendor: "law",
    validate(value: unknown) {
      const { count = 0 } = value as { count?: unknown };
      return typeof count === "number"
        ? { value }
        : { issues: [{ message: "not a number", path: ["count"] }] };
    },
  },
};
