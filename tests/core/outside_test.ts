/** Effects outside where tries fail, overlap and come late: each done once, its answer found again, and nothing of it left behind. */
import assert from "../assert.ts";
import { agent, allRows, AT_ONCE, door, ONCE, scene } from "../../conformance/ticks/scene.ts";
import type { TickSubject } from "../../conformance/ticks.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import type { Json } from "../../src/core/envelope.ts";
import { codeOf, FileError } from "../../src/fs/error.ts";
import { DESK, type Errand, free, withDesk } from "./desk.ts";

const BUDGETS = { [DESK]: { per_day_micro_usd: 1_000_000, approvers: [] } };

const errand = (ctx: AgentContext, wanted: Errand) =>
  ctx.env.call<Json>(`${DESK}/do`, wanted as unknown as Json);

/** Rows of one agent below these prefixes. */
async function left(subject: TickSubject, ...prefixes: string[]): Promise<string[]> {
  return [...(await allRows(subject)).keys()]
    .filter((at) => prefixes.some((prefix) => at.startsWith(`one ${prefix}`)));
}

Deno.test("what a handler got after a refusal that passes is what its next try gets", () =>
  withDesk(async (subject, desk) => {
    const asked: string[] = [];
    desk.perform = ({ what }) => {
      asked.push(what);
      if (asked.length === 1) throw new FileError("provider_unavailable", "do", what);
      return Promise.resolve(free({ nth: asked.length }));
    };
    const tries: number[] = [];
    const s = await scene(subject, {
      one: agent(async (ctx) => {
        tries.push(0);
        let got: Json;
        try {
          got = await errand(ctx, { what: "a" });
        } catch (error) {
          if (codeOf(error) !== "provider_unavailable") throw error;
          got = await errand(ctx, { what: "a" });
        }
        if (tries.length === 1) throw new Error("after all");
        ctx.state.got = got;
      }),
    }, { limits: AT_ONCE, budgets: BUDGETS });
    await s.at("one").send("go");
    await s.advance(1_000);
    assert.deepEqual(await s.at("one").state(), { got: { nth: 2 } });
    assert.deepEqual(asked, ["a", "a"]);
    assert.deepEqual(await left(subject, "call/", "open/", "try/"), []);
  }));

Deno.test("the same request many times in one tick is done as often, once over all its tries", () =>
  withDesk(async (subject, desk) => {
    let done = 0;
    desk.perform = () => Promise.resolve(free(++done));
    let tries = 0;
    const s = await scene(subject, {
      one: agent(async (ctx) => {
        const got = await Promise.all(
          Array.from({ length: 300 }, () => errand(ctx, { what: "a" })),
        );
        if (++tries < 3) throw new Error("after all");
        ctx.state.got = new Set(got as number[]).size;
      }),
    }, { limits: AT_ONCE, budgets: BUDGETS });
    await s.at("one").send("go");
    await s.advance(1_000);
    assert.equal(tries, 3);
    assert.deepEqual(await s.at("one").state(), { got: 300 });
    assert.equal(done, 300);
    assert.deepEqual(await left(subject, "call/", "open/", "try/"), []);
  }));

for (const ends of ["while it is asked for", "before it is asked for"] as const) {
  Deno.test(`what outlasts its try is done once, when it ends ${ends} again`, () =>
    withDesk(async (subject, desk) => {
      const asked: string[] = [];
      const slow = door();
      const between = door();
      desk.perform = async ({ what }) => {
        asked.push(what);
        if (what === "slow") await slow.pass();
        return free({ done: what, text: "x".repeat(100_000) });
      };
      let tries = 0;
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          const first = ++tries === 1;
          await errand(ctx, { what: "quick" });
          if (!first) await between.pass();
          const { done } = await errand(ctx, { what: "slow" }) as { done: string };
          ctx.state.got = done;
        }),
      }, { limits: { ...AT_ONCE, max_tick_ms: 1_000, idle_ms: 100 }, budgets: BUDGETS });
      const one = s.at("one");
      await one.sending("go");
      await s.advance(1_100);
      assert.equal(tries, 2);
      if (ends === "before it is asked for") slow.open();
      await s.quiet();
      between.open();
      await s.quiet();
      slow.open();
      await s.quiet();
      assert.deepEqual(await one.state(), { got: "slow" });
      assert.deepEqual(asked, ["quick", "slow"]);
      assert.deepEqual(await left(subject, "call/", "open/", "try/", "blob/"), []);
    }));
}

