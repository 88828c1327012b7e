/** Laws of failure: what is tried again and when, what is given up, and what an agent is like afterwards. */
import { MAX_FAILED } from "../../src/core/dead.ts";
import type { DeadRow } from "../../src/core/dead.ts";
import { decodeJson, encodeJson } from "../../src/core/code.ts";
import { key } from "../../src/core/keys.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, AT_ONCE, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

const DEFAULT_RETRIES_MS = [1_000, 5_000, 30_000];

export const failureLaws: readonly TickLaw[] = [
  {
    id: "T25",
    name: "retries_back_off",
    says:
      "a failed try is tried again after 1 s, 5 s and 30 s, not earlier and without being asked; after the last try its envelope is a dead letter with the errors of its tries, and the agent goes on",
    async test(subject) {
      const tries: [number, number][] = [];
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((ctx, trigger) => {
          if (said(trigger) !== "fails") return void heard.push(said(trigger));
          tries.push([ctx.tick.attempt, subject.clock.now()]);
          throw new Error(`reason ${ctx.tick.attempt}`);
        }),
      });
      const one = s.at("one");
      const start = subject.clock.now();
      const { envelope_id } = await one.send("fails");
      await one.send("behind it");
      let at = start;
      const want: [number, number][] = [[1, at]];
      for (const [i, delay] of DEFAULT_RETRIES_MS.entries()) {
        await s.advance(delay - 1);
        same(tries, want, `tries before the wait of ${delay} ms is over`);
        await s.advance(1);
        want.push([i + 2, at += delay]);
        same(tries, want, `tries when the wait of ${delay} ms is over`);
        const status = await one.status();
        if (i < 2) same(status.last_error?.message.includes(`reason ${i + 2}`), true, "last_error");
      }
      same(heard, ["behind it"], "what was ticked afterwards");
      const letter = await one.json<{
        reason: string;
        tries: number;
        errors: { code: string; message: string; at: string }[];
        envelope: { id: string; payload: unknown };
      }>(`/deadletter/${envelope_id}`);
      same([letter.reason, letter.tries], ["failed", 4], "the dead letter");
      same(letter.envelope.payload, { kind: "text", text: "fails" }, "its envelope");
      same(
        letter.errors.map(({ code, at }) => [code, at]),
        want.map(([, at]) => ["agent_error", new Date(at).toISOString()]),
        "its errors and their times",
      );
      for (const [i, { message }] of letter.errors.entries()) {
        holds(message.includes(`reason ${i + 1}`), `error ${i + 1} says why`);
      }
      await s.advance(100_000);
      same(tries.length, 4, "tries after it was given up");
      const rows = await subject.backend.storage("one").list({ prefix: "" });
      const left = rows.filter(({ key }) => /^(inbox|try|retry)\//.test(key));
      same(left.map(({ key }) => key), [], "rows of work that are left");
    },
  },
  {
    id: "T26",
    name: "a_retry_sees_what_the_first_try_saw",
    says:
      "over all tries of an envelope, also over a restart, `now`, `random` and `uuid` answer the same and ids of alarms and messages are the same; another envelope gets others",
    async test(subject) {
      const seen: Record<string, unknown[]> = {};
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          const text = said(trigger);
          (seen[text] ??= []).push([
            ctx.now(),
            [ctx.random(), ctx.random(), ctx.random()],
            [ctx.uuid(), ctx.uuid()],
            await ctx.alarm(1_000_000, text),
            await ctx.send("two", "x"),
          ]);
          if (ctx.tick.attempt < 3) throw new Error("again");
        }),
        two: agent(() => {}),
      });
      const started = subject.clock.now();
      await s.at("one", "a").send("first");
      await s.advance(1_000);
      await s.restart("clean");
      await s.advance(2_500);
      await s.restart("crash");
      await s.advance(2_500);
      const [one, two, three, ...more] = seen["first"]!;
      same([two, three, more], [one, one, []], "what three tries saw");
      same((one as unknown[])[0], started, "now, over the tries");
      await s.at("one", "b").send("second");
      await s.advance(10_000);
      const other = seen["second"]![0] as unknown[];
      for (const [i, part] of (one as unknown[]).slice(1).entries()) {
        holds(JSON.stringify(part) !== JSON.stringify(other[i + 1]), `another envelope, part ${i}`);
      }
    },
  },
  {
    id: "T27",
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
    id: "T28",
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
    id: "T29",
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
    id: "T30",
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
    id: "T31",
    name: "a_tick_has_a_wall_limit",
    says:
      "a handler that is longer in its tick than `max_tick_ms` sees its signal abort, is rolled back as timeout and tried again, and what it does later counts for nothing",
    async test(subject) {
      const gate = door();
      const aborted: boolean[] = [];
      const late: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) !== "slow" || ctx.tick.attempt > 1) {
            ctx.state.last = `${said(trigger)} ${ctx.tick.attempt}`;
            return;
          }
          ctx.state.last = "too slow";
          await ctx.kv.set("slow", true);
          ctx.signal.addEventListener("abort", () => aborted.push(ctx.signal.aborted));
          await gate.pass();
          await ctx.kv.set("late", true).catch((error: { code?: string }) => late.push(error.code));
          aborted.push(ctx.signal.aborted);
        }),
      }, { limits: { max_tick_ms: 10_000, retry_ms: [1_000] } });
      const one = s.at("one");
      const { envelope_id } = await one.send("slow");
      await s.advance(9_999);
      same(aborted, [], "aborts before the limit");
      await s.advance(1);
      same(aborted, [true], "the signal at the limit");
      same(await one.state(), {}, "the state after the limit");
      const outcome = async () =>
        (await one.events("/logs/trajectory"))
          .filter((record) => record.envelope_id === envelope_id).map(({ outcome }) => outcome);
      same(await outcome(), ["timeout"], "the outcome in the record");
      same((await one.status()).last_error?.code, "timeout", "the error");
      await s.advance(1_000);
      same(await one.state(), { last: "slow 2" }, "the state after the next try");
      gate.open();
      await s.quiet();
      same([late, aborted], [["not_ready"], [true, true]], "what came late");
      same(await one.names("/kv"), [], "KV in the end");
      await one.send("next");
      same(await one.state(), { last: "next 1" }, "the agent goes on");
    },
  },
  {
    id: "T32",
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
    id: "T33",
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
  {
    id: "T34",
    name: "a_failed_instance_is_not_used_again",
    says:
      "after a failed try the agent's code is loaded anew, and its `onWake` runs again, in the commit of the next try",
    async test(subject) {
      let wakes = 0;
      const s = await scene(subject, {
        one: agent((ctx, trigger) => {
          if (said(trigger) === "fails once" && ctx.tick.attempt === 1) throw new Error("once");
          ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
        }, {
          onWake(ctx) {
            wakes++;
            ctx.state.wakes = (ctx.state.wakes ?? 0) + 1;
          },
        }),
      }, { limits: { retry_ms: [1_000] } });
      const one = s.at("one");
      await one.send("first");
      await one.send("second");
      same([wakes, await one.state()], [1, { heard: ["first", "second"], wakes: 1 }], "one life");
      await one.send("fails once");
      same(wakes, 1, "wakes while it waits for its next try");
      await s.advance(1_000);
      same(wakes, 2, "wakes after a failed try");
      same(await one.state(), { heard: ["first", "second", "fails once"], wakes: 2 }, "the state");
      await one.control("hibernate");
      await one.send("fails once");
      await s.advance(1_000);
      same(
        [wakes, (await one.state() as { wakes: number }).wakes],
        [4, 3],
        "a wake that was rolled back with its try",
      );
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
