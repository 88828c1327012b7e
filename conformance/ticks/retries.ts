/** Laws of tries: when an envelope is tried again, what a try sees, how long it may take, and what is left of it. */
import { holds, same } from "../expect.ts";
import { agent, door, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

const DEFAULT_RETRIES_MS = [1_000, 5_000, 30_000];

export const retryLaws: readonly TickLaw[] = [
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
    id: "T28",
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
