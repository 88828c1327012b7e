/** `new`: a request is written, and a session's paths are answered; nobody waits for a container here. */
import type { Json } from "../../core/envelope.ts";
import type { AgentId } from "../../core/id.ts";
import type { AgentView } from "../../core/view.ts";
import { file, type Node } from "../../fs/tree.ts";
import { hasLimits } from "../common/cost.ts";
import { JSON_TYPE } from "../common/json.ts";
import { MOUNT, policyOf } from "./policy.ts";
import { requestOf } from "./request.ts";
import type { Deps } from "./course.ts";
import { CALLERS } from "./shown.ts";
import { termsOf } from "./terms.ts";

/** Keys of this service's requests, apart from those of others. */
const SCOPE = "containers";

export interface SubmitDeps extends Deps {
  /** One after the other for each agent. */
  readonly inTurn: <T>(agent: AgentId, run: () => Promise<T>) => Promise<T>;
}

export function newFile(view: AgentView, deps: SubmitDeps): Node {
  return file({
    type: JSON_TYPE,
    about:
      "begins a session: { kind?, image?, provider?, repo?, commands, workdir?, env?, limits?, files?, " +
      "artifacts?, max_cost_micro_usd?, idempotency_key?, timeout_ms?, notify? }; answers " +
      "{ session_id, status, status_path, output_path, result_path } at once; {{secret:NAME}} in " +
      "env is a secret",
    only: { call: CALLERS },
    call: async (data) => JSON.stringify(await submitted(view, deps, data)),
  });
}

async function submitted(view: AgentView, deps: SubmitDeps, data: Uint8Array): Promise<Json> {
  const request = requestOf(data);
  const { idempotency_key: key, ...order } = request;
  const submit = () =>
    view.outside.submit({
      mount: MOUNT,
      path: `${MOUNT}/new`,
      request: order as unknown as Json,
      ...(key === undefined ? {} : { idempotency: { scope: SCOPE, key } }),
    }, () => termsOf(view, deps, request));
  // The policy's own limits are compared with what is reserved: nothing may come between the two.
  const answer = hasLimits(policyOf(view)) ? await deps.inTurn(view.id, submit) : await submit();
  deps.gate.setLimit(view.id, policyOf(view).max_concurrent);
  return answer;
}
