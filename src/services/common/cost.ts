/** What a policy says of money: what a request must say, and limits of its own beside those of the budget. */
import { dollars } from "../../core/money.ts";
import type { AgentView } from "../../core/view.ts";
import { refusal } from "../../fs/tree.ts";

export interface CostRules {
  readonly max_cost_micro_usd_per_tick?: number | undefined;
  readonly max_cost_micro_usd_per_day?: number | undefined;
  readonly default_max_cost_micro_usd?: number | undefined;
  readonly require_max_cost: boolean;
}

export interface DemandRules {
  readonly require_idempotency: boolean;
}

/** @throws FileError `idempotency_required` */
export function mustHaveKey(policy: DemandRules, key: string | undefined): void {
  if (!policy.require_idempotency || key !== undefined) return;
  throw refusal("idempotency_required", "the policy wants an idempotency_key in each request");
}

/** Micro-USD; undefined: nothing is said. @throws FileError `max_cost_required` */
export function askedCost(
  request: { readonly max_cost_micro_usd?: number | undefined },
  policy: CostRules,
): number | undefined {
  const cost = request.max_cost_micro_usd ?? policy.default_max_cost_micro_usd;
  if (cost === undefined && policy.require_max_cost) {
    throw refusal("max_cost_required", "the policy wants max_cost_micro_usd in each request");
  }
  return cost;
}

/** Whether what is reserved has to be compared with limits of the policy's own. */
export function hasLimits(policy: CostRules): boolean {
  return policy.max_cost_micro_usd_per_day !== undefined ||
    policy.max_cost_micro_usd_per_tick !== undefined;
}

/** @throws FileError `budget_exceeded` where what is to be reserved is beyond the policy's own limits */
export function mustFit(
  view: Pick<AgentView, "budget" | "viewer">,
  mount: string,
  policy: CostRules,
  reserved: number,
): void {
  if (reserved === 0) return;
  const usage = view.budget.usage(mount);
  // Only what the agent does is part of a tick.
  const scopes = view.viewer === "agent" ? ["tick", "day"] as const : ["day"] as const;
  for (const scope of scopes) {
    const limit = policy[`max_cost_micro_usd_per_${scope}`];
    const { reserved_micro_usd, spent_micro_usd } = usage[scope];
    if (limit === undefined || reserved_micro_usd + spent_micro_usd + reserved <= limit) continue;
    throw refusal(
      "budget_exceeded",
      `${dollars(reserved)} was asked for; the policy's limit a ${scope} is ${
        dollars(limit)
      }, of ` +
        `which ${dollars(spent_micro_usd)} is spent and ${dollars(reserved_micro_usd)} reserved; ` +
        `an operator raises max_cost_micro_usd_per_${scope} in ${mount}/policy`,
      {
        scope,
        mount,
        limit_micro_usd: limit,
        spent_micro_usd,
        reserved_micro_usd,
        asked_micro_usd: reserved,
      },
    );
  }
}
