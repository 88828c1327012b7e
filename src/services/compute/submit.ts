/** `new`: a request is written, and a job's paths are answered; nobody waits for a model here. */
import type { ComputeProviders } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import type { AgentId } from "../../core/id.ts";
import type { AgentView } from "../../core/view.ts";
import { file, type Node } from "../../fs/tree.ts";
import { hasLimits } from "../common/cost.ts";
import { JSON_TYPE } from "../common/json.ts";
import type { Gate } from "../common/gate.ts";
import { policyOf } from "./policy.ts";
import { requestOf } from "./request.ts";
import { MOUNT, termsOf } from "./terms.ts";

/** Keys of this service's requests, apart from those of others. */
const SCOPE = "compute";

/** What the views of all agents share. */
export interface Shared {
  readonly providers: ComputeProviders;
  readonly gate: Gate<AgentId>;
  /** One after the other for each agent. */
  readonly inTurn: <T>(agent: AgentId, run: () => Promise<T>) => Promise<T>;
}

export function newFile(view: AgentView, shared: Shared): Node {
  return file({
    type: JSON_TYPE,
    about: "begins a model call: { model, kind, input, stream?, notify?, timeout_ms?, " +
      "idempotency_key?, max_cost_micro_usd? }; answers { job_id, status, status_path, " +
      "stream_path, result_path } at once",
    call: async (data) => JSON.stringify(await submitted(view, shared, data)),
  });
}

async function submitted(view: AgentView, shared: Shared, data: Uint8Array): Promise<Json> {
  const request = requestOf(data);
  const { idempotency_key, ...order } = request;
  const submit = () =>
    view.outside.submit({
      mount: MOUNT,
      path: `${MOUNT}/new`,
      request: order as unknown as Json,
      ...(idempotency_key === undefined
        ? {}
        : { idempotency: { scope: SCOPE, key: idempotency_key } }),
    }, () => Promise.resolve().then(() => termsOf(view, shared.providers, request)));
  // The policy's own limits are compared with what is reserved: nothing may come between the two.
  const answer = hasLimits(policyOf(view)) ? await shared.inTurn(view.id, submit) : await submit();
  shared.gate.setLimit(view.id, policyOf(view).max_concurrent);
  return answer;
}
