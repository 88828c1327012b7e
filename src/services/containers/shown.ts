/** What a session and its commands are to those who look: states of the mount's own words. */
import type { Job } from "../../core/outside.ts";
import { isoTime } from "../../core/id.ts";
import { stateIn } from "./live.ts";
import { pathsOf, type SessionData } from "./terms.ts";

/** To run code, and to use secrets for it, is the agent's and its operator's. */
export const CALLERS = ["agent", "operator"];

export const SESSION_STATES = "provisioning, cloning, running, complete, failed or expired, with " +
  "times and costs";

export type SessionState =
  | "provisioning"
  | "cloning"
  | "running"
  | "complete"
  | "failed"
  | "expired";

export function stateOf({ status, kept }: Pick<Job, "status" | "kept">): SessionState {
  const { phase } = stateIn(kept);
  if (status === "failed" || status === "cancelled") return "failed";
  if (status === "complete") return phase === "expired" ? "expired" : "complete";
  return phase === "provisioning" || phase === "cloning" ? phase : "running";
}

export function sessionShown(job: Job): object {
  const { job_id, data, kept, status: _, ...times } = job;
  const { type: __, time_ms, has_repo, price: ___, ...rest } = data as unknown as SessionData;
  const { began, commands } = stateIn(kept);
  return {
    session_id: job_id,
    status: stateOf(job),
    ...rest,
    has_repo,
    commands_done: commands.length,
    expires_at: began === undefined ? null : isoTime(began + time_ms),
    ...times,
    ...pathsOf(job_id),
  };
}
