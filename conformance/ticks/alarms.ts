/** Laws of alarms: they fire once, at their time or as soon as there is somebody to hear them. */
import type { Trigger } from "../../src/core/trigger.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, same } from "../expect.ts";
import { agent, AT_ONCE, said, type Scene, scene, timeOf } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

type Alarm = Extract<Trigger, { type: "alarm" }>;

/** An agent that does what it is told with alarms, and keeps those that fire. */
function keeper(fired: Alarm[], answers: unknown[] = []) {
  return agent(async (ctx, trigger) => {
    if (trigger.type === "alarm") return void fired.push(structuredClone(trigger));
    if (trigger.type !== "message" || trigger.payload.kind !== "json") return;
    const { word, arg } = trigger.payload.data as { word: string; arg: string | number };
    if (word === "in") answers.push(await ctx.alarm(arg as number, arg));
    if (word === "at") answers.push(await ctx.alarm(new Date(arg), arg));
    if (word === "cron") answers.push(await ctx.cron(arg as string, arg));
    if (word === "cancel") answers.push(await ctx.cancelAlarm(arg as string));
    if (word === "refused") {
      answers.push(await ctx.cron(arg as string).then(() => "taken", codeOf));
    }
  });
}

const tell = (s: Scene, word: string, arg: string | number, who = "one") =>
  s.at(who).send({ word, arg });

