/** Many who buy at once from one budget, round after round, with crashes: no limit is passed, and every reservation ends once. */
import assert from "../assert.ts";
import fc from "fast-check";
import { memoryTicks } from "../../conformance/memory.ts";
import { agent, scene } from "../../conformance/ticks/scene.ts";
import { SHOP, type Wish } from "../../conformance/ticks/shop.ts";
import type { Reservation, Spent, UsageReport } from "../../src/core/budget.ts";
import { decodeJson } from "../../src/core/code.ts";
import type { Json } from "../../src/core/envelope.ts";
import { agentId } from "../../src/core/id.ts";
import type { LedgerRow } from "../../src/core/ledger.ts";
import { canonical } from "../../src/core/spend.ts";
import { hasCode } from "../../src/fs/error.ts";
import { call, readJson } from "../../src/fs/use.ts";

const AT_ONCE = 64;
/** SPEND_ROUNDS=10000 takes about ten minutes. */
const ROUNDS = Number(Deno.env.get("SPEND_ROUNDS") ?? 150);
const LIMIT = 1_000;
const WHOLE = 1_500;
const ID = agentId("one");
const OPERATOR = { viewer: "operator", name: "operator" } as const;
const DAY_MS = 86_400_000;

/** Numbers from 0 to below `below`, the same in every run. */
function drawn(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

Deno.test(`${AT_ONCE} at once buy from one budget, ${ROUNDS} rounds with crashes`, async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const { shop } = subject;
  shop.open();
  const draw = drawn(7);
  const s = await scene(subject, { one: agent(() => {}) }, {
    budgets: {
      "/": { per_day_micro_usd: WHOLE, approvers: [] },
      [SHOP]: { per_day_micro_usd: LIMIT, approvers: [] },
    },
  });
  let refused = 0;
  let crashes = 0;
  /** Who bought under a key, and how often the shop was asked for it. */
  const keys = new Set<string>();

  function wish(round: number, n: number): { file: string; wish: Wish } {
    const price = draw(60);
    const kind = draw(10);
    const key = draw(4) === 0 ? `${round} ${draw(8)}` : undefined;
    const item = key === undefined ? `${round}.${n}` : `keyed ${key}`;
    if (key !== undefined) keys.add(item);
    const fails = kind === 0 ? "provider_unavailable" : kind === 1 ? "invalid_request" : undefined;
    return {
      file: draw(2) === 0 ? "new" : "buy",
      wish: {
        item,
        // Under one key there is one request.
        price: key === undefined ? price : 20,
        ...(key === undefined && draw(3) > 0 ? { cost: draw(price + 1) } : {}),
        ...(key === undefined ? {} : { key }),
        ...(fails && key === undefined ? { fails, asked: draw(2) === 0 } : {}),
      },
    };
  }
  async function holds(): Promise<void> {
    const rows = await subject.backend.storage(ID).list({ prefix: "budget/" });
    const lines = rows.map((row) => decodeJson<LedgerRow>(row.value));
    const files = await s.runtime.files(ID, OPERATOR);
    for (const [path, limit] of [[`${SHOP}/usage`, LIMIT], ["/budget/usage", WHOLE]] as const) {
      const { day, day_start } = await readJson<UsageReport>(files, path);
      const today = lines.filter(({ at }) => at >= Date.parse(day_start));
      const sum = (of: (line: LedgerRow) => number) => today.reduce((all, l) => all + of(l), 0);
      const want: Spent = {
        reserved_micro_usd: sum(({ state, amount }) => state === "reserved" ? amount : 0),
        spent_micro_usd: sum(({ actual }) => actual ?? 0),
        limit_micro_usd: limit,
        remaining_micro_usd: limit - day.reserved_micro_usd - day.spent_micro_usd,
      };
      assert.deepEqual(day, want);
      assert.ok(day.reserved_micro_usd + day.spent_micro_usd <= limit);
    }
    for (const { state, amount, actual } of lines) {
      assert.ok(amount > 0 && (actual === undefined) === (state === "reserved"));
      assert.ok((actual ?? 0) >= 0 && (actual ?? 0) <= amount);
    }
  }

  try {
    for (let round = 0; round < ROUNDS; round++) {
      const dies = draw(5) === 0;
      const files = await s.runtime.files(ID, OPERATOR);
      const buying = Promise.all(
        Array.from({ length: AT_ONCE }, async (_, n) => {
          const { file, wish: wanted } = wish(round, n);
          try {
            await call(files, `${SHOP}/${file}`, JSON.stringify(wanted));
          } catch (error) {
            if (hasCode(error, "budget_exceeded")) refused++;
            else if (!wanted.fails && !hasCode(error, "interrupted")) throw error;
          }
        }),
      );
      if (dies) {
        // So many steps into the round.
        for (let n = draw(400); n > 0; n--) await Promise.resolve();
        buying.catch(() => {});
        await s.restart("crash");
        crashes++;
      } else await s.answer(() => buying);
      await s.quiet();
      await holds();
      const open = await subject.backend.storage(ID).list({ prefix: "open/" });
      assert.deepEqual(open, [], "every reservation and every job has ended");
      if (draw(3) === 0) await s.advance(DAY_MS / 2);
    }
    assert.ok(refused > 0 && crashes > 0, `${refused} refusals, ${crashes} crashes`);
    for (const item of keys) {
      const times = shop.asked.filter((asked) => asked === item).length;
      assert.ok(times <= 1, `${item} was bought ${times} times`);
    }
    console.log(`${shop.asked.length} bought, ${refused} refused, ${crashes} crashes`);
  } finally {
    await opened.close();
  }
});

