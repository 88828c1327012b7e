/** What a request comes to before anybody is asked: the provider that is chosen, and what is reserved for it. */
import type {
  ComputeKind,
  ComputeProviders,
  ComputeRequest,
  TokenPrice,
} from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import { dollars } from "../../core/money.ts";
import type { JobTerms } from "../../core/outside.ts";
import { isFree } from "../../core/price.ts";
import type { AgentView } from "../../core/view.ts";
import { refusal } from "../../fs/tree.ts";
import { askedCost, mustFit, mustHaveKey } from "../common/cost.ts";
import { type Choice, choose } from "./choose.ts";
import { mostInputCosts, mostItCosts, type Size, sizeOf } from "./estimate.ts";
import { fullName, type Offer } from "./offers.ts";
import { policyOf } from "./policy.ts";

export const MOUNT = "/compute";

/** Who is asked for which model, at which price; null is not known. */
export interface Route {
  readonly provider_id: string;
  readonly model: string;
  readonly price: TokenPrice | null;
}

/** What a job's row keeps of its request. */
export interface JobData {
  readonly kind: ComputeKind;
  /** As it was asked for. */
  readonly model: string;
  readonly stream: boolean;
  /** In the order in which they are tried. */
  readonly routes: readonly Route[];
  readonly max_concurrent: number;
}

/** @throws FileError for each reason why not; nothing has happened then */
export function termsOf(
  view: AgentView,
  providers: ComputeProviders,
  request: ComputeRequest,
): JobTerms {
  const policy = policyOf(view);
  mustHaveKey(policy, request.idempotency_key);
  const size = sizeOf(request);
  const choice = choose(providers, { request, size, policy });
  const asked = askedCost(request, policy);
  const { reserved, routes } = reservation(choice, size, asked, () => left(view));
  mustFit(view, MOUNT, policy, reserved);
  const data: JobData = {
    kind: request.kind,
    model: request.model,
    stream: request.stream,
    routes: routes.map(routeOf),
    max_concurrent: policy.max_concurrent,
  };
  return {
    maxCostMicroUsd: reserved,
    reason: `${request.kind} with ${fullName(choice.first)}`,
    data: data as unknown as Json,
    input: request.input,
    notify: request.notify,
    timeoutMs: request.timeout_ms ?? policy.default_timeout_ms,
    answer: (jobId) => ({ job_id: jobId, status: "pending", ...pathsOf(jobId) }),
  };
}

export function pathsOf(jobId: string) {
  const at = `${MOUNT}/jobs/${jobId}`;
  return { status_path: `${at}/status`, stream_path: `${at}/stream`, result_path: `${at}/result` };
}

function routeOf({ provider, model }: Offer): Route {
  return { provider_id: provider.id, model: model.id, price: model.price ?? null };
}

/** What is reserved, and who may be asked for that. */
function reservation(
  { first, fallback }: Choice,
  size: Size,
  asked: number | undefined,
  leftMicroUsd: () => number,
): { readonly reserved: number; readonly routes: readonly Offer[] } {
  const both = fallback ? [first, fallback] : [first];
  if (!isFree(first.model.price)) return { reserved: dearest(first, size, asked), routes: both };
  // What is free needs no budget: a fallback that costs must not take that away.
  if (!fallback || isFree(fallback.model.price)) return { reserved: 0, routes: both };
  const pays = asked !== undefined && asked > 0 && asked <= leftMicroUsd();
  return pays ? { reserved: asked, routes: both } : { reserved: 0, routes: [first] };
}

function dearest(offer: Offer, size: Size, asked: number | undefined): number {
  const { model } = offer;
  const name = fullName(offer);
  if (asked !== undefined) {
    // One micro-USD is the least that anything costs which is not free.
    const input = Math.max(1, mostInputCosts(model.price, size) ?? 1);
    if (input <= asked) return asked;
    throw refusal(
      "invalid_request",
      `max_cost_micro_usd is ${dollars(asked)}, and the question alone may cost ${
        dollars(input)
      } at ${name}`,
      { max_cost_micro_usd: asked, input_micro_usd: input },
    );
  }
  const most = mostItCosts(model, size);
  if (most !== undefined) return most;
  throw refusal(
    "max_cost_required",
    model.price
      ? `what an answer of ${name} costs has no bound: give max_tokens, or max_cost_micro_usd`
      : `the price of ${name} is not known: give max_cost_micro_usd, all of which counts as spent`,
  );
}

/** What the budget leaves, by the day. */
function left({ budget }: AgentView): number {
  const days = [MOUNT, "/"].map((at) => budget.usage(at).day.remaining_micro_usd ?? Infinity);
  return Math.min(...days);
}
