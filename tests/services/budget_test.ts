/** `/budget/`: what may be spent is the operator's to say, and what was spent is everybody's to see. */
import type { BudgetPolicy, Budgets, Reservation, UsageReport } from "../../src/core/budget.ts";
import { callJson, readJson, readText, watch, writeJson, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { ID, spending } from "./spending.ts";

interface Report extends UsageReport {
  readonly policy: BudgetPolicy | null;
  readonly mounts: Readonly<Record<string, { policy: BudgetPolicy | null; usage: UsageReport }>>;
}

const DAY_MS = 86_400_000;
const dayOf = (dollars: number) => ({ per_day_micro_usd: dollars * 1_000_000 });

Deno.test("who has no budget buys nothing; with one, what is spent is seen at once", async () => {
  const { files, buys, sold, stop } = await spending();
  const before = await readJson<Report>(files, "/budget/usage");
  equal(before.policy, null);
  equal(before.day.limit_micro_usd, null);
  equal(before.mounts["/shop"]!.usage.day.limit_micro_usd, 0);
  equal((await buys(5)).code, "budget_exceeded");
  deepEqual(await readJson(files, "/budget/policy"), {});

  await writeJson(files, "/budget/policy", { "/shop": dayOf(1), "/": dayOf(2) });
  deepEqual(await buys(600_000), { got: "thing 1" });
  equal((await buys(600_000)).code, "budget_exceeded");
  const after = await readJson<Report>(files, "/budget/usage");
  deepEqual(after.policy, { ...dayOf(2), approvers: [] });
  for (const { day } of [after, after.mounts["/shop"]!.usage]) {
    equal(day.spent_micro_usd, 600_000);
    equal(day.reserved_micro_usd, 0);
  }
  equal(after.mounts["/shop"]!.usage.day.remaining_micro_usd, 400_000);
  equal(after.day.remaining_micro_usd, 1_400_000);
  deepEqual(sold, [600_000]);
  const { budget } = await readJson<{ budget: unknown }>(files, "/status");
  deepEqual(budget, {
    spent_micro_usd: 600_000,
    reserved_micro_usd: 0,
    limit_micro_usd: 2_000_000,
  });
  await stop();
});

Deno.test("a policy is set by mount, taken away by null, and stands with the record", async () => {
  const { runtime, files, stop } = await spending({ budgets: { "/shop": policy(1) } });
  const policies = () => readJson<Budgets>(files, "/budget/policy");
  deepEqual(await policies(), { "/shop": policy(1) });
  await writeJson(files, "/budget/policy", { "/": dayOf(3) });
  deepEqual(await policies(), { "/shop": policy(1), "/": policy(3) });
  await writeJson(files, "/budget/policy", { "/shop": null });
  deepEqual(await policies(), { "/": policy(3) });
  await runtime.configure(ID, { budgets: { "/shop": policy(4), "/": null } }, "ann");
  deepEqual(await policies(), { "/shop": policy(4) });

  const records = (await readText(files, "/logs/trajectory")).trim().split("\n")
    .map((line) => JSON.parse(line)).filter(({ type }) => type === "budget");
  deepEqual(records.map(({ by, before, after }) => [by, before, after]), [
    ["operator", { "/": null }, { "/": policy(3) }],
    ["operator", { "/shop": policy(1) }, { "/shop": null }],
  ]);
  await stop();
});

function policy(dollars: number): BudgetPolicy {
  return { ...dayOf(dollars), approvers: [] };
}

Deno.test("a policy that makes no sense changes nothing", async () => {
  const { files, runtime, stop } = await spending({ budgets: { "/shop": policy(1) } });
  const before = await readText(files, "/budget/policy");
  const bad = [
    "none",
    "[]",
    "null",
    '{"/nowhere":{"per_day_micro_usd":1}}',
    '{"/shop":{"per_day_micro_usd":-1}}',
    '{"/shop":{"per_day_micro_usd":0.5}}',
    '{"/shop":{"per_day_micro_usd":"1"}}',
    '{"/shop":{"per_day":1}}',
    '{"/":{"per_day_micro_usd":1},"/shop":{"approvers":["me"]}}',
    '{"__proto__":{"per_day_micro_usd":1}}',
  ];
  for (const text of bad) {
    await rejects(writeText(files, "/budget/policy", text), { code: "invalid_request" }, text);
    equal(await readText(files, "/budget/policy"), before, text);
  }
  const typo = { "/shp": policy(1) };
  await rejects(runtime.configure(ID, { budgets: typo }, "ann"), { code: "invalid_request" });
  await stop();
});

Deno.test("only an operator sets a policy", async () => {
  const { as, calls, stop } = await spending({ budgets: { "/shop": policy(1) } });
  const local = await as("local");
  await rejects(writeJson(local, "/budget/policy", {}), { code: "permission_denied" });
  ok((await readText(local, "/budget/usage")).includes("/shop"));
  equal((await calls("/budget/policy", {})).code, "permission_denied");
  await stop();
});

Deno.test("the ledger tells what was bought, a line each, across the days", async () => {
  const { files, buys, backend, stop } = await spending({ budgets: { "/shop": policy(1) } });
  equal(await readText(files, "/budget/ledger"), "");
  await buys(1);
  await backend.clock.advance(DAY_MS);
  await buys(2);
  const text = await readText(files, "/budget/ledger");
  match(text, /\n$/);
  const lines = text.trim().split("\n").map((line) => JSON.parse(line) as Reservation);
  deepEqual(
    lines.map(({ mount, amount_micro_usd, state, reason }) => [
      mount,
      amount_micro_usd,
      state,
      reason,
    ]),
    [["/shop", 1, "settled", "buys something"], ["/shop", 2, "settled", "buys something"]],
  );
  const { day } = await readJson<Report>(files, "/budget/usage");
  equal(day.spent_micro_usd, 2);
  await stop();
});

Deno.test("a ledger of many lines is told whole", async () => {
  const { files, stop } = await spending({ budgets: { "/shop": policy(1) } });
  for (let amount = 1; amount <= 120; amount++) await callJson(files, "/shop", { amount });
  const lines = (await readText(files, "/budget/ledger")).trim().split("\n");
  deepEqual(
    lines.map((line) => (JSON.parse(line) as Reservation).amount_micro_usd),
    Array.from({ length: 120 }, (_, i) => i + 1),
  );
  await stop();
});

Deno.test("whoever watches is told when something is spent and when a policy changes", async () => {
  const { files, buys, stop } = await spending({ budgets: { "/shop": policy(1) } });
  const end = new AbortController();
  const events = await watch(files, "/budget/usage", { signal: end.signal });
  const next = events[Symbol.asyncIterator]();
  const first = next.next();
  await buys(1);
  deepEqual((await first).value, { type: "modified" });
  const policies = await watch(files, "/budget/policy", { signal: end.signal });
  const changed = policies[Symbol.asyncIterator]().next();
  await writeJson(files, "/budget/policy", { "/": dayOf(1) });
  deepEqual((await changed).value, { type: "modified" });
  end.abort();
  await stop();
});
