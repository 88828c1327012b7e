/** The ledger by itself: amounts at their limits, a day that turns, a clock that is set back, a policy that is lowered, lines that grow old. */
import assert from "../assert.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Budgets } from "../../src/core/budget.ts";
import { agentId } from "../../src/core/id.ts";
import { type Held, type Ledger, openLedger } from "../../src/core/ledger.ts";

const SHOP = "/shop";
const DAY_MS = 86_400_000;
const START = 20_000 * DAY_MS;

function world(limit: number) {
  const storage = memoryBackend().storage(agentId("one"));
  const at = { now: START };
  const errors: unknown[] = [];
  const told = { spent: 0 };
  let budgets: Budgets = { [SHOP]: { per_day_micro_usd: limit, approvers: [] } };
  const open = () =>
    openLedger({
      storage,
      now: () => at.now,
      budgets: () => budgets,
      waits: () => true,
      onSpent: (_, microUsd) => told.spent += microUsd,
      onError: (error) => errors.push(error),
      onEvent: () => {},
    });
  return {
    at,
    told,
    errors,
    storage,
    open,
    lower(to: number) {
      budgets = { [SHOP]: { per_day_micro_usd: to, approvers: [] } };
    },
    async buy(ledger: Ledger, amount: number, tick?: string): Promise<Held> {
      const { held, batch } = ledger.reserve({ mount: SHOP, tick, amount, reason: "" });
      await storage.commit(batch);
      return held;
    },
    async settle(ledger: Ledger, held: Held, actual?: number): Promise<void> {
      const { batch, done } = ledger.settle(held, actual);
      await storage.commit(batch);
      done();
    },
    lines: async () => (await storage.list({ prefix: "budget/" })).length,
  };
}

const used = (ledger: Ledger) => {
  const { day } = ledger.usage(SHOP);
  return [day.reserved_micro_usd, day.spent_micro_usd, day.remaining_micro_usd];
};

Deno.test("amounts near the largest are counted to the last micro-dollar", async () => {
  const MOST = Number.MAX_SAFE_INTEGER;
  const w = world(MOST);
  const ledger = await w.open();
  const held = await w.buy(ledger, MOST - 1);
  assert.throws(() => ledger.reserve({ mount: SHOP, tick: "t", amount: 2, reason: "" }), {
    code: "budget_exceeded",
  });
  assert.throws(() => ledger.reserve({ mount: SHOP, tick: "t", amount: MOST, reason: "" }), {
    code: "budget_exceeded",
  });
  await w.settle(ledger, await w.buy(ledger, 1));
  assert.deepEqual(used(ledger), [MOST - 1, 1, 0]);
  await w.settle(ledger, held, MOST - 3);
  assert.deepEqual(used(ledger), [0, MOST - 2, 2]);
  for (const amount of [-1, 0.5, NaN, Infinity, MOST + 1]) {
    assert.throws(() => ledger.reserve({ mount: SHOP, tick: "t", amount, reason: "" }), {
      code: "internal",
    }, `${amount}`);
  }
  assert.deepEqual(used(await w.open()), [0, MOST - 2, 2]);
});

Deno.test("what is paid is told once: no more than was held, all of what nobody knows the end of, nothing of what was not bought", async () => {
  const w = world(1_000);
  const ledger = await w.open();
  await w.settle(ledger, await w.buy(ledger, 60), 25);
  await w.settle(ledger, await w.buy(ledger, 60), 70);
  assert.equal(w.told.spent, 85);
  for (const end of ["giveUp", "release"] as const) {
    const { batch, done } = ledger[end](await w.buy(ledger, 100));
    assert.equal(w.told.spent, end === "giveUp" ? 85 : 185, "not before it stands");
    await w.storage.commit(batch);
    done();
    done();
  }
  assert.equal(w.told.spent, 185);
  await w.open();
  assert.equal(w.told.spent, 185, "nothing is told again");
});