Deno.test("what an earlier try began, and what failed since, does not have to be asked for again", () =>
  withDesk(async (subject, desk) => {
    const asked: string[] = [];
    const slow = door();
    const between = door();
    desk.perform = async ({ what }) => {
      asked.push(what);
      if (what !== "slow") return free(what);
      await slow.pass();
      throw new FileError("provider_unavailable", "do", what);
    };
    let tries = 0;
    const s = await scene(subject, {
      one: agent(async (ctx) => {
        const first = ++tries === 1;
        await errand(ctx, { what: "quick" });
        if (!first) await between.pass();
        ctx.state.got = await errand(ctx, { what: first ? "slow" : "other" });
      }),
    }, { limits: { retry_ms: [0], max_tick_ms: 1_000 }, budgets: BUDGETS });
    await s.at("one").sending("go");
    await s.advance(1_100);
    slow.open();
    await s.quiet();
    between.open();
    await s.advance(500);
    assert.deepEqual(await s.at("one").state(), { got: "other" });
    assert.deepEqual(asked, ["quick", "slow", "other"]);
  }));

Deno.test("an effect that outlasts its try keeps its agent in memory, and is known to the next one", () =>
  withDesk(async (subject, desk) => {
    const asked: string[] = [];
    const slow = door();
    desk.perform = async ({ what }) => {
      asked.push(what);
      await slow.pass();
      return free({ done: what });
    };
    const s = await scene(subject, {
      one: agent(async (ctx) => {
        ctx.state.got = await errand(ctx, { what: "slow" });
      }),
    }, { limits: { retry_ms: [60_000], max_tick_ms: 1_000, idle_ms: 100 }, budgets: BUDGETS });
    await s.at("one").sending("go");
    await s.advance(30_000);
    slow.open();
    await s.quiet();
    await s.advance(40_000);
    assert.deepEqual(await s.at("one").state(), { got: { done: "slow" } });
    assert.deepEqual(asked, ["slow"]);
  }));

for (const fails of [false, true]) {
  Deno.test(`answers of any size leave nothing behind when their tick has ended${fails ? " at its second try" : ""}`, () =>
    withDesk(async (subject, desk) => {
      desk.perform = ({ padding = "" }) => Promise.resolve(free({ text: padding }));
      let tries = 0;
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          let got = 0;
          for (const size of [60_000, 70_000, 300_000, 1_048_570, 2_000_000]) {
            const { text } = await errand(ctx, { what: "a", padding: "x".repeat(size) }) as {
              text: string;
            };
            got += text.length;
          }
          if (++tries === 1 && fails) throw new Error("after all");
          ctx.state.got = got;
        }),
      }, { limits: { retry_ms: [1_000, 1_000] }, budgets: BUDGETS });
      await s.at("one").send("go");
      await s.advance(2_000);
      assert.deepEqual(await s.at("one").state(), { got: 3_478_570 });
      assert.deepEqual(await left(subject, "call/", "blob/", "draft/"), []);
    }));
}

Deno.test("what ends after its tick has ended leaves no record", () =>
  withDesk(async (subject, desk) => {
    const slow = door();
    desk.perform = async ({ what }) => {
      await slow.pass();
      return free({ done: what, text: "x".repeat(100_000) });
    };
    const s = await scene(subject, {
      one: agent((ctx) => {
        errand(ctx, { what: "slow" }).catch(() => {});
        return errandBegun;
      }),
    }, { limits: ONCE, budgets: BUDGETS });
    let begun = () => {};
    const errandBegun = new Promise<void>((resolve) => (begun = resolve));
    await s.at("one").sending("go");
    await s.until(() => slow.callers === 1);
    begun();
    await s.quiet();
    assert.deepEqual(await left(subject, "call/", "inbox/", "try/"), []);
    slow.open();
    await s.quiet();
    assert.deepEqual(await left(subject, "call/", "blob/", "open/"), []);
    const { day } = await s.at("one").json<{ day: { spent_micro_usd: number } }>("/budget/usage");
    assert.equal(day.spent_micro_usd, 1, "it is paid all the same");
  }));