Deno.test("the same request has one text, whatever the order of its fields", () => {
  const shuffled = (value: Json): Json =>
    Array.isArray(value)
      ? value.map(shuffled)
      : value && typeof value === "object"
      ? Object.fromEntries(
        Object.entries(value).reverse().map(([name, of]) => [name, shuffled(of!)]),
      )
      : value;
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assert.equal(canonical(shuffled(value as Json)), canonical(value as Json));
    assert.deepEqual(JSON.parse(canonical(value as Json)), JSON.parse(JSON.stringify(value)));
  }));
});

Deno.test("rows of a ledger are told as they are", async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const s = await scene(subject, { one: agent(() => {}) }, {
    budgets: { [SHOP]: { per_day_micro_usd: 50, approvers: [] } },
  });
  subject.shop.open();
  const one = s.at("one");
  await one.call(`${SHOP}/buy`, JSON.stringify({ item: "a", price: 9, cost: 4 }));
  const [line] = (await one.read("/budget/ledger")).split("\n");
  const { id, created_at, ended_at, ...told }: Reservation = JSON.parse(line!);
  assert.match(id, /^\d{16}-\d{12}$/);
  assert.ok(created_at && ended_at);
  assert.deepEqual(told, {
    mount: SHOP,
    tick: null,
    amount_micro_usd: 9,
    reason: "buys a",
    state: "settled",
    actual_micro_usd: 4,
  });

  await opened.close();
});

Deno.test("what nobody knows is shown, and done again only when an operator says that it was not", async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const { shop } = subject;
  const s = await scene(subject, { one: agent(() => {}) }, {
    budgets: { [SHOP]: { per_day_micro_usd: 50, approvers: [] } },
  });
  const one = s.at("one");
  const buy = (key: string) =>
    one.call(`${SHOP}/buy`, JSON.stringify({ item: key, price: 9, key, waits: true }));
  for (const key of ["a", "b"]) {
    const files = await one.files();
    call(files, `${SHOP}/buy`, JSON.stringify({ item: key, price: 9, key, waits: true }))
      .catch(() => {});
    await s.quiet();
    assert.deepEqual(await one.json("/budget/unknown"), [], "it is being done");
    await s.restart("crash");
    await assert.rejects(buy(key), { code: "interrupted" });
    const [open, ...others] = await one.json<{ id: string; idempotency_key: string }[]>(
      "/budget/unknown",
    );
    assert.deepEqual([open?.idempotency_key, others], [key, []]);
    const said = key === "a"
      ? { id: open!.id, outcome: "not_done" }
      : { id: open!.id, outcome: "done", answer: { got: "it" } };
    await one.write("/budget/unknown", said);
    await assert.rejects(one.write("/budget/unknown", said), { code: "not_found" });
    assert.deepEqual(await one.json("/budget/unknown"), []);
    shop.open();
    if (key === "a") await buy("a");
    else assert.deepEqual(JSON.parse(await buy("b")), { got: "it" });
    shop.shut();
  }
  assert.deepEqual(shop.asked, ["a", "a", "b"]);
  await opened.close();
});

