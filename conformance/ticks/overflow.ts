/** Laws of a full inbox: what does not fit is refused, goes to the dead letters or takes the place of the oldest, as the operator said. */
import type { AgentId, EnvelopeId } from "../../src/core/id.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, door, ONCE, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const overflowLaws: readonly TickLaw[] = [
  {
    id: "T22",
    name: "a_full_inbox_refuses",
    says:
      "by default an inbox takes 10,000; one that is full refuses with inbox_full and keeps what it has, knows repeats, takes ticks by hand, and takes more when there is room",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, { one: agent((_, t) => void heard.push(said(t))) });
      const one = s.at("one");
      same(await one.json("/inbox/overflow"), {
        max_depth: 10_000,
        policy: "reject_new",
        dead_letter_max: 1_000,
      }, "the policy of a new agent");
      await one.overflow({ max_depth: 2 });
      await one.control("pause");
      await one.send("1", { id: "e1" });
      await one.send("2", { id: "e2" });
      await refuses("inbox_full", () => one.send("3", { id: "e3" }), "a third of two");
      same((await one.send("2", { id: "e2" })).duplicate, true, "a repeat at a full inbox");
      await refuses("conflict", () => one.send("x", { id: "e2" }), "another payload of a known id");
      await s.restart("crash");
      await refuses("inbox_full", () => one.send("3", { id: "e3" }), "after a restart");
      const raced = await s.answer(() =>
        Promise.allSettled([1, 2, 3].map((n) => one.sending(`late ${n}`)))
      );
      same(raced.map(({ status }) => status), Array(3).fill("rejected"), "three more at once");
      await one.control("resume");
      same(heard, ["1", "2"], "what was ticked");
      same((await one.send("3", { id: "e3" })).duplicate, false, "the refused one, sent again");
      await one.control("pause");
      const many = await s.answer(() =>
        Promise.allSettled([1, 2, 3, 4, 5].map((n) => one.sending(`many ${n}`)))
      );
      same(many.filter(({ status }) => status === "fulfilled").length, 2, "taken of five at once");
      await refuses(
        "permission_denied",
        () => s.at("one", "ann").overflow({ max_depth: 3 }),
        "a policy set by who is no operator",
      );
      await refuses("invalid_request", () => one.overflow({ max_depth: 0 }), "a depth of 0");
    },
  },
  {
    id: "T23",
    name: "overflow_deadletter",
    says:
      "under `dead_letter` what does not fit goes to the dead letters and its sender is told so; when they are full too it is refused, and what was given up takes no place there",
    async test(subject) {
      const heard: string[] = [];
      const s = await scene(subject, {
        one: agent((_, trigger) => {
          if (said(trigger) === "fails") throw new Error("as it should");
          heard.push(said(trigger));
        }),
      }, { limits: ONCE });
      const one = s.at("one");
      await one.send("fails");
      await one.send("fails");
      await one.overflow({ max_depth: 1, policy: "dead_letter", dead_letter_max: 2 });
      await one.control("pause");
      same((await one.send("waits", { id: "w" })).disposition, "queued", "what fits");
      const over = await one.send("over", { id: "o1" });
      same([over.disposition, over.duplicate], ["dead_letter", false], "what does not fit");
      same((await one.send("over", { id: "o1" })).duplicate, true, "a repeat of it");
      await refuses("conflict", () => one.send("x", { id: "o1" }), "another payload of its id");
      const raced = await s.answer(() =>
        Promise.allSettled([
          one.sending("over 2", { id: "o2" }),
          one.sending("over 2", { id: "o2" }),
          one.sending("over 3", { id: "o3" }),
        ])
      );
      const letters = () => one.letters().then((all) => all.map(({ reason }) => reason).sort());
      same(await letters(), ["failed", "failed", "overflow", "overflow"], "the dead letters");
      const taken = raced.filter((each) => each.status === "fulfilled");
      holds(taken.length >= 1, "one of three at once found the last place");
      same(
        taken.filter((each) => !each.value.duplicate).length,
        1,
        "one of three at once took the last place",
      );
      await refuses("inbox_full", () => one.send("over 4", { id: "o4" }), "both are full");
      await s.restart("crash");
      await refuses("inbox_full", () => one.send("over 4", { id: "o4" }), "after a restart");
      same((await one.send("over", { id: "o1" })).disposition, "dead_letter", "a repeat, later");
      await one.control("resume");
      same(heard, ["waits"], "what was ticked");
      await one.dead("replay o1");
      same(heard, ["waits", "over"], "a dead letter that was sent back");
      same((await letters()).length, 3, "dead letters that are left");
    },
  },
  {
    id: "T24",
    name: "overflow_drops_the_oldest",
    says:
      "under `drop_oldest` the newest is always taken and the oldest that waits goes, counted and traced, never the one that is in its tick",
    async test(subject) {
      const heard: string[] = [];
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "in its tick") await gate.pass(ctx);
          heard.push(said(trigger));
        }),
      });
      const one = s.at("one");
      await one.overflow({ max_depth: 3, policy: "drop_oldest" });
      await one.send("in its tick");
      const told: unknown[] = [];
      await one.send("0", { id: "e0" });
      s.runtime.wait("one" as AgentId, "e0" as EnvelopeId, new AbortController().signal)
        .then((waited) => told.push(waited?.tick.success), (error) => told.push(codeOf(error)));
      for (const n of [1, 2, 3, 4, 5]) {
        const receipt = await one.send(`${n}`, { id: `e${n}` });
        same([receipt.disposition, receipt.queue_depth], ["queued", Math.min(n + 2, 3)], `${n}`);
      }
      const raced = await s.answer(() =>
        Promise.all([1, 2].map(() => one.sending("twice", { id: "twice" })))
      );
      same(raced.filter(({ duplicate }) => !duplicate).length, 1, "taken of one id twice at once");
      const waiting = (await one.names("/inbox")).map((name) => name.slice(13));
      same(waiting.slice(-3, -1), ["e5.json", "twice.json"], "what waits, in its order");
      const large = "x".repeat(100_000);
      await one.send(large, { id: "large" });
      await one.send("6", { id: "e6" });
      const dropped = (await one.events("/logs/trace"))
        .filter(({ type, code }) => type === "error" && code === "inbox_full");
      const gone = ["e0", "e1", "e2", "e3", "e4", "e5", "twice"];
      same(dropped.map(({ envelope_id }) => envelope_id), gone, "the dropped, in the trace");
      same(dropped.map(({ dropped }) => dropped), [1, 2, 3, 4, 5, 6, 7], "their count");
      same(told, [false], "what is told to who waits for a dropped one");
      await s.restart("crash");
      gate.open();
      await s.quiet();
      same(heard, ["in its tick", large, "6"], "what was ticked");
      const rows = await subject.backend.storage("one").list({ prefix: "blob/" });
      same(rows.length, 0, "rows left of what is gone");
      same((await one.send("1", { id: "e1" })).duplicate, true, "a repeat of what was dropped");
    },
  },
];
