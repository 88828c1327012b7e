/** What an answer cost, and what is left, in a few words. */
import type { Job } from "../../core/outside.ts";
import { dollars } from "../../core/money.ts";
import { count } from "../print.ts";

/** Micro-USD. */
export function costOf(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { cost_micro_usd }) => sum + (cost_micro_usd ?? 0), 0);
}

/** `$0.0003 · 2 model calls · $4.99 left today`; nothing where no model was asked. */
export function costWords(jobs: readonly Job[], leftMicroUsd: number | undefined): string {
  if (jobs.length === 0) return "";
  const cost = costOf(jobs);
  const isFree = cost === 0 && (leftMicroUsd ?? 0) === 0;
  return [
    isFree ? "free" : dollars(cost),
    count(jobs.length, "model call"),
    ...(isFree || leftMicroUsd === undefined ? [] : [`${dollars(leftMicroUsd)} left today`]),
  ].join(" · ");
}