Deno.test("the record of a tick says what it has bought, over all its tries", async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const s = await scene(subject, {
    one: agent(async (ctx) => {
      await ctx.env.call(`${SHOP}/buy`, { item: "a", price: 9, cost: 4 });
      await ctx.env.call(`${SHOP}/new`, { item: "b", price: 7, waits: true });
      if (ctx.tick.attempt === 1) throw new Error("after all");
    }),
  }, {
    limits: { retry_ms: [1_000] },
    budgets: { [SHOP]: { per_day_micro_usd: 50, approvers: [] } },
  });
  const { envelope_id } = await s.at("one").send("go");
  await s.advance(1_000);
  const records = (await s.at("one").events("/logs/trajectory"))
    .filter((record) => record.envelope_id === envelope_id);
  const told = records.map(({ outcome, cost_micro_usd, reserved_micro_usd }) => [
    outcome,
    cost_micro_usd,
    reserved_micro_usd,
  ]);
  assert.deepEqual(told, [["rolled_back", 4, 7], ["committed", 4, 7]]);
  await opened.close();
});

Deno.test("records of an earlier try go with the tick, also when it asks for nothing any more", async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const s = await scene(subject, {
    one: agent(async (ctx) => {
      if (ctx.tick.attempt > 1) return;
      await ctx.env.call(`${SHOP}/buy`, { item: "a", price: 1 });
      throw new Error("after all");
    }),
  }, {
    limits: { retry_ms: [1_000] },
    budgets: { [SHOP]: { per_day_micro_usd: 50, approvers: [] } },
  });
  await s.at("one").send("go");
  assert.equal((await subject.backend.storage(ID).list({ prefix: "call/" })).length, 1);
  await s.advance(1_000);
  assert.deepEqual(await subject.backend.storage(ID).list({ prefix: "call/" }), []);
  await opened.close();
});

Deno.test("what was refused for want of money may be had by the next try, whatever else was bought", async () => {
  const opened = await memoryTicks().open();
  const { subject } = opened;
  const s = await scene(subject, {
    one: agent(async (ctx) => {
      const wishes: Wish[] = [{ item: "dear", price: 40 }, { item: "cheap", price: 1 }];
      ctx.state.got = [];
      for (const wish of wishes) {
        try {
          await ctx.env.call(`${SHOP}/buy`, wish as unknown as Json);
          ctx.state.got.push(wish.item);
        } catch (error) {
          if (!hasCode(error, "budget_exceeded")) throw error;
        }
      }
      if (ctx.tick.attempt === 1) throw new Error("after all");
    }),
  }, {
    limits: { retry_ms: [1_000] },
    budgets: { [SHOP]: { per_day_micro_usd: 20, approvers: [] } },
  });
  const one = s.at("one");
  await one.send("go");
  await s.restart("crash");
  await one.write("/budget/policy", { [SHOP]: { per_day_micro_usd: 100 } });
  await s.advance(1_000);
  assert.deepEqual(await one.letters(), []);
  assert.deepEqual(await subject.backend.storage(ID).list({ prefix: "call/" }), []);
  assert.deepEqual(await one.state(), { got: ["dear", "cheap"] });
  assert.deepEqual(subject.shop.asked, ["cheap", "dear"]);
  await opened.close();
});
