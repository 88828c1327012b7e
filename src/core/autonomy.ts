/** How far an agent is let go, in one word: presets of the mount table and of what needs a person's yes. */
import type { Budgets } from "./budget.ts";
import type { Access, ServiceMount, ServiceTable } from "./view.ts";

export const AUTONOMIES = ["supervised", "semi", "autonomous"] as const;
/**
 * `supervised`: whatever it does or buys waits for a yes, or is closed to it. `semi`: inner and cheap things are free, signing and what costs more than
 * `SEMI_THRESHOLD_MICRO_USD` waits for a yes. `autonomous`: its budgets are all that holds it.
 */
export type Autonomy = typeof AUTONOMIES[number];

/** $0.10: what a `semi` agent may spend on one thing without asking. */
export const SEMI_THRESHOLD_MICRO_USD = 100_000;

/** Micro-USD above which a person is asked. */
const THRESHOLDS: Readonly<Record<Autonomy, number | undefined>> = {
  supervised: 0,
  semi: SEMI_THRESHOLD_MICRO_USD,
  autonomous: undefined,
};

/** What speaks for the agent to the world: a signature cannot be taken back. */
const SPEAKS = "/identity";
/** An agent that waits for a yes has nobody to ask about its own life. */
const DRIVES = "/ctl";

/** The accesses that differ from the table's. */
export function presetMounts(services: ServiceTable, autonomy: Autonomy): Record<string, Access> {
  if (autonomy === "autonomous") return {};
  const preset: Record<string, Access> = {};
  for (const [path, service] of Object.entries(services)) {
    if (autonomy === "semi" && path !== SPEAKS) continue;
    if (acts(service)) preset[path] = path === DRIVES ? "disabled" : askingOf(service);
  }
  return preset;
}

/** The policies with the threshold of a preset where none is said. */
export function presetBudgets(budgets: Budgets, autonomy: Autonomy | undefined): Budgets {
  const threshold = autonomy === undefined ? undefined : THRESHOLDS[autonomy];
  if (threshold === undefined) return budgets;
  return Object.fromEntries(
    Object.entries(budgets).map(([mount, policy]) => [
      mount,
      { ...policy, approval_threshold_micro_usd: policy.approval_threshold_micro_usd ?? threshold },
    ]),
  );
}

function acts({ access }: ServiceMount): boolean {
  return access !== "read_only" && access !== "disabled";
}

/** What can only be paid for waits for a yes by its price. */
function askingOf({ accesses }: ServiceMount): Access {
  const found = (["approve", "budgeted"] as const).find((access) =>
    accesses === undefined || accesses.includes(access)
  );
  return found ?? "disabled";
}