Deno.test("a try that ends while its order comes to its price buys nothing", () =>
  withDesk(async (subject, desk) => {
    const prices = door();
    let done = 0;
    desk.perform = () => Promise.resolve(free(++done));
    let jobs = 0;
    desk.run = () => {
      jobs++;
      return Promise.resolve({ costMicroUsd: undefined });
    };
    desk.priced = () => prices.pass();
    const s = await scene(subject, {
      one: agent(async (ctx, trigger) => {
        if (trigger.type === "event") return;
        await Promise.all([
          errand(ctx, { what: "a" }),
          ctx.env.call(`${DESK}/new`, { what: "a" }),
        ]);
      }),
    }, { limits: { ...ONCE, max_tick_ms: 1_000 }, budgets: BUDGETS });
    await s.at("one").sending("go");
    await s.advance(1_100);
    assert.equal(prices.callers, 2);
    prices.open();
    await s.quiet();
    assert.deepEqual([done, jobs], [0, 0]);
    assert.deepEqual(await left(subject, "call/", "job/", "budget/", "open/"), []);
  }));

Deno.test("other code than that of the try before does not have to repeat what it did", () =>
  withDesk(async (subject, desk) => {
    const asked: string[] = [];
    desk.perform = ({ what }) => {
      asked.push(what);
      return Promise.resolve(free(what));
    };
    const code = (what: string, fails: boolean) =>
      agent(async (ctx) => {
        ctx.state.got = await errand(ctx, { what });
        if (fails) throw new Error("after all");
      });
    const s = await scene(subject, { one: code("a", true) }, {
      limits: { retry_ms: [60_000, 1_000] },
      budgets: BUDGETS,
    });
    await s.at("one").send("go");
    await s.restart("clean", {
      agents: { one: code("b", false) },
      meanwhile: async (backend) => {
        const storage = backend.storage("one");
        const row = JSON.parse(new TextDecoder().decode(await storage.get("agent")));
        const value = new TextEncoder().encode(JSON.stringify({ ...row, code_digest: "another" }));
        await storage.commit({ check: [], remove: [], put: [{ key: "agent", value }] });
      },
    });
    await s.advance(61_000);
    assert.deepEqual(await s.at("one").state(), { got: "b" });
    assert.deepEqual(asked, ["a", "b"]);
    assert.deepEqual(await left(subject, "call/"), []);
  }));

Deno.test("requests at once are told apart by what they ask, in whatever order a crash has them repeated", () =>
  withDesk(async (subject, desk) => {
    const asked: string[] = [];
    desk.perform = ({ what }) => {
      asked.push(what);
      return Promise.resolve(free(what));
    };
    const names = Array.from({ length: 40 }, (_, n) => `${n % 20}`);
    const stay = door();
    let tries = 0;
    const s = await scene(subject, {
      one: agent(async (ctx) => {
        const order = ++tries === 1 ? names : names.toReversed();
        const got = await Promise.all(order.map((what) => errand(ctx, { what })));
        if (tries === 1) await stay.pass(ctx);
        ctx.state.got = got;
      }),
    }, { limits: AT_ONCE, budgets: BUDGETS });
    await s.at("one").sending("go");
    await s.until(() => stay.callers === 1);
    await s.restart("crash");
    await s.advance(1_000);
    assert.deepEqual(await s.at("one").state(), { got: names.toReversed() });
    assert.equal(asked.length, 40);
    stay.open();
  }));

