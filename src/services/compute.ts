/** `/compute/`: models as files: who can be asked, what may be asked, and jobs that answer. */
import type { ComputeProviders } from "../core/compute.ts";
import type { AgentId } from "../core/id.ts";
import type { AgentView, ServiceMount } from "../core/view.ts";
import { dir, file, type Node, tree } from "../fs/tree.ts";
import { JSON_TYPE } from "./common/json.ts";
import { makeGate } from "./common/gate.ts";
import { computeJobFiles } from "./compute/jobs.ts";
import { policyFile } from "./compute/policy.ts";
import { computeJobs } from "./compute/run.ts";
import { providersDir } from "./compute/sellers.ts";
import { newFile, type Shared } from "./compute/submit.ts";
import { MOUNT } from "./compute/terms.ts";
import { makeTurns } from "./common/turns.ts";

/** The mount that sells what these providers have. It is for budgets only: a model call costs, or is counted. */
export function compute(providers: ComputeProviders): ServiceMount {
  const gate = makeGate<AgentId>();
  const shared: Shared = { providers, gate, inTurn: makeTurns<AgentId>() };
  return {
    access: "budgeted",
    accesses: ["budgeted", "disabled"],
    jobs: computeJobs(providers, gate),
    service: (view) =>
      tree(
        dir({
          providers: providersDir(providers),
          new: newFile(view, shared),
          policy: policyFile(view, ({ max_concurrent }) => gate.setLimit(view.id, max_concurrent)),
          usage: usage(view),
          jobs: computeJobFiles(view),
        }),
        view.viewer,
      ),
  };
}

function usage(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "what is reserved, spent and left, in the tick and in the day",
    read: () => JSON.stringify(view.budget.usage(MOUNT)),
  });
}
