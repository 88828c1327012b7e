/** Laws of acceptance: what was taken is ticked, once, and what cannot be taken is refused or goes where the operator said. */
import type { AgentId } from "../../src/core/id.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { Receipt } from "../../src/core/view.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, allRows, AT_ONCE, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const acceptLaws: readonly TickLaw[] = [
  {
    id: "T14",
    name: "at_least_once_delivery",
    says:
      "what was accepted is ticked at least once, whether the process ends before, in or after its tick, or while it waits for a retry, and also when nobody asks",
    async test(subject) {
      const done: string[] = [];
      let gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          const text = said(trigger);
          if (text === "slow") await gate.pass(ctx);
          if (text === "fails") throw new Error("as long as it may");
          done.push(text);
        }),
      }, { limits: { retry_ms: [1_000] } });
      const send = (text: string, who: string) => s.at("one", who).sending(text);
      await s.answer(() =>
        Promise.all([send("slow", "a"), send("fails", "b"), send("plain", "c")])
      );
      await s.at("one", "d").send({ large: "x".repeat(200_000) });
      same(gate.callers, 1, "the slow one is in its tick");
      gate = door();
      await s.restart("crash");
      same(gate.callers, 1, "the slow one is in its tick again");
      same(done, [], "nothing else of the agent's was ticked meanwhile");
      await send("accepted while it runs", "e");
      await s.restart("crash");
      gate.open();
      await s.quiet();
      holds(done.includes("plain"), "the plain one was ticked");
      holds(done.includes("accepted while it runs"), "the one that came during a tick was ticked");
      holds(done.some((text) => text.includes("xxx")), "the large one was ticked");
      holds(done.includes("slow"), "the slow one was ticked");
      await s.advance(1_000);
      same((await s.at("one").letters()).map(({ sender }) => sender), ["http:b"], "dead letters");
      same((await s.at("one").status()).queue_depth, 0, "what waits");
    },
  },
  {
    id: "T15",
    name: "an_envelope_id_takes_effect_once",
    says:
      "a repeat of an accepted id answers `duplicate` and is not ticked again: while it waits, when it was ticked, when it is a dead letter, and after a restart",
    async test(subject) {
      const heard: string[] = [];
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "slow") await gate.pass(ctx);
          heard.push(said(trigger));
          if (said(trigger) === "fails") throw new Error("as it should");
        }),
      }, { limits: ONCE });
      const one = s.at("one");
      const together = await s.answer(() =>
        Promise.all(Array.from({ length: 5 }, () => one.sending("slow", { id: "slow-1" })))
      );
      same(together.filter(({ duplicate }) => !duplicate).length, 1, "accepted of five at once");
      const again = (text: string, id: string): Promise<Receipt> => one.send(text, { id });
      same((await again("slow", "slow-1")).duplicate, true, "a repeat of what is in its tick");
      same((await again("later", "later-1")).duplicate, false, "another id");
      same((await again("later", "later-1")).duplicate, true, "a repeat of what waits");
      await s.restart("crash");
      same((await again("later", "later-1")).duplicate, true, "a repeat after a crash");
      gate.open();
      await s.quiet();
      same((await again("later", "later-1")).duplicate, true, "a repeat of what was ticked");
      await again("fails", "fails-1");
      const dead = await again("fails", "fails-1");
      same([dead.duplicate, dead.disposition], [true, "dead_letter"], "a repeat of a dead letter");
      await s.restart("clean");
      const all = [await again("slow", "slow-1"), await again("later", "later-1")];
      same(all.map((receipt) => receipt.duplicate), [true, true], "repeats after a restart");
      same(
        all.map((receipt) => receipt.envelope_id),
        ["slow-1", "later-1"],
        "the ids in the receipts",
      );
      same(heard, ["slow", "later", "fails"], "what was ticked");
      same((await one.send("slow")).duplicate, false, "the same words under an id of their own");
    },
  },
  {
    id: "T16",
    name: "an_envelope_id_means_one_payload",
    says: "an accepted id with another payload is a conflict, and changes nothing",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          heard.push(said(trigger));
          if (said(trigger) === "fails") throw new Error("as it should");
        }),
      }, { limits: ONCE });
      const one = s.at("one");
      await one.send("first", { id: "x" });
      await refuses("conflict", () => one.send("other", { id: "x" }), "another text");
      await refuses("conflict", () => one.send({ text: "first" }, { id: "x" }), "another kind");
      await one.send("fails", { id: "y" });
      await refuses("conflict", () => one.send("other", { id: "y" }), "a dead letter's id");
      await one.control("pause");
      await one.send("waits", { id: "z" });
      await refuses("conflict", () => one.send("other", { id: "z" }), "a waiting one's id");
      await s.restart("crash");
      await refuses("conflict", () => one.send("other", { id: "x" }), "after a crash");
      const raced = await s.answer(() =>
        Promise.allSettled([one.sending("a", { id: "race" }), one.sending("b", { id: "race" })])
      );
      same(
        raced.map((each) => each.status === "fulfilled" ? "taken" : codeOf(each.reason)).sort(),
        ["conflict", "taken"],
        "two payloads of one id at once",
      );
      same(heard, ["first", "fails"], "what was ticked");
    },
  },
  {
    id: "T17",
    name: "what_is_malformed_never_reaches_storage",
    says:
      "an envelope id that is none, or belongs to the runtime, and a payload that is none, are invalid_request, and no row is written",
    async test(subject) {
      const s = await scene(subject, { one: agent(() => {}) });
      const before = await allRows(subject);
      const bad = ["", ".", "..", "list", "count", "ctl", "a b", "ü", "a/b", "x".repeat(129)];
      const ours = ["alarm:1", "approval:1", "job:1", "msg:1", "nostr:1", "hook:1", "tick_1"];
      for (const id of [...bad, ...ours]) {
        const sent = () => s.at("one").call("/inbox", JSON.stringify({ id, payload: "x" }));
        await refuses("invalid_request", sent, `the id ${JSON.stringify(id)}`);
      }
      const payloads = [
        { kind: "text" },
        { kind: "text", text: 1 },
        { kind: "binary", data: "?" },
        { kind: "tick" },
        { kind: "agent_message", from: "other", data: 1 },
        { kind: "nostr_event", event: {} },
      ];
      for (const payload of payloads) {
        await refuses("invalid_request", () => s.at("one").send(payload), JSON.stringify(payload));
      }
      for (const id of ["", "A", "-a", "a b", "x".repeat(64), "@registry"]) {
        await refuses("invalid_request", () => s.create(id, { agent: "one" }), `the agent "${id}"`);
      }
      same([...(await allRows(subject)).keys()], [...before.keys()], "the rows");
      same((await s.at("one").send("x", { id: "x".repeat(128) })).duplicate, false, "a long id");
    },
  },
  {
    id: "T18",
    name: "trigger_envelope_id",
    says:
      "every trigger names the envelope that caused it, where that came from, its number and its time, and shows no more of the envelope than its payload and what its sender added",
    async test(subject) {
      const triggers: Trigger[] = [];
      const ids: string[] = [];
      const s = await scene(subject, {
        peer: agent((ctx) => void ctx.send("one", "from a peer")),
        one: agent(async (ctx, trigger) => {
          triggers.push(structuredClone(trigger));
          ids.push(ctx.tick.envelope_id);
          if (said(trigger) !== "go") return;
          await ctx.alarm(1_000, "ring");
          await ctx.send("nobody", "lost");
        }),
      });
      const one = s.at("one", "ann");
      const sent = await one.send("go", { metadata: { trace_id: "t", extra: { a: 1 } } });
      await s.at("peer").send("go");
      const byHand = await s.at("one").tick();
      await s.advance(1_000);
      const by = (what: string) => {
        const found = triggers.find((trigger) => said(trigger) === what);
        holds(found, `a trigger "${what}"`);
        return found;
      };
      const message = by("go");
      same(message.meta.envelope_id, sent.envelope_id, "the id of a message");
      same(message.meta.source, { kind: "http", principal: "ann" }, "where a message came from");
      const peer = by("from a peer");
      same(peer.meta.source, { kind: "agent", agent_id: "peer" }, "where an agent's came from");
      holds(peer.meta.envelope_id.startsWith("msg:"), "the id of an agent's message");
      const manual = by("manual");
      same(manual.meta.envelope_id, byHand.envelope_id, "the id of a tick by hand");
      same(manual.meta.source.kind, "manual", "where a tick by hand came from");
      const alarm = by('alarm "ring"');
      holds(alarm.type === "alarm", "an alarm is an alarm");
      same(
        alarm.meta.envelope_id,
        `alarm:${alarm.alarm_id}:${alarm.scheduled_for}`,
        "the id of an alarm",
      );
      same(alarm.meta.source.kind, "scheduler", "where an alarm came from");
      const event = by("event undeliverable");
      same(event.meta.source.kind, "system", "where an event came from");
      holds(event.meta.envelope_id.length > 0, "an event has an id");
      same(ids, triggers.map(({ meta }) => meta.envelope_id), "ids as the context tells them");
      same(new Set(triggers.map(({ meta }) => meta.envelope_id)).size, 5, "each has its own");
      for (const { meta } of triggers) {
        // What its sender added in `extra` may be shown as well.
        const { extra: _, ...rest } = meta as Trigger["meta"] & { readonly extra?: unknown };
        same(Object.keys(rest).sort(), ["created_at", "envelope_id", "seq", "source"], "meta");
      }
      same(
        message.type === "message" && [Object.keys(message).sort(), message.payload, message.from],
        [["from", "meta", "payload", "text", "type"], { kind: "text", text: "go" }, "http:ann"],
        "what a message shows",
      );
      const numbers = triggers.map(({ meta }) => meta.seq);
      same(new Set(numbers).size, numbers.length, "each number is given once");
      const records = (await s.at("one").events("/logs/trajectory"))
        .filter(({ type }) => type === "tick");
      same(
        records.slice(-5).map(({ envelope_id }) => envelope_id),
        ids,
        "ids in the trajectory",
      );
    },
  },
  {
    id: "T19",
    name: "dedup_helpers",
    says:
      "`ctx.seen` knows what `ctx.markSeen` marked, for good once the tick has committed, not at all when it failed, and for this agent alone",
    async test(subject) {
      const odd = ["plain", "a/b", "ümlaut ☃", " ", "%41", "x".repeat(512), "__proto__"];
      const seen: Record<string, boolean[]> = {};
      const refused: unknown[] = [];
      const code = agent(async (ctx, trigger) => {
        const text = said(trigger);
        if (text === "bad") {
          for (const id of ["", "x".repeat(513), 5 as unknown as string]) {
            await ctx.markSeen(id).catch((error: unknown) => refused.push(codeOf(error)));
            await ctx.seen(id).catch((error: unknown) => refused.push(codeOf(error)));
          }
          return;
        }
        seen[`${ctx.agent.id} ${text}`] = [];
        for (const id of odd) {
          seen[`${ctx.agent.id} ${text}`]!.push(await ctx.seen(id));
          if (text !== "look") await ctx.markSeen(id);
        }
        if (text === "look") return;
        same(await ctx.seen("plain"), true, "a mark, in the tick that made it");
        if (text === "mark and fail") throw new Error("after marking");
      });
      const s = await scene(subject, { one: code, two: code }, { limits: ONCE });
      const [all, none] = [odd.map(() => true), odd.map(() => false)];
      await s.at("one").send("mark and fail");
      await s.at("one").send("look");
      same(seen["one look"], none, "after a tick that failed");
      await s.at("one").send("mark");
      same(seen["one mark"], none, "in the first tick that commits");
      await s.at("one").send("look");
      same(seen["one look"], all, "in the next tick");
      await s.at("two").send("look");
      same(seen["two look"], none, "in another agent");
      for (const end of ["clean", "crash"] as const) {
        await s.restart(end);
        await s.at("one").send("look");
        same(seen["one look"], all, `after a restart (${end})`);
      }
      await s.at("one").send("bad");
      same(refused, Array(6).fill("invalid_request"), "ids that are none");
    },
  },
  {
    id: "T20",
    name: "what_has_expired_is_not_ticked",
    says:
      "an envelope past its `expires_at` leaves the inbox without a tick and is traced as expired; who waits for it is told",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, { one: agent((_, t) => void heard.push(said(t))) });
      const one = s.at("one");
      const until = (ms: number) => ({
        metadata: { expires_at: new Date(subject.clock.now() + ms).toISOString() },
      });
      await one.control("pause");
      const gone = await one.send("too late", until(1_000));
      await one.send("in time", until(3_000));
      await one.send("without end");
      await s.restart("crash");
      await s.advance(2_000);
      await one.control("resume");
      same(heard, ["in time", "without end"], "what was ticked");
      const expired = (await one.events("/logs/trace")).filter(({ type }) => type === "expired");
      same(expired.map(({ envelope_id }) => envelope_id), [gone.envelope_id], "the trace");
      same((await one.status()).queue_depth, 0, "what waits");
      same(await one.letters(), [], "dead letters");
      await one.send("at once", until(0));
      same(heard.length, 2, "what is past its time when it comes is not ticked");
      await one.control("pause");
      const waiting = await one.send("waited for", until(1_000));
      let told: unknown;
      s.runtime.wait("one" as AgentId, waiting.envelope_id, new AbortController().signal)
        .then((waited) => told = waited?.tick.success, (error) => told = codeOf(error));
      await s.advance(2_000);
      await one.control("resume");
      same(told, false, "success, as told to who waited");
      same((await one.send("waited for", { id: waiting.envelope_id })).duplicate, true, "a repeat");
    },
  },
  {
    id: "T21",
    name: "a_delivery_during_a_tick_waits",
    says:
      "what is accepted while a tick runs neither ends that tick nor gets lost, and is ticked next",
    async test(subject) {
      const gate = door();
      const heard: string[] = [];
      let runs = 0;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "slow") {
            runs++;
            ctx.state.count = await ctx.kv.get<number>("n") ?? 0;
            await ctx.kv.set("n", 1);
            await gate.pass();
          }
          heard.push(said(trigger));
        }),
      }, { limits: AT_ONCE });
      await s.at("one").send("slow");
      for (let n = 0; n < 20; n++) await s.at("one", `caller${n % 3}`).send(`${n}`);
      gate.open();
      await s.quiet();
      same(runs, 1, "runs of the slow tick");
      same(heard.length, 21, "what was ticked");
      same(heard[0], "slow", "what was ticked first");
      same(await s.at("one").names("/inbox"), ["overflow"], "what waits");
    },
  },
];
