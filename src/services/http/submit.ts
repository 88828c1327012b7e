/** `new`: a request is written; what is waited for is answered at once, and what is not is a job. */
import type { Backend } from "../../core/backend.ts";
import type { Json } from "../../core/envelope.ts";
import type { Order } from "../../core/outside.ts";
import type { AgentView } from "../../core/view.ts";
import { FileError } from "../../fs/error.ts";
import { file, type Node } from "../../fs/tree.ts";
import { JSON_TYPE } from "../common/json.ts";
import { pathsOf } from "./jobs.ts";
import { MOUNT, policyOf } from "./policy.ts";
import type { Rates } from "./rate.ts";
import { isRepeatable, MAX_REQUEST_BYTES, orderOf, requestOf, type Written } from "./request.ts";
import { first, type Sending, sent } from "./send.ts";

/** Keys of this service's requests, apart from those of others. */
const SCOPE = "http";
/** To use secrets is the agent's and its operator's. */
const CALLERS = ["agent", "operator"];

export interface Shared extends Pick<Sending, "provider" | "secrets"> {
  readonly clock: Pick<Backend, "now" | "timer">;
  readonly rates: Rates;
}

export function newFile(view: AgentView, shared: Shared): Node {
  return file({
    type: JSON_TYPE,
    about:
      "asks the web: { method?, url, headers?, body?, body_base64?, timeout_ms?, max_bytes?, " +
      'idempotency_key?, notify? }; answers { job_id, … }, or with "wait": true { status, headers, ' +
      "body | body_base64, truncated }; {{secret:NAME}} in a header or the body is a secret",
    only: { call: CALLERS },
    maxBytes: MAX_REQUEST_BYTES,
    async call(data, { signal }) {
      const written = requestOf(data);
      const run = written.wait ? waited : submitted;
      return JSON.stringify(await run(view, shared, written, signal));
    },
  });
}

function order(written: Written): Order {
  const { idempotencyKey: key } = written;
  return {
    mount: MOUNT,
    path: `${MOUNT}/new`,
    request: orderOf(written),
    ...(key === undefined ? {} : { idempotency: { scope: SCOPE, key } }),
  };
}

/** Refused before anything is counted, and counted before anything is sent. */
async function admit(view: AgentView, shared: Shared, written: Written): Promise<void> {
  const policy = policyOf(view);
  first(sendingOf(view, shared, written, new AbortController().signal));
  await shared.rates.count(view, policy);
}

function sendingOf(
  view: AgentView,
  { provider, secrets }: Shared,
  { request }: Written,
  signal: AbortSignal,
): Sending {
  return { provider, secrets, agent: view.id, policy: policyOf(view), request, signal };
}

function submitted(view: AgentView, shared: Shared, written: Written): Promise<Json> {
  const { request, timeoutMs, notify } = written;
  return view.outside.submit(order(written), async () => {
    await admit(view, shared, written);
    return {
      maxCostMicroUsd: 0,
      reason: reasonOf(written),
      data: { method: request.method, url: request.url },
      input: request as unknown as Json,
      notify,
      timeoutMs,
      answer: (id) => ({ job_id: id, status: "pending", ...pathsOf(id) }),
    };
  });
}

function reasonOf({ request: { method, url } }: Written): string {
  return `${method} ${new URL(url).host}`;
}

/** What only looks is done anew at each try of a tick; all else is recorded, and done once. */
async function waited(
  view: AgentView,
  shared: Shared,
  written: Written,
  signal: AbortSignal,
): Promise<Json> {
  const run = () => inTime(view, shared, written, signal);
  if (isRepeatable(written.request.method) && written.idempotencyKey === undefined) {
    await admit(view, shared, written);
    return await run();
  }
  return await view.outside.perform(
    order(written),
    async () => {
      await admit(view, shared, written);
      return { maxCostMicroUsd: 0, reason: reasonOf(written) };
    },
    async () => ({ answer: await run(), costMicroUsd: 0 }),
  );
}

async function inTime(
  view: AgentView,
  shared: Shared,
  written: Written,
  signal: AbortSignal,
): Promise<Json> {
  const late = new AbortController();
  const cancel = shared.clock.timer(written.timeoutMs, () => {
    late.abort(
      new FileError("timeout", "ask", new URL(written.request.url).host, {
        detail: `no whole answer came in ${written.timeoutMs} ms; timeout_ms says how long to wait`,
      }),
    );
  });
  try {
    const both = AbortSignal.any([signal, late.signal]);
    return await sent(sendingOf(view, shared, written, both));
  } finally {
    cancel();
  }
}
