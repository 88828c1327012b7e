/** What `jobs/<id>/` of `/http` says of a request that nobody waits for. */
import type { Job } from "../../core/outside.ts";
import type { AgentView } from "../../core/view.ts";
import type { Node } from "../../fs/tree.ts";
import { jobsDir } from "../common/jobs.ts";
import { MOUNT } from "./policy.ts";

export function pathsOf(id: string) {
  const at = `${MOUNT}/jobs/${id}`;
  return { status_path: `${at}/status`, result_path: `${at}/result` };
}

export function httpJobFiles(view: AgentView): Node {
  return jobsDir(view.jobs(MOUNT), {
    shown,
    result: "{ status, headers, body | body_base64, truncated }",
  });
}

/** There is nothing to pay. */
function shown({ data, kept: _, reserved_micro_usd: __, cost_micro_usd: ___, ...job }: Job) {
  return { ...job, ...data as { method: string; url: string }, ...pathsOf(job.job_id) };
}
