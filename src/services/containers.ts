/** `/containers/`: running code as files: sessions in containers that can reach nothing but what a policy allows. */
import type { ContainerProviders } from "../core/containers.ts";
import type { AgentId } from "../core/id.ts";
import type { JobKind } from "../core/outside.ts";
import type { Secrets } from "../core/secrets.ts";
import type { AgentView, ServiceMount } from "../core/view.ts";
import { dir, file, type Node, tree } from "../fs/tree.ts";
import { makeGate } from "./common/gate.ts";
import { JSON_TYPE } from "./common/json.ts";
import { makeTurns } from "./common/turns.ts";
import { type ExecData, type ExecDeps, runExec } from "./containers/exec.ts";
import { makeSessions } from "./containers/live.ts";
import { MOUNT, policyFile } from "./containers/policy.ts";
import { providersDir } from "./containers/sellers.ts";
import { runSession } from "./containers/session.ts";
import { sessionFiles } from "./containers/sessions.ts";
import { newFile, type SubmitDeps } from "./containers/submit.ts";
import type { SessionData } from "./containers/terms.ts";
import type { Clock } from "./containers/timing.ts";

/** What the mount is made of. */
export interface ContainerDeps {
  readonly providers: ContainerProviders;
  readonly secrets: Secrets;
  /** Time, from the backend. */
  readonly clock: Clock;
}

/** Of what a session prints so much is kept; whoever watches gets all of it. */
const STREAM_LIMITS = { headBytes: 8 * 1024 * 1024, tailBytes: 1024 * 1024 };

/** The mount that runs code. It is for budgets only: a session costs, or is counted. */
export function containers(given: ContainerDeps): ServiceMount {
  const deps: SubmitDeps & ExecDeps = {
    ...given,
    gate: makeGate<AgentId>(),
    execs: makeGate<string>(),
    sessions: makeSessions(),
    inTurn: makeTurns<AgentId>(),
  };
  return {
    access: "budgeted",
    accesses: ["budgeted", "disabled"],
    jobs: jobsOf(deps),
    service: (view) =>
      tree(
        dir({
          providers: providersDir(given.providers),
          new: newFile(view, deps),
          policy: policyFile(view, (policy) => deps.gate.setLimit(view.id, policy.max_concurrent)),
          usage: usage(view),
          sessions: sessionFiles(view, deps),
        }),
        view.viewer,
      ),
  };
}

function jobsOf(deps: ExecDeps): JobKind {
  return {
    resumes: true,
    streamLimits: STREAM_LIMITS,
    pathOf: (under, id) => under === "" ? `${MOUNT}/sessions/${id}` : `${MOUNT}${under}/exec/${id}`,
    moreTimeBy: (under) =>
      under === ""
        ? "limits.max_time_secs, timeout_ms or max_cost_micro_usd, whichever gave it least"
        : "timeout_ms",
    run(run) {
      const { type } = run.job.data as unknown as SessionData | ExecData;
      return type === "session" ? runSession(deps, run) : runExec(deps, run);
    },
  };
}

function usage(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "what is reserved, spent and left, in the tick and in the day",
    read: () => JSON.stringify(view.budget.usage(MOUNT)),
  });
}
