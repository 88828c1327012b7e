/** Laws of answers: a reply goes the way its question came, at once or later, and who waits gets it. */
import type { AgentId, EnvelopeId } from "../../src/core/id.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, AT_ONCE, door, ONCE, said, type Scene, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

/** What comes of a wait, noted when it comes. */
function waiting(
  s: Scene,
  id: string,
  envelope: EnvelopeId,
  signal = new AbortController().signal,
) {
  const told: { value?: unknown } = {};
  s.runtime.wait(id as AgentId, envelope, signal).then(
    (waited) => told.value = waited && [waited.tick.success, waited.replies],
    (error) => told.value = codeOf(error),
  );
  return told;
}

const text = (text: string) => ({ kind: "text", text });

export const answerLaws: readonly TickLaw[] = [
  {
    id: "T48",
    name: "a_reply_goes_the_way_its_question_came",
    says:
      "a reply to somebody outside is an event of `/outbox` that names the envelope and its sender, one to an agent is a message that names what it answers, and none leaves a tick that failed",
    async test(subject) {
      const heard: unknown[] = [];
      const s = await scene(subject, {
        ann: agent(async (ctx, trigger) => {
          if (trigger.type !== "message") return;
          if (trigger.meta.source.kind === "agent") {
            return void heard.push([trigger.text, trigger.from, trigger.parent_id]);
          }
          heard.push(await ctx.send("one", "a question"));
        }),
        one: agent(async (ctx, trigger) => {
          await ctx.reply(`you said ${said(trigger)}`);
          await ctx.reply({ n: 2 });
          if (said(trigger) === "fail") throw new Error("as asked");
          if (trigger.type === "message" && trigger.from === "http:bob") await ctx.alarm(1_000);
        }),
      }, { limits: ONCE });
      const sent = await s.at("one", "bob").send("hello");
      await s.at("one").send("fail");
      const outbox = async () =>
        (await s.at("one").events("/outbox"))
          .map(({ type, envelope_id, to, payload }) => [type, envelope_id, to, payload]);
      const to = { kind: "http", principal: "bob" };
      same(await outbox(), [
        ["reply", sent.envelope_id, to, text("you said hello")],
        ["reply", sent.envelope_id, to, { kind: "json", data: { n: 2 } }],
      ], "the outbox");
      await s.at("ann").send("go");
      const question = heard[0];
      same(heard.slice(1), [
        ["you said a question", "one", question],
        ['{"n":2}', "one", question],
      ], "what the other agent heard");
      same((await outbox()).length, 2, "events in the outbox after an agent was answered");
      await s.advance(1_000);
      const [, , alarm] = await outbox();
      same(
        (alarm?.[2] as { kind: string } | undefined)?.kind,
        "scheduler",
        "whom a reply to an alarm names",
      );
    },
  },
  {
    id: "T49",
    name: "who_waits_gets_the_replies",
    says:
      "a wait is answered with the result of the last try and the replies in their order, also for a repeat, when it comes late, and after a restart; for what was given up with its error; an id that was never accepted is not_found",
    async test(subject) {
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "fails") throw new Error("as it should");
          if (said(trigger) === "fails once" && ctx.tick.attempt === 1) throw new Error("once");
          await gate.pass(ctx);
          await ctx.reply(`1 ${said(trigger)}`);
          await ctx.reply(`2 ${said(trigger)}`);
        }),
      }, { limits: { retry_ms: [1_000] } });
      const one = s.at("one");
      await one.send("a", { id: "a" });
      const leave = new AbortController();
      const [first, second, left] = [
        waiting(s, "one", "a" as EnvelopeId),
        waiting(s, "one", "a" as EnvelopeId),
        waiting(s, "one", "a" as EnvelopeId, leave.signal),
      ];
      await s.quiet();
      leave.abort();
      await s.quiet();
      same(
        [first.value, "value" in left, left.value],
        [undefined, true, undefined],
        "while it runs",
      );
      gate.open();
      await s.quiet();
      const want = [true, [text("1 a"), text("2 a")]];
      same([first.value, second.value], [want, want], "two who waited");
      const shown = async (id: string) => {
        const { tick, replies } = await one.wait(id as EnvelopeId);
        return [tick.success, replies];
      };
      same(await shown("a"), want, "a wait that came late");
      await one.send("fails once", { id: "b" });
      const retried = waiting(s, "one", "b" as EnvelopeId);
      await s.quiet();
      same(retried.value, undefined, "between two tries");
      await s.advance(1_000);
      same(retried.value, [true, [text("1 fails once"), text("2 fails once")]], "after two tries");
      await one.send("fails", { id: "c" });
      const given = waiting(s, "one", "c" as EnvelopeId);
      await s.advance(1_000);
      same(given.value, [false, []], "what was given up");
      await s.restart("crash");
      same(await shown("a"), want, "after a restart");
      const { tick } = await one.wait("c" as EnvelopeId);
      same(
        [tick.success, tick.envelope_id, tick.error?.code],
        [false, "c", "agent_error"],
        "what was given up, later",
      );
      await refuses(
        "not_found",
        () => one.wait("never" as EnvelopeId),
        "an id that was never accepted",
      );
    },
  },
  {
    id: "T50",
    name: "a_reply_may_come_in_a_later_tick",
    says:
      "who waits for an envelope whose handler returned `pending` gets the reply of the later tick that answers it, over restarts; an envelope that does not wait for one cannot be answered later",
    async test(subject) {
      const refused: unknown[] = [];
      const s = await scene(subject, {
        ann: agent(async (ctx, trigger) => {
          if (trigger.meta.source.kind === "agent") ctx.state.heard = said(trigger);
          else await ctx.send("one", "later, please");
        }),
        one: agent(async (ctx, trigger) => {
          if (said(trigger).startsWith("later")) {
            await ctx.alarm(5_000, trigger.meta.envelope_id);
            return { pending: true };
          }
          if (trigger.type === "alarm") {
            return await ctx.reply("here it is", { to: trigger.payload as string });
          }
          const to = said(trigger).replace("answer ", "");
          await ctx.reply("again", { to }).catch((error: unknown) => refused.push(codeOf(error)));
        }),
      }, { limits: AT_ONCE });
      const one = s.at("one");
      await one.send("later", { id: "q" });
      await one.send("later", { id: "q2" });
      const early = waiting(s, "one", "q" as EnvelopeId);
      await s.quiet();
      same(early.value, undefined, "before the answer");
      await s.advance(5_000);
      same(early.value, [true, [text("here it is")]], "who waited from before");
      same(
        (await one.wait("q2" as EnvelopeId)).replies,
        [text("here it is")],
        "who asked after it",
      );
      await one.send("later", { id: "r" });
      await s.restart("crash");
      const late = waiting(s, "one", "r" as EnvelopeId);
      await s.quiet();
      same(late.value, undefined, "before the answer, after a restart");
      await s.advance(5_000);
      same(late.value, [true, [text("here it is")]], "who waited over a restart");
      for (const id of ["q", "never", "bad id"]) await one.send(`answer ${id}`);
      same(refused, ["not_found", "not_found", "invalid_request"], "answers to what does not wait");
      await s.at("ann").send("go");
      await s.advance(5_000);
      same(await s.at("ann").state(), { heard: "here it is" }, "an agent that waited");
      const rows = await subject.backend.storage("one").list({ prefix: "pending/" });
      same(rows.map(({ key }) => key), [], "questions that are open");
    },
  },
  {
    id: "T51",
    name: "the_result_of_a_tick_tells_what_it_did",
    says:
      "a result names its tick and envelope, counts messages, events, reads and writes, names the next alarm, and has an error exactly when it failed",
    async test(subject) {
      const s = await scene(subject, {
        two: agent(() => {}),
        one: agent(async (ctx, trigger) => {
          await ctx.send("two", 1);
          await ctx.send("two", 2);
          await ctx.broadcast("x");
          await ctx.kv.set("k", "v".repeat(1_000));
          await ctx.kv.get("k");
          await ctx.env.read("/status");
          await ctx.alarm(60_000);
          if (trigger.type !== "manual") throw new Error("as asked");
        }),
      }, { limits: ONCE });
      const done = await s.at("one").tick();
      holds(/^tick_[0-9a-f-]{36}$/.test(done.tick_id), `the id of the tick: ${done.tick_id}`);
      same(
        [done.success, done.messages_sent, done.events_emitted, done.error, done.should_hibernate],
        [true, 2, 1, undefined, false],
        "what it says",
      );
      same(done.next_alarm, new Date(subject.clock.now() + 60_000).toISOString(), "the next alarm");
      const { usage } = done;
      same(usage.messages_sent, 2, "messages in the usage");
      holds(usage.storage_reads >= 1 && usage.storage_writes >= 1, "reads and writes are counted");
      holds(usage.storage_bytes_written >= 1_000, "bytes are counted");
      holds(usage.api_calls >= 1, "calls of files are counted");
      const { envelope_id } = await s.at("one").send("fail");
      const { tick } = await s.at("one").wait(envelope_id);
      same(
        [tick.success, tick.messages_sent, tick.events_emitted, tick.error?.code],
        [false, 0, 0, "agent_error"],
        "what a failed one says",
      );
    },
  },
];
