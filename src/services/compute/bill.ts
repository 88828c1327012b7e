/** What a job has come to cost, over all its tries: exactly, or unknown, which counts as all that is reserved. */
import type { TokenUsage } from "../../core/compute.ts";
import { codeOf, type FileError } from "../../fs/error.ts";
import { costOf, isFree } from "../../core/price.ts";
import type { Route } from "./terms.ts";

/** Refusals for which nobody sends a bill, as long as no answer had begun. */
const UNBILLED: ReadonlySet<string> = new Set([
  "rate_limited",
  "auth_required",
  "insufficient_credits",
  "not_found",
  "not_supported",
  "invalid_request",
]);

export interface Bill {
  /** @param hasBegun a part of the answer had come */
  failed(route: Route, error: unknown, hasBegun: boolean): void;
  answered(route: Route, usage: TokenUsage | undefined): void;
  /** Micro-USD; undefined: not known. */
  total(): number | undefined;
}

export function makeBill(reservedMicroUsd: number): Bill {
  let total: number | undefined = 0;
  const add = (cost: number | undefined) => {
    // It cannot be above what is reserved: the answer was limited to that, and what a server takes beyond it is not the agent's.
    if (cost === undefined || total === undefined) total = undefined;
    else total = Math.min(total + cost, reservedMicroUsd);
  };
  return {
    failed(route, error, hasBegun) {
      const isPaid = !isFree(route.price ?? undefined);
      if (isPaid && (hasBegun || mayCost(error))) add(undefined);
    },
    answered(route, usage) {
      if (isFree(route.price ?? undefined)) return;
      add(route.price && usage ? costOf(route.price, usage) : undefined);
    },
    total: () => total,
  };
}

function mayCost(error: unknown): boolean {
  const { asked, status } = (error as Partial<FileError> | undefined)?.extra ?? {};
  // Who answers with an error has sold nothing; who answers nothing may go on without us.
  const isRefused = typeof status === "number" && status >= 400;
  return asked !== false && !isRefused && !UNBILLED.has(codeOf(error));
}

/** As the server told it, if those are counts at all. */
export function checkedUsage(usage: TokenUsage | undefined): TokenUsage | undefined {
  const counts = [usage?.input_tokens, usage?.output_tokens, usage?.total_tokens];
  return counts.every((n) => Number.isSafeInteger(n) && n! >= 0) ? usage : undefined;
}