Deno.test("what a day has reserved stays its own when the day turns, also over a restart", async () => {
  const w = world(100);
  let ledger = await w.open();
  w.at.now = START + DAY_MS - 1;
  const held = await w.buy(ledger, 80, "t");
  w.at.now += 1;
  assert.deepEqual(used(ledger), [0, 0, 100], "a new day");
  assert.throws(() => ledger.reserve({ mount: SHOP, tick: "t", amount: 30, reason: "" }), {
    code: "budget_exceeded",
  }, "the tick is the same one");
  w.at.now += 5 * DAY_MS;
  ledger = await w.open();
  assert.deepEqual([...ledger.open.keys()], [held.id]);
  await w.settle(ledger, ledger.open.get(held.id)!, 10);
  assert.deepEqual(used(ledger), [0, 0, 100]);
  assert.equal(ledger.open.size, 0);
  w.at.now = START + DAY_MS - 1;
  assert.deepEqual(used(await w.open()), [0, 10, 90]);
});

Deno.test("a clock that is set back buys nothing twice from one day's money, and no line takes another's number", async () => {
  const w = world(100);
  let ledger = await w.open();
  for (const day of [0, 1, 2, 1, 0, 3, -1, 0]) {
    w.at.now = START + day * DAY_MS;
    const [, , left] = used(ledger);
    if (left! > 0) await w.settle(ledger, await w.buy(ledger, left!));
  }
  assert.equal(await w.lines(), 5);
  w.at.now = START;
  ledger = await w.open();
  for (let day = 0; day <= 3; day++) {
    w.at.now = START + day * DAY_MS;
    assert.deepEqual(used(ledger), [0, 100, 0], `day ${day}, read while it was still to come`);
  }
});

Deno.test("a policy that is lowered below what is used leaves nothing, and what was held is paid", async () => {
  const w = world(100);
  const ledger = await w.open();
  const held = await w.buy(ledger, 60);
  w.lower(20);
  assert.deepEqual(used(ledger), [60, 0, 0]);
  assert.equal(ledger.remaining(undefined), 0);
  assert.throws(() => ledger.reserve({ mount: SHOP, tick: undefined, amount: 1, reason: "" }), {
    code: "budget_exceeded",
  });
  await w.settle(ledger, held);
  assert.deepEqual(used(ledger), [0, 60, 0]);
  w.lower(61);
  assert.deepEqual(used(ledger), [0, 60, 1]);
});

Deno.test("a reservation ends once, whoever ends it again and however", async () => {
  const w = world(100);
  const ledger = await w.open();
  const { held, batch, undo } = ledger.reserve({ mount: SHOP, tick: "t", amount: 50, reason: "" });
  await w.storage.commit(batch);
  const first = ledger.settle(held, 20);
  const second = ledger.release(held);
  await w.storage.commit(first.batch);
  await assert.rejects(w.storage.commit(second.batch), { code: "conflict" });
  first.done();
  for (const again of [second.done, first.done, undo]) again();
  assert.deepEqual(used(ledger), [0, 20, 80]);
  assert.deepEqual(ledger.of("t"), { reserved: 0, spent: 20 });
  assert.deepEqual(used(await w.open()), [0, 20, 80]);
});

Deno.test("all lines that are old enough go, however many a day has", async () => {
  const w = world(1_000_000);
  const ledger = await w.open();
  for (let n = 0; n < 300; n++) await w.settle(ledger, await w.buy(ledger, 1));
  w.at.now += 366 * DAY_MS;
  await w.settle(ledger, await w.buy(ledger, 1));
  await w.storage.commit({ check: [], remove: [], put: [] });
  assert.equal(await w.lines(), 301, "not a day too early");
  w.at.now += DAY_MS;
  const held = await w.buy(ledger, 1);
  for (let n = 0; n < 20; n++) await w.storage.commit({ check: [], remove: [], put: [] });
  await w.settle(ledger, held);
  assert.equal(await w.lines(), 2);
  assert.deepEqual(w.errors, []);
});
