/** What `jobs/<id>/` of `/compute` says of a model call. */
import type { Job } from "../../core/outside.ts";
import type { AgentView } from "../../core/view.ts";
import type { Node } from "../../fs/tree.ts";
import { jobsDir } from "../common/jobs.ts";
import { type JobData, MOUNT, pathsOf } from "./terms.ts";

export function computeJobFiles(view: AgentView): Node {
  return jobsDir(view.jobs(MOUNT), {
    shown,
    result: "{ job_id, output, usage?, cost_micro_usd, latency_ms, provider_id, model }",
    events:
      "the answer as it comes: { job_id, seq, delta, finish_reason?, usage? }, the last one " +
      "with its finish_reason",
  });
}

function shown({ data, kept: _, ...job }: Job) {
  const { kind, model, routes } = data as unknown as JobData;
  const [first] = routes;
  return { ...job, kind, model, provider_id: first?.provider_id, ...pathsOf(job.job_id) };
}
