/** Some seeds of the simulation, on both backends: those that once found something, and a few more. */
import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { chanceOf } from "./chance.ts";
import { setClock } from "./clock.ts";
import { makeModel, type Sight } from "./model.ts";
import { makePurse } from "./money.ts";
import { lineOf, type Plan, simulate } from "./simulate.ts";
import { NOTHING } from "./worker.ts";

/** What some of them once found is told in docs/reliability.md. */
const SEEDS: readonly Plan[] = [
  { seed: 20, steps: 100, backend: "memory" },
  { seed: 19, steps: 90, backend: "memory" },
  { seed: 24, steps: 100, backend: "memory" },
  { seed: 63, steps: 110, backend: "memory" },
  { seed: 306, steps: 40, backend: "memory" },
  { seed: 3, steps: 50, backend: "sqlite" },
  { seed: 5, steps: 30, backend: "sqlite" },
];

for (const plan of SEEDS) {
  Deno.test(`simulation: ${lineOf(plan)}`, async () => {
    const { sent, ticks } = await simulate(plan);
    assert.ok(sent > 0 && ticks > 0);
  });
}

Deno.test("a seed is the same run, whenever it is run", async () => {
  const plan = { seed: 2, steps: 20, backend: "memory" } as const;
  assert.deepEqual(await simulate(plan), await simulate(plan));
  const [one, two] = [chanceOf(1), chanceOf(2)];
  const draws = (chance: typeof one) => Array.from({ length: 8 }, () => chance.below(1_000));
  assert.notDeepEqual(draws(one), draws(two));
});

Deno.test("a clock that is set tells another time and fires its timers all the same", async () => {
  const clock = setClock(() => Promise.resolve());
  const start = clock.now();
  let fired = 0;
  clock.timer(1_000, () => fired++);
  clock.set(-86_400_000);
  assert.equal(clock.now(), start - 86_400_000);
  await clock.advance(1_000);
  assert.equal(fired, 1);
  assert.equal(clock.latest, start);
  assert.equal(manualClock(5).now(), 5);
});

/** An agent that was sent `a` and then `b`, by one sender, and both were taken. */
function told(drops = false) {
  const model = makeModel();
  model.add("one", drops);
  const part = model.parts.get("one")!;
  for (const [step, id] of ["a", "b"].entries()) {
    part.sent.set(id, { sender: "http:ann", step, told: true, replies: 0 });
  }
  return {
    model,
    see: (sight: Partial<Sight>, latest = 0) =>
      model.compare(new Map([["one", seen(sight)]]), latest),
  };
}

function seen(sight: Partial<Sight>): Sight {
  const memory = sight.memory ?? NOTHING;
  return {
    memory,
    waiting: [],
    letters: [],
    replies: [],
    counts: [memory.n, memory.n],
    ...sight,
  };
}

const ticked = (...ids: string[]) => ({
  ...NOTHING,
  n: ids.length,
  done: ids.map((id): [string, string] => [id, "http:ann"]),
});

Deno.test("the model finds what is lost, done twice, out of order, taken back or made up", () => {
  const both = { waiting: ["a", "b"] };
  assert.doesNotThrow(() => told().see(both));
  assert.throws(() => told().see({ waiting: ["a"] }), /lost/);
  assert.doesNotThrow(() => told(true).see({ waiting: ["a"] }));
  assert.throws(() => told().see({ memory: ticked("a", "b"), waiting: ["b"] }), /twice/);
  assert.throws(() => told().see({ memory: ticked("b", "a") }), /out of its order/);
  assert.throws(() => told().see({ waiting: ["a", "b", "c"] }), /sent by nobody/);
  assert.throws(() => told().see({ ...both, replies: ["a"] }), /have not committed/);
  assert.throws(() => told().see({ ...both, counts: [1] }), /beside the state/);
  const back = told();
  back.see({ memory: ticked("a"), waiting: ["b"] });
  assert.throws(() => back.see(both), /had committed/);
  const again = told(true);
  again.see({ waiting: ["b"] });
  assert.throws(() => again.see(both), /was gone/);
});

Deno.test("the model finds alarms that ring early, never, or though they are cancelled", () => {
  const alarm = { ...ticked("a", "b"), alarms: [{ id: "x", due: 5 }] };
  const rung = { waiting: ["alarm:x:5"] };
  assert.doesNotThrow(() => told().see({ memory: alarm, ...rung }, 5));
  assert.throws(() => told().see({ memory: alarm, ...rung }, 4), /too early/);
  const memory = { ...alarm, cancelled: ["x"] };
  assert.throws(() => told().see({ memory, ...rung }, 5), /cancelled/);
  const never = told();
  never.see({ memory: alarm }, 9);
  assert.throws(() => never.model.end(new Map([["one", seen({ memory: alarm })]])), /never rung/);
});

Deno.test("the model of money finds a limit that is passed, and what is bought twice or for nothing", () => {
  const line = (id: string, amount: number) => ({
    id,
    mount: "/shop",
    tick: null,
    amount_micro_usd: amount,
    reason: "buys one a 0",
    state: "settled" as const,
    actual_micro_usd: amount,
    created_at: "2026-01-01T00:00:00.000Z",
    ended_at: "2026-01-01T00:00:00.000Z",
  });
  const money = (lines: ReturnType<typeof line>[], spent: number) => {
    const day = {
      reserved_micro_usd: 0,
      spent_micro_usd: spent,
      limit_micro_usd: 10,
      remaining_micro_usd: 10 - spent,
    };
    return { lines, usage: { tick: day, day, day_start: "2026-01-01T00:00:00.000Z" } };
  };
  const once = new Map([["one a 0", 1]]);
  const compare = (...lines: [lines: ReturnType<typeof line>[], spent: number]) =>
    makePurse("one", 10).compare(money(...lines), NOTHING, once);
  assert.doesNotThrow(() => compare([line("1", 10)], 10));
  assert.throws(() => compare([line("1", 6), line("2", 5)], 11), /6|11 of 10/);
  assert.throws(() => compare([line("1", 6)], 5), /ledger's sum/);
  assert.throws(() => compare([], 0), /0 lines pay/);
  const twice = new Map([["one a 0", 2]]);
  const two = money([line("1", 2), line("2", 2)], 4);
  assert.throws(() => makePurse("one", 10).compare(two, NOTHING, twice), /2 times/);
});
