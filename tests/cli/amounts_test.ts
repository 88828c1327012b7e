import { budgetWords, readAmount, readBudget, readDaily } from "../../src/cli/amounts.ts";
import { deepEqual, equal, throws } from "../assert.ts";

const MISTYPED = { name: "Trouble", exit: 2 };

Deno.test("an amount is in dollars, or there is none", () => {
  const good = { "$5": 5_000_000, "0.05": 50_000, "$0": 0, "$0.000001": 1, none: "none" };
  for (const [text, amount] of Object.entries(good)) equal(readAmount(text), amount, text);
  const bad = [
    "",
    "5 dollars",
    "-1",
    "$-1",
    "1e3",
    "$0.0000001",
    "1,5",
    "$",
    "$1/day",
    "NaN",
    "None",
    "00",
    "0",
  ];
  for (const text of bad) throws(() => readAmount(text), MISTYPED, text);
});

Deno.test("a budget is for a day, which need not be said", () => {
  const good = { "$1/day": 1_000_000, "$1": 1_000_000, "0.5/day": 500_000, none: "none" };
  for (const [text, amount] of Object.entries(good)) equal(readDaily(text), amount, text);
  for (const text of ["$1/hour", "$1/", "/day", "day", "", "$1/day/day"]) {
    throws(() => readDaily(text), MISTYPED, text);
  }
});

Deno.test("what is no amount is told with what may have been meant", () => {
  // `$100/day` and `$10` as a shell leaves them without quotes
  throws(() => readDaily("00/day"), { message: /the shell has taken the \$/ });
  throws(() => readAmount("0"), { message: /nothing is written '\$0'/ });
  throws(() => readAmount("$0.0000001"), { message: /the smallest amount/ });
});

Deno.test("a budget is of all that an agent does, or of a mount", () => {
  deepEqual(readBudget("$1/day"), ["/", { per_day_micro_usd: 1_000_000, approvers: [] }]);
  deepEqual(readBudget("/compute=$0.10"), [
    "/compute",
    { per_day_micro_usd: 100_000, approvers: [] },
  ]);
  for (const text of ["", "none", "/compute", "/compute=", "compute=$1", "/a=/b=$1"]) {
    throws(() => readBudget(text), MISTYPED, text);
  }
});

Deno.test("a policy in words says what it limits, and no more", () => {
  const policy = { per_day_micro_usd: 1_000_000, approvers: [] };
  equal(budgetWords(policy), "$1/day");
  equal(
    budgetWords({ ...policy, per_tick_micro_usd: 50_000, approval_threshold_micro_usd: 0 }),
    "$1/day · $0.05 a tick · asks above $0",
  );
});
