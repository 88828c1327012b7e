/** How far an agent is let go, in one word: presets of the mount table and of what needs a person's yes. */
import type { Budgets } from "./budget.ts";
import type { Access, ServiceMount, ServiceTable } from "./view.ts";

export const AUTONOMIES = ["supervised", "semi", "autonomous"] as const;
/**
 * `supervised`: whatever it does waits for a yes, or is closed to it. `semi`: inner and cheap things are free, signing and what costs more than
 * `SEMI_THRESHOLD_MICRO_USD` waits for a yes. `autonomous`: its budgets are all that holds it.
 */
export type Autonomy = typeof AUTONOMIES[number];

/** $0.10: what a `semi` agent may spend on one thing without asking. */
export const SEMI_THRESHOLD_MICRO_USD = 100_000;

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

/** The policies with the threshold that a preset sets where none is said. */
export function presetBudgets(budgets: Budgets, autonomy: Autonomy): Budgets {
  if (autonomy !== "semi") return budgets;
  return Object.fromEntries(
    Object.entries(budgets).map(([mount, policy]) => [
      mount,
      { approval_threshold_micro_usd: SEMI_THRESHOLD_MICRO_USD, ...policy },
    ]),
  );
}

function acts({ access }: ServiceMount): boolean {
  return access !== "read_only" && access !== "disabled";
}

function askingOf({ accesses }: ServiceMount): Access {
  return accesses === undefined || accesses.includes("approve") ? "approve" : "disabled";
}
