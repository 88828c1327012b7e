/** The order in which offers are preferred: by cost, by latency, by quality, or by cost and latency together. */
import type { ComputePolicy } from "./policy.ts";
import type { Offer } from "./offers.ts";
import { comparedCost, type Size } from "./estimate.ts";

/** What is compared, least first; what is not known comes behind all that is. */
type Rank = readonly number[];

/** The best first. Who is known to be up comes before who was not looked at yet, and a model that has tools before one that has none, where they are asked for. */
export function byPreference(
  offers: readonly Offer[],
  { prefer, size, wantsTools }: {
    readonly prefer: ComputePolicy["prefer"];
    readonly size: Size;
    readonly wantsTools: boolean;
  },
): Offer[] {
  const costs = offers.map(({ model }) => comparedCost(model.price, size) ?? Infinity);
  const latencies = offers.map(({ info }) => info.first_token_ms ?? Infinity);
  const cost = normalised(costs), latency = normalised(latencies);
  const ranks = offers.map(({ provider, model }, i): Rank => [
    provider.health().status === "up" ? 0 : 1,
    wantsTools && model.tools === false ? 1 : 0,
    ...{
      cost: [costs[i]!, latencies[i]!],
      latency: [latencies[i]!, costs[i]!],
      quality: [model.rank ?? Infinity, -(model.context_tokens ?? 0)],
      balanced: [cost[i]! + latency[i]!],
    }[prefer],
    i,
  ]);
  return offers.map((_, i) => i).sort((a, b) => compare(ranks[a]!, ranks[b]!))
    .map((i) => offers[i]!);
}

/** Parts of the largest one; 1 for what is not known. */
function normalised(values: readonly number[]): number[] {
  const most = Math.max(0, ...values.filter(Number.isFinite));
  return values.map((value) => Number.isFinite(value) ? (most === 0 ? 0 : value / most) : 1);
}

function compare(a: Rank, b: Rank): number {
  const i = a.findIndex((value, i) => value !== b[i]);
  return i < 0 ? 0 : a[i]! < b[i]! ? -1 : 1;
}
