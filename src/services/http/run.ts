/** Runs a request that is a job: by the policy of the moment in which it is sent. */
import type { JobKind } from "../../core/outside.ts";
import { readText } from "../../fs/use.ts";
import { MOUNT, policyIn } from "./policy.ts";
import { isRepeatable, type WebRequest } from "./request.ts";
import { first, type Sending, sent } from "./send.ts";

export function httpJobs({ provider, secrets }: Pick<Sending, "provider" | "secrets">): JobKind {
  return {
    async run(run) {
      const request = await run.input() as unknown as WebRequest;
      // As the agent reads it: where the mount was taken away meanwhile, nothing is sent.
      const policy = policyIn(await readText(run.files, `${MOUNT}/policy`));
      const { agent, signal } = run;
      const sending: Sending = { provider, secrets, agent, policy, request, signal };
      first(sending);
      // What only looks may be done again after a crash.
      if (!isRepeatable(request.method)) await run.asking();
      return { result: await sent(sending), costMicroUsd: 0 };
    },
  };
}
