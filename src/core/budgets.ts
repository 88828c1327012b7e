/** The policies of an agent as they are set: checked where they enter, laid over those that it has. */
import { FileError } from "../fs/error.ts";
import { type BudgetPolicy, type Budgets, checkedPolicy, WHOLE_AGENT } from "./budget.ts";
import type { ServiceTable } from "./view.ts";

type Change = Readonly<Record<string, BudgetPolicy | null>>;

/** @throws FileError `invalid_request` for a mount that there is not, and for a policy that is none */
export function checkedBudgets(
  services: ServiceTable,
  budgets: Readonly<Record<string, unknown>>,
): Change {
  return Object.fromEntries(
    Object.entries(budgets).map(([mount, policy]) => {
      mustBeMount(services, mount);
      return [mount, policy === null ? null : checkedPolicy(policy, mount)];
    }),
  );
}

/** A name that nothing is mounted at would limit nothing. */
function mustBeMount(services: ServiceTable, mount: string): void {
  if (mount === WHOLE_AGENT || Object.hasOwn(services, mount)) return;
  throw new FileError("invalid_request", "set the budget of", mount.slice(0, 140), {
    detail: `a budget is of the whole agent, "${WHOLE_AGENT}", or of one service; there are ${
      Object.keys(services).join(" ")
    }`,
  });
}

export function mergedBudgets(budgets: Budgets | undefined, change: Change): Budgets {
  return Object.fromEntries(
    Object.entries({ ...budgets, ...change })
      .filter((entry): entry is [string, BudgetPolicy] => entry[1] !== null),
  );
}
