/** A question to a person: may the agent do this? Types: what is asked, and how it is answered. */
import type { EnvelopeId } from "./id.ts";

/** How long a question stands. */
export const APPROVAL_TTL_MS = 24 * 3_600_000;
/** Open questions of one agent; more are refused until some are answered. */
export const MAX_APPROVALS = 100;

export interface Approval {
  readonly id: string;
  /** `used`: it was approved, and the request has passed. */
  readonly state: "pending" | "approved" | "denied" | "used" | "expired";
  readonly mount: string;
  /** The file, and what was to be done to it: `write`, `append`, `call`, `remove`. */
  readonly path: string;
  readonly op: string;
  /** What it may cost at the most; null where it is not about money. */
  readonly amount_micro_usd: number | null;
  readonly reason: string;
  /** What was asked, cut where it is long; secrets are never in it. */
  readonly request: string;
  /** SHA-256 of the request: only the same passes. */
  readonly request_digest: string;
  readonly envelope_id: EnvelopeId | null;
  /** ISO 8601. */
  readonly created_at: string;
  readonly expires_at: string;
  readonly decided_at: string | null;
  readonly decided_by: string | null;
}

export interface Approvals {
  /** Oldest first. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<Approval[]>;
  get(id: string): Promise<Approval | undefined>;
  /** The agent is told by an envelope `approval:<id>` in the same commit. Rejects with `not_found`, `conflict` (it was decided already), `not_ready` (it has expired). */
  decide(id: string, answer: "approve" | "deny"): Promise<Approval>;
  /** Each change, from now on. */
  watch(signal: AbortSignal): AsyncIterable<Approval>;
}