Deno.test("keys of any characters are told apart, and one key is one order", () =>
  withDesk(async (subject, desk) => {
    let done = 0;
    desk.perform = ({ what }) => Promise.resolve(free(`${what} ${++done}`));
    const s = await scene(subject, { one: agent(() => {}) }, { budgets: BUDGETS });
    const keys = ["k".repeat(256), "k".repeat(255) + "l", "ä/ %~", "ä/ %", "\u0000", "", " ", "💰"];
    const call = (key: string, n: number) =>
      s.at("one").call(`${DESK}/do`, JSON.stringify({ what: `${n}`, key }));
    const first: string[] = [];
    for (const [n, key] of keys.entries()) first.push(await call(key, n));
    assert.equal(new Set(first).size, keys.length);
    for (const [n, key] of keys.entries()) assert.equal(await call(key, n), first[n]);
    await s.restart("crash");
    for (const [n, key] of keys.entries()) assert.equal(await call(key, n), first[n]);
    assert.equal(done, keys.length);
  }));

Deno.test("an errand that was never asked of anybody leaves its key free, also when it was cut off", () =>
  withDesk(async (subject, desk) => {
    let n = 0;
    desk.perform = () => {
      if (n++ > 0) return Promise.resolve(free("done"));
      throw new FileError("interrupted", "do", "a", { extra: { asked: false } });
    };
    const s = await scene(subject, { one: agent(() => {}) }, { budgets: BUDGETS });
    const call = () => s.at("one").call(`${DESK}/do`, JSON.stringify({ what: "a", key: "k" }));
    await assert.rejects(call(), { code: "interrupted" });
    assert.deepEqual(await s.at("one").json("/budget/unknown"), []);
    assert.equal(JSON.parse(await call()), "done");
  }));

Deno.test("costs that are no amounts are never counted as such", () =>
  withDesk(async (subject, desk) => {
    const s = await scene(subject, { one: agent(() => {}) }, { budgets: BUDGETS });
    const spent = async () =>
      (await s.at("one").json<{ day: { spent_micro_usd: number } }>("/budget/usage")).day
        .spent_micro_usd;
    let want = 0;
    for (
      const [cost, counts] of [[-5, 0], [NaN, 10], [Infinity, 10], [2.5, 3], [11, 10], [4, 4]]
    ) {
      desk.perform = () => Promise.resolve({ answer: null, costMicroUsd: cost });
      await s.at("one").call(`${DESK}/do`, JSON.stringify({ what: "a", price: 10 }));
      want += counts!;
      assert.equal(await spent(), want, `${cost}`);
    }
    for (const price of [-10, 0.5, "7", null]) {
      const refused = s.at("one").call(`${DESK}/do`, JSON.stringify({ what: "a", price }));
      assert.equal(await refused.then(() => "done", codeOf), "internal", `${price}`);
    }
    assert.equal(await spent(), want);
  }));

Deno.test("one yes for two same requests at once passes one of them, and the other is asked about", () =>
  withDesk(async (subject, desk) => {
    let done = 0;
    desk.perform = () => Promise.resolve(free(++done));
    const s = await scene(subject, { one: agent(() => {}) }, {
      budgets: { [DESK]: { ...BUDGETS[DESK]!, approval_threshold_micro_usd: 5 } },
    });
    const one = s.at("one");
    const request = JSON.stringify({ what: "a", price: 10 });
    await assert.rejects(one.call(`${DESK}/do`, request), { code: "approval_required" });
    const [question] = (await one.names("/approvals")).filter((name) => name.startsWith("apr_"));
    await one.write(`/approvals/${question}`, "approve");
    const answers = await Promise.all(
      [1, 2, 3].map(() => one.call(`${DESK}/do`, request).catch(codeOf)),
    );
    assert.deepEqual(answers.sort(), ["1", "approval_required", "approval_required"]);
    assert.equal(done, 1);
    const { day } = await one.json<{ day: Record<string, number> }>("/budget/usage");
    assert.deepEqual([day.reserved_micro_usd, day.spent_micro_usd], [0, 10]);
  }));
