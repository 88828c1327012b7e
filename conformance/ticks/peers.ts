/** Laws of messages from agent to agent: exactly once, in order, whoever sleeps, is full, or is not there. */
import type { AgentContext } from "../../src/core/agent.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import { holds, same } from "../expect.ts";
import { agent, AT_ONCE, door, ONCE, said, scene, stage } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

/** Sends `from 0` … to an agent when it is told `{ to, count }`. */
async function sendMany(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type !== "message" || trigger.payload.kind !== "json") return;
  const { to, count } = trigger.payload.data as { to: string; count: number };
  const sent = (ctx.state.sent ?? 0) as number;
  for (let n = 0; n < count; n++) await ctx.send(to, `${ctx.agent.id} ${sent + n}`);
  ctx.state.sent = sent + count;
}

const upTo = (from: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${from} ${n}`);

export const peerLaws: readonly TickLaw[] = [
  {
    id: "T35",
    name: "messages_between_agents_arrive_exactly_once_in_order",
    says:
      "what agents send each other arrives once and in the order in which it was sent, over sleeps, restarts and crashes on the way",
    async test(subject) {
      const heard: string[] = [];
      const gate = door();
      const s = await scene(subject, {
        ann: agent(sendMany),
        bob: agent(sendMany),
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "wait") await gate.pass(ctx);
          else heard.push(said(trigger));
        }),
      });
      const go = (who: string, count: number) => s.at(who, "me").sending({ to: "one", count });
      await s.at("one").send("wait");
      await s.answer(() => Promise.all([go("ann", 20), go("bob", 20), go("ann", 5)]));
      same(heard, [], "heard while the receiver is busy");
      await s.restart("crash");
      go("bob", 7).catch(() => {});
      await s.restart("crash");
      gate.open();
      await s.quiet();
      await s.at("one").control("hibernate");
      await s.restart("clean");
      await go("ann", 5);
      await s.quiet();
      const from = (who: string) => heard.filter((text) => text.startsWith(who));
      same(from("ann"), upTo("ann", 30), "heard of ann");
      const bobs = from("bob");
      holds(bobs.length === 20 || bobs.length === 27, `all or nothing of a tick: ${bobs.length}`);
      same(bobs, upTo("bob", bobs.length), "heard of bob");
      const rows = await subject.backend.find({ prefix: "send/", limit: 10 });
      same(rows, [], "messages that are left on their way");
    },
  },
  {
    id: "T36",
    name: "a_full_receiver_is_tried_again",
    says:
      "a message to a receiver whose inbox is full waits at its sender, in order, until it is taken, and does not hold up messages to others",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        ann: agent(async (ctx) => {
          for (const n of [1, 2, 3]) await ctx.send("full", `ann ${n}`);
          await ctx.send("free", "ann 4");
        }),
        full: agent((_, trigger) => void heard.push(said(trigger))),
        free: agent((_, trigger) => void heard.push(said(trigger))),
      });
      const full = s.at("full");
      await full.overflow({ max_depth: 2 });
      await full.control("pause");
      await full.send("before");
      await s.at("ann").send("go");
      await s.advance(10_000);
      await s.advance(60_000);
      same((await s.info("ann")).state, "dormant", "a sender whose messages wait");
      same(heard, ["ann 4"], "heard while the receiver is full");
      same((await full.status()).queue_depth, 2, "what waits at the receiver");
      await s.restart("crash");
      await s.advance(10_000);
      await full.control("resume");
      await s.advance(10_000);
      same(heard.slice(1), ["before", "ann 1", "ann 2", "ann 3"], "heard afterwards");
      await full.overflow({ max_depth: 1, policy: "dead_letter" });
      await full.control("pause");
      await full.send("waits");
      await s.at("ann").send("go");
      await s.advance(5_000);
      same(
        await full.letters(),
        [],
        "messages of agents wait at their sender, also under dead_letter",
      );
      await full.control("resume");
      await s.advance(10_000);
      same(heard.slice(-3), ["ann 1", "ann 2", "ann 3"], "heard in the end");
    },
  },
  {
    id: "T37",
    name: "what_cannot_arrive_comes_back",
    says:
      "a message to an agent that is not there, or not any more, becomes an event `undeliverable` at its sender, with what was sent, and later messages go on",
    async test(subject) {
      const events: unknown[] = [];
      const heard: string[] = [];
      const ids: string[] = [];
      const s = await scene(subject, {
        ann: agent(async (ctx, trigger) => {
          if (trigger.type === "event") {
            const { why: _, ...data } = trigger.data as Record<string, unknown>;
            return void events.push([trigger.event, data]);
          }
          ids.push(await ctx.send("nobody", { a: 1 }), await ctx.send("gone", "b"));
          await ctx.send("here", "c");
        }),
        gone: agent((_, trigger) => void heard.push(`gone ${said(trigger)}`)),
        here: agent((_, trigger) => void heard.push(`here ${said(trigger)}`)),
      });
      await s.at("ann").send("go");
      same(heard.sort(), ["gone b", "here c"], "heard while it is there");
      same(
        events,
        [["undeliverable", { to: "nobody", message_id: ids[0], data: { a: 1 } }]],
        "events at the sender",
      );
      await s.delete("gone");
      await s.at("ann").send("go");
      await s.restart("crash");
      await s.advance(10_000);
      const undelivered = events.slice(1).map((event) => JSON.stringify(event)).sort();
      const want = [
        ["undeliverable", { to: "nobody", message_id: ids[2], data: { a: 1 } }],
        ["undeliverable", { to: "gone", message_id: ids[3], data: "b" }],
      ];
      same(
        undelivered,
        want.map((event) => JSON.stringify(event)).sort(),
        "events after it has gone",
      );
      same(heard.filter((text) => text === "here c").length, 2, "messages to who is there");
    },
  },
  {
    id: "T38",
    name: "an_agent_may_write_to_itself",
    says:
      "a message to itself, sent or written to `/inbox`, is ticked after the tick that sent it, as one of the agent's own; nothing of it when that tick fails",
    async test(subject) {
      const heard: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          heard.push([said(trigger), trigger.meta.source.kind]);
          if (trigger.meta.source.kind === "agent") return;
          await ctx.send("one", "sent");
          await ctx.env.write("/inbox", "written");
          await ctx.env.append("/inbox", { appended: true });
          const receipt = await ctx.env.call<{ disposition: string }>("/inbox", "called");
          heard.push(receipt.disposition);
          if (said(trigger) === "fail") throw new Error("as asked");
        }),
      }, { limits: ONCE });
      await s.at("one").send("fail");
      same(heard, [["fail", "http"], "queued"], "after a tick that failed");
      heard.length = 0;
      await s.at("one").send("go");
      same(heard, [
        ["go", "http"],
        "queued",
        ["sent", "agent"],
        ["written", "agent"],
        ['{"appended":true}', "agent"],
        ["called", "agent"],
      ], "what was ticked");
    },
  },
  {
    id: "T39",
    name: "a_new_agent_may_send",
    says:
      "what `onCreate` sends, to others and to itself, arrives once the agent is there, once; nothing of it when the create fails",
    async test(subject) {
      const heard: string[] = [];
      let fails = true;
      const s = await stage(subject, {
        two: agent(async (ctx, trigger) => {
          heard.push(`two ${said(trigger)}`);
          if (trigger.type === "message" && trigger.from === "one") await ctx.reply("welcome");
        }),
        one: agent((_, trigger) => void heard.push(`one ${said(trigger)}`), {
          async onCreate(ctx) {
            await ctx.send("one", "to myself");
            await ctx.send("two", "hello");
            await ctx.alarm(1_000, "ring");
            if (fails) throw new Error("not yet");
          },
        }),
      });
      await s.create("two");
      await s.create("one").then(() => holds(false, "a create that fails"), () => {});
      await s.advance(5_000);
      same(heard, [], "what came of a create that failed");
      fails = false;
      await s.create("one");
      await s.advance(5_000);
      same(
        heard.sort(),
        ['one alarm "ring"', "one to myself", "one welcome", "two hello"],
        "what arrived",
      );
    },
  },
  {
    id: "T40",
    name: "another_life_of_an_agent_is_another_agent",
    says:
      "an agent that was ended and made again takes messages of others from the first one on, and its own are taken though their numbers begin anew",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        ann: agent(sendMany),
        one: agent((_, trigger) => void heard.push(said(trigger))),
      });
      const go = (count: number) => s.at("ann").send({ to: "one", count });
      await go(5);
      await s.delete("one");
      await s.create("one");
      await go(2);
      same(heard, [...upTo("ann", 7)], "heard by two lives of a receiver");
      await s.delete("ann");
      await s.create("ann");
      heard.length = 0;
      await go(3);
      await s.restart("crash");
      await s.at("ann").send({ to: "one", count: 1 });
      same(heard, upTo("ann", 4), "heard of the second life of a sender");
    },
  },
  {
    id: "T41",
    name: "a_busy_or_failing_receiver_loses_nothing",
    says:
      "messages to an agent that is in a tick, paused, asleep or failing wait in its inbox, and a receiver's retries do not make its senders send again",
    async test(subject) {
      const heard: string[] = [];
      let fails = 2;
      const s = await scene(subject, {
        ann: agent(sendMany),
        one: agent((_, trigger) => {
          if (said(trigger) === "ann 3" && fails-- > 0) throw new Error("not now");
          heard.push(said(trigger));
        }),
      }, { limits: AT_ONCE });
      const go = (count: number) => s.at("ann").send({ to: "one", count });
      await s.at("one").control("pause");
      await go(2);
      await s.at("one").control("hibernate");
      await go(2);
      same((await s.at("one").status()).queue_depth, 4, "what waits");
      same((await s.at("ann").status()).queue_depth, 0, "what waits at the sender");
      await s.at("one").control("resume");
      await s.advance(1_000);
      await s.at("one").control("hibernate");
      await go(2);
      same(heard, upTo("ann", 6), "what was heard");
    },
  },
];
