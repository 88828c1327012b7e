/** What an agent may spend, and what it has spent: policies as operators set them, reports as everybody reads them. The counting is the ledger's. */
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import type { Json } from "./envelope.ts";

/** The path under which the policy of the whole agent stands, beside those of its mounts. */
export const WHOLE_AGENT = "/";
/** Public keys that may approve. */
const MAX_APPROVERS = 16;

const amount = z.int().nonnegative();

/**
 * A limit left out is none of its own: without `per_tick_micro_usd` a tick may use up the day's. A mount without a policy
 * has the whole agent's; where that is absent too, nothing that costs is allowed.
 */
export const budgetPolicySchema = z.strictObject({
  per_tick_micro_usd: amount.optional(),
  per_day_micro_usd: amount.default(0),
  /** A reservation above it waits for a person's yes. */
  approval_threshold_micro_usd: amount.optional(),
  /** Hex public keys whose signed messages decide. */
  approvers: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(MAX_APPROVERS).default([]),
});
export type BudgetPolicy = z.infer<typeof budgetPolicySchema>;
/** By mount path; `/` is the whole agent. */
export type Budgets = Readonly<Record<string, BudgetPolicy>>;

/** @throws FileError `invalid_request` */
export function checkedPolicy(value: unknown, path: string): BudgetPolicy {
  const { data, error } = budgetPolicySchema.safeParse(value);
  if (data) return data;
  const { path: at, message } = error.issues[0]!;
  throw new FileError("invalid_request", "set the budget of", path, {
    detail: `${at.join(".") || "a policy"}: ${message}; amounts are whole micro-USD`,
  });
}

/** Of one scope. Limits are null where there is none. */
export interface Spent {
  readonly reserved_micro_usd: number;
  readonly spent_micro_usd: number;
  readonly limit_micro_usd: number | null;
  /** Null where there is no limit. */
  readonly remaining_micro_usd: number | null;
}

/** `/<mount>/usage`, and the parts of `/budget`. The tick is the running or last one of the agent. */
export interface UsageReport {
  readonly tick: Spent;
  readonly day: Spent;
  /** ISO 8601: the UTC day's begin. */
  readonly day_start: string;
}

/** One line of the ledger. */
export interface Reservation {
  readonly id: string;
  readonly mount: string;
  /** The envelope whose tick pays; null for a caller. */
  readonly tick: string | null;
  readonly amount_micro_usd: number;
  readonly reason: string;
  /** `unknown`: a crash left it open and nobody can say what it cost; all of it counts. */
  readonly state: "reserved" | "settled" | "released" | "unknown";
  /** Null while it is open. */
  readonly actual_micro_usd: number | null;
  /** ISO 8601. */
  readonly created_at: string;
  readonly ended_at: string | null;
}

/** Something that was begun under a key, and of which nobody knows how it ended. It is not done again before somebody says. */
export interface UnknownEffect {
  readonly id: string;
  /** The file it was written to. */
  readonly path: string;
  readonly idempotency_key: string;
  /** ISO 8601. */
  readonly begun_at: string;
}

export interface BudgetView {
  /** Of a mount; `/`: of the whole agent. */
  usage(mount: string): UsageReport;
  policies(): Budgets;
  /** For operators: others are refused before. Recorded in the trajectory. Null takes a policy away. */
  setPolicy(mount: string, policy: BudgetPolicy | null): Promise<void>;
  /** Effects whose end nobody knows; those that are being done now are not among them. */
  unknown(): Promise<UnknownEffect[]>;
  /** For operators: `answer` is what its caller should have got; undefined: nothing was done. Rejects with `not_found`. */
  resolve(id: string, answer: Json | undefined): Promise<void>;
  /** Lines of the ledger, oldest first. */
  ledger(page: { readonly after?: string; readonly limit: number }): Promise<Reservation[]>;
}
