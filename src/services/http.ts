/** `/http/`: requests to the web, by a policy that allows nothing until an operator says so; an agent has no other network. */
import type { Backend } from "../core/backend.ts";
import type { HttpProvider } from "../core/net.ts";
import type { Secrets } from "../core/secrets.ts";
import type { AgentView, ServiceMount } from "../core/view.ts";
import { dir, file, type Node, tree } from "../fs/tree.ts";
import { JSON_TYPE } from "./common/json.ts";
import { httpJobFiles } from "./http/jobs.ts";
import { policyFile, policyOf } from "./http/policy.ts";
import { makeRates, type Rates } from "./http/rate.ts";
import { httpJobs } from "./http/run.ts";
import { newFile, type Shared } from "./http/submit.ts";

/** What the mount is made of. */
export interface HttpDeps {
  readonly provider: HttpProvider;
  readonly secrets: Secrets;
  /** Time, from the backend. */
  readonly clock: Pick<Backend, "now" | "timer">;
}

export function http(deps: HttpDeps): ServiceMount {
  const rates = makeRates(deps.clock.now);
  const shared: Shared = { ...deps, rates };
  return {
    access: "read_write",
    jobs: httpJobs(deps),
    service: (view) =>
      tree(
        dir({
          new: newFile(view, shared),
          policy: policyFile(view, deps.provider),
          usage: usage(view, rates),
          jobs: httpJobFiles(view),
        }),
        view.viewer,
      ),
  };
}

function usage(view: AgentView, rates: Rates): Node {
  return file({
    type: JSON_TYPE,
    about: "requests of this minute and this day, and how many there may be",
    async read() {
      const { minute, day } = await rates.used(view);
      const { per_minute, per_day } = policyOf(view);
      return JSON.stringify({
        minute: { used: minute, limit: per_minute },
        day: { used: day, limit: per_day },
      });
    },
  });
}
