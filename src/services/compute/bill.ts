/** What a job has come to cost, over all its tries: exactly, or unknown, which counts as all that is reserved. */
import type { TokenUsage } from "../../core/compute.ts";
import { codeOf, type FileError } from "../../fs/error.ts";
import { costOf, isFree } from "../../core/price.ts";
import type { Route } from "./terms.ts";

/** Refusals for which nobody sends a bill. */
const UNBILLED: ReadonlySet<string> = new Set([
  "rate_limited",
  "auth_required",
  "not_found",
  "not_supported",
  "invalid_request",
]);

export interface Bill {
  failed(route: Route, error: unknown): void;
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
    failed(route, error) {
      if (mayCost(route, error)) add(undefined);
    },
    answered(route, usage) {
      if (isFree(route.price ?? undefined)) return;
      add(route.price && usage ? costOf(route.price, usage) : undefined);
    },
    total: () => total,
  };
}

function mayCost(route: Route, error: unknown): boolean {
  const wasAsked = (error as Partial<FileError> | undefined)?.extra?.["asked"] !== false;
  return !isFree(route.price ?? undefined) && wasAsked && !UNBILLED.has(codeOf(error));
}

/** As the server told it, if those are counts at all. */
export function checkedUsage(usage: TokenUsage | undefined): TokenUsage | undefined {
  const counts = [usage?.input_tokens, usage?.output_tokens, usage?.total_tokens];
  return counts.every((n) => Number.isSafeInteger(n) && n! >= 0) ? usage : undefined;
}
