/** Amounts of money as people type them: `$5`, `$1/day`, and what an agent may spend of them. */
import type { BudgetPolicy } from "../core/budget.ts";
import { type MicroUsd, parseDollars } from "../core/money.ts";
import { usage } from "./exit.ts";
import { dollars } from "./print.ts";

/** In place of an amount: there is no such limit. */
export const NONE = "none";

/** `$0.05`, `0.05` or `none`. @throws usage error */
export function readAmount(text: string): MicroUsd | typeof NONE {
  return text === NONE ? NONE : amountOf(text, `For example '$0.05', or ${NONE}.`);
}

/** `$1/day`, `$1` or `none`. @throws usage error */
export function readDaily(text: string): MicroUsd | typeof NONE {
  if (text === NONE) return NONE;
  const [, amount, span] = /^([^/]*)(?:\/(.*))?$/.exec(text) ?? [];
  if (span !== undefined && span !== "day") {
    throw usage(`${JSON.stringify(text)}: a budget is for a UTC day`, "For example '$1/day'.");
  }
  return amountOf(amount ?? "", "For example '$1/day'; quote it, or the shell takes the $.");
}

/** `$1/day` for all that an agent does, `/compute=$1/day` for one mount. @throws usage error */
export function readBudget(text: string): [string, BudgetPolicy] {
  const [, mount = "/", amount] = /^(?:(\/[^=]*)=)?(.*)$/s.exec(text) ?? [];
  const daily = readDaily(amount ?? "");
  if (daily === NONE) {
    throw usage("An agent without a budget may spend nothing; leave --budget out");
  }
  return [mount, { per_day_micro_usd: daily, approvers: [] }];
}

/** `$1/day · $0.05 a tick · asks above $0.10` */
export function budgetWords(policy: BudgetPolicy): string {
  const { per_day_micro_usd, per_tick_micro_usd, approval_threshold_micro_usd } = policy;
  return [
    `${dollars(per_day_micro_usd)}/day`,
    ...(per_tick_micro_usd === undefined ? [] : [`${dollars(per_tick_micro_usd)} a tick`]),
    ...(approval_threshold_micro_usd === undefined
      ? []
      : [`asks above ${dollars(approval_threshold_micro_usd)}`]),
  ].join(" · ");
}

/** Of `$100` without quotes a shell leaves `00`: what would then be a limit of nothing is asked about. */
const WHAT_A_SHELL_LEAVES = /^0+$/;
const TOO_FINE = /^\$?\d+\.\d{7,}$/;

function amountOf(text: string, hint: string): MicroUsd {
  const shown = JSON.stringify(text);
  if (WHAT_A_SHELL_LEAVES.test(text)) {
    throw usage(
      `${shown}: nothing is written '$0', and of more the shell has taken the $ and a digit`,
      hint,
    );
  }
  if (TOO_FINE.test(text)) throw usage(`${shown} is finer than $0.000001, the smallest amount`);
  try {
    return parseDollars(text);
  } catch {
    throw usage(`${shown} is no amount of dollars`, hint);
  }
}
