/** Cron expressions, spans of time and amounts of money. */
import { laterCron, nextCron } from "../../../src/core/cron.ts";
import { parseDollars } from "../../../src/core/money.ts";
import { readBudget, readDaily } from "../../../src/cli/amounts.ts";
import { readSpan } from "../../../src/cli/span.ts";
import { equal, ok } from "../../assert.ts";
import { mistyped, refusing } from "../expect.ts";
import { anyText, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const CRONS = [
  "* * * * *",
  "*/5 0-12 1,15 * 1-5",
  "0 0 29 2 *",
  "30 4 L * *",
  "0 9 * * MON#1",
  "@daily",
  "15 10 * JAN-MAR 0",
  "0 0 0 1 1 *",
  "59 23 31 12 7",
];
const SPANS = ["30d", "12h", "90m", "1s", "9w", "$1/day", "$0.05", "none", "/compute=$1/day"];
const YEAR_2200 = Date.UTC(2200, 0, 1);

export const target: Target<{ cron: string; span: string; after: number }> = {
  about: "a time is read and lies ahead, an amount is whole and none below nothing, or refused",
  make: (chance) => ({
    cron: chance.percent(90) ? brokenText(chance, chance.pick(CRONS), CRONS) : anyText(chance, 9),
    span: chance.percent(90) ? brokenText(chance, chance.pick(SPANS), SPANS) : anyText(chance, 6),
    after: chance.below(YEAR_2200 / 1_000) * 1_000 + chance.below(1_000),
  }),
  begin: () => ({
    try({ cron, span, after }) {
      const next = refusing(() => laterCron(cron, after), "invalid_request");
      if (next !== undefined) {
        ok(Number.isSafeInteger(next) && next > after, `${next} is not behind ${after}`);
        equal(nextCron(cron, after), next);
        equal(laterCron(cron, next - 1), next, "it fires when it says that it does");
      }
      const ms = mistyped(() => readSpan(span));
      ok(ms === undefined || Number.isSafeInteger(ms) && ms > 0, `${ms}`);
      const amounts = [
        refusing(() => parseDollars(span), "invalid_request"),
        mistyped(() => readDaily(span)),
        mistyped(() => readBudget(span))?.[1].per_day_micro_usd,
      ];
      for (const amount of amounts) {
        if (amount === undefined || amount === "none") continue;
        ok(Number.isSafeInteger(amount) && amount >= 0, `${amount}`);
      }
    },
  }),
};