export const alarmLaws: readonly TickLaw[] = [
  {
    id: "T42",
    name: "an_alarm_fires_once_at_its_time",
    says:
      "an alarm fires at its time, not earlier and once, as a trigger that tells its id, payload and both times, from the envelope `alarm:<id>:<scheduled ms>`",
    async test(subject) {
      const fired: Alarm[] = [];
      const answers: unknown[] = [];
      const s = await scene(subject, { one: keeper(fired, answers) });
      const start = subject.clock.now();
      await tell(s, "in", 5_000);
      await tell(s, "at", timeOf(subject, 7_000));
      same((await s.at("one").status()).next_alarm, timeOf(subject, 5_000), "the next alarm");
      await s.advance(4_999);
      same(fired, [], "fired before the time");
      await s.advance(1);
      same(fired.length, 1, "fired at the time");
      const [alarm] = fired;
      same(
        [alarm!.alarm_id, alarm!.payload, alarm!.scheduled_for, alarm!.fired_at],
        [answers[0], 5_000, start + 5_000, start + 5_000],
        "what it tells",
      );
      same(alarm!.meta.envelope_id, `alarm:${answers[0]}:${start + 5_000}`, "its envelope");
      same((await s.at("one").status()).next_alarm, timeOf(subject, 2_000), "the next alarm then");
      await s.restart("crash");
      await s.advance(2_000);
      same(fired.map(({ alarm_id }) => alarm_id), answers, "fired after a restart");
      await s.advance(100_000);
      await s.restart("clean");
      await s.advance(100_000);
      same(fired.length, 2, "fired later");
      same((await s.at("one").status()).next_alarm, null, "no next alarm");
      const rows = await subject.backend.storage("one").list({ prefix: "alarm" });
      same(rows.map(({ key }) => key), [], "rows of alarms that are left");
    },
  },
  {
    id: "T43",
    name: "an_alarm_in_the_past_fires_at_once",
    says:
      "an alarm whose time has come when it is set fires right after its tick, and tells the time it was set for",
    async test(subject) {
      const fired: Alarm[] = [];
      const s = await scene(subject, { one: keeper(fired) });
      const now = subject.clock.now();
      await tell(s, "in", 0);
      await tell(s, "in", -60_000);
      await tell(s, "at", "1969-07-20T20:17:40.000Z");
      await s.advance(0);
      const past = Date.parse("1969-07-20T20:17:40.000Z");
      same(
        fired.map(({ scheduled_for, fired_at }) => [scheduled_for, fired_at]),
        [[past, now], [now - 60_000, now], [now, now]],
        "both times, in the order of the first",
      );
    },
  },
  {
    id: "T44",
    name: "missed_alarms_fire_once",
    says:
      "alarms whose time passed while nothing ran fire once when it runs again, in the order of their times, with the time they were set for and the time they fired",
    async test(subject) {
      const fired: Alarm[] = [];
      const s = await scene(subject, { one: keeper(fired), two: keeper([]) });
      const start = subject.clock.now();
      await tell(s, "in", 2_000);
      await tell(s, "in", 1_000);
      await tell(s, "cron", "0 0 * * *");
      await tell(s, "in", 3 * 86_400_000);
      for (const end of ["clean", "crash"] as const) {
        await s.restart(end, {
          meanwhile: async () => {
            await subject.clock.advance(end === "clean" ? 500 : 2 * 86_400_000 + 3_600_000);
          },
        });
      }
      const now = subject.clock.now();
      holds(fired.every(({ fired_at }) => fired_at === now), "all fired when it ran again");
      same(
        fired.map(({ payload, scheduled_for }) => [payload, scheduled_for - start]),
        [[1_000, 1_000], [2_000, 2_000], ["0 0 * * *", 86_400_000]],
        "what fired, and for when",
      );
      await s.restart("crash");
      await s.advance(86_400_000 - 3_600_000);
      same(fired.length, 5, "what fired next");
      const last = fired.slice(3).map((
        { payload, scheduled_for },
      ) => [scheduled_for - start, payload]);
      same(
        last.sort(([, a], [, b]) => (typeof a < typeof b ? -1 : 1)),
        [[3 * 86_400_000, 3 * 86_400_000], [3 * 86_400_000, "0 0 * * *"]],
        "the next of the cron, and the one that was not due yet",
      );
    },
  },
  {
    id: "T45",
    name: "cron_goes_on_until_it_is_cancelled",
    says:
      "a cron alarm fires at each of its times in UTC, keeps its id, and ends when it is cancelled or has no more times; what is no cron expression is invalid_request",
    async test(subject) {
      const fired: Alarm[] = [];
      const answers: unknown[] = [];
      const s = await scene(subject, { one: keeper(fired, answers) });
      const start = subject.clock.now();
      await tell(s, "cron", "30 1 * * *");
      await s.advance(3 * 86_400_000);
      same(
        fired.map(({ scheduled_for }) => scheduled_for - start),
        [0, 1, 2].map((day) => day * 86_400_000 + 5_400_000),
        "its times",
      );
      same(new Set(fired.map(({ alarm_id }) => alarm_id)), new Set(answers), "its id");
      await tell(s, "cancel", String(answers[0]));
      same(answers[1], true, "the answer to cancel");
      await s.advance(3 * 86_400_000);
      same(fired.length, 3, "fired after it was cancelled");
      await tell(s, "cron", "0 0 12 10 1 * 2026");
      await s.advance(30 * 86_400_000);
      same(fired.length, 4, "a cron with one time");
      same((await s.at("one").status()).next_alarm, null, "no next alarm");
      answers.length = 0;
      for (const bad of ["", "x", "* * *", "60 * * * *", "0 0 30 2 *", "? * * * *", "2027-01-01"]) {
        await tell(s, "refused", bad);
      }
      same(answers, Array(7).fill("invalid_request"), "what is no cron expression");
    },
  },
  {
    id: "T46",
    name: "a_cancelled_alarm_does_not_fire",
    says:
      "`cancelAlarm` says whether there was one, and it does not fire, unless the tick that cancelled it failed",
    async test(subject) {
      const heard: string[] = [];
      let last = "";
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          const text = said(trigger);
          heard.push(text);
          if (text === "set") last = await ctx.alarm(1_000, "ring");
          if (!text.startsWith("cancel")) return;
          heard.push(`${await ctx.cancelAlarm(last)} ${await ctx.cancelAlarm(last)}`);
          if (text === "cancel and fail") throw new Error("as asked");
        }),
      }, { limits: { retry_ms: [] } });
      const one = s.at("one");
      await one.send("set");
      await one.send("cancel");
      same(heard.at(-1), "true false", "the answers");
      await s.advance(5_000);
      same(heard.includes('alarm "ring"'), false, "a cancelled alarm fired");
      await one.send("set");
      await one.send("cancel and fail");
      await s.advance(5_000);
      same(heard.at(-1), 'alarm "ring"', "an alarm whose cancelling was rolled back");
      await one.send("cancel");
      same(heard.at(-1), "false false", "an alarm that has fired");
    },
  },
  {
    id: "T47",
    name: "an_alarm_wakes_and_waits",
    says:
      "an alarm wakes an agent that sleeps, waits for one that is paused, and waits for room in a full inbox",
    async test(subject) {
      const fired: Alarm[] = [];
      const s = await scene(subject, { one: keeper(fired) }, { limits: AT_ONCE });
      const one = s.at("one");
      await tell(s, "in", 3_600_000);
      await s.advance(600_000);
      same((await s.info("one")).state, "dormant", "the agent before the alarm");
      await s.advance(3_000_000);
      same(fired.length, 1, "fired at an agent that slept");
      await tell(s, "in", 1_000);
      await one.control("pause");
      await s.advance(5_000);
      same(fired.length, 1, "fired at a paused agent");
      await one.control("resume");
      same(fired.length, 2, "fired after the resume");
      await tell(s, "in", 1_000);
      await one.overflow({ max_depth: 1 });
      await one.control("pause");
      await one.send("fills it");
      await s.advance(10_000);
      await one.control("resume");
      await s.advance(10_000);
      same(fired.length, 3, "fired when there was room");
      same(fired[2]!.fired_at > fired[2]!.scheduled_for, true, "both times are told");
    },
  },
];
