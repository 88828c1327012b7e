/** A model as the files of the agent that pays for it: the request is written to `/compute/new`, and the job's stream is the answer. */
import type {
  ComputeChunk,
  ComputeKind,
  ComputeRequest,
  ComputeResponse,
  Delta,
  ToolCall,
} from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import type { Job } from "../../core/outside.ts";
import { FileError, hasCode } from "../../fs/error.ts";
import type { FileService } from "../../fs/file.ts";
import { callJson, readJson, watch, writeText } from "../../fs/use.ts";
import type { Outcome, Run } from "./run.ts";

const NEW = "/compute/new";
const JOBS = "/compute/jobs";

export interface ModelAsk {
  readonly model: string;
  readonly kind: ComputeKind;
  readonly input: Json;
  readonly stream: boolean;
  readonly timeoutMs?: number | null | undefined;
  readonly maxCostMicroUsd?: number | null | undefined;
  /** A client that named its request may come back for the answer. */
  readonly key?: string | undefined;
}

interface Ticket {
  readonly job_id: string;
}

/** A model's answer, with what it is made of still in place. */
export interface ModelRun extends Run {
  readonly response: () => ComputeResponse;
}

/** Begins the job; it is paid for when it resolves. @throws FileError each refusal of `/compute/new` */
export async function askModel(
  files: FileService,
  ask: ModelAsk,
  signal: AbortSignal,
): Promise<ModelRun> {
  const { job_id } = await callJson<Ticket>(files, NEW, requestOf(ask));
  const at = `${JOBS}/${job_id}`;
  let response: ComputeResponse | undefined;
  async function* parts(): Run["parts"] {
    yield* deltasOf(files, `${at}/stream`, signal);
    if (signal.aborted) {
      throw new FileError("interrupted", "ask", ask.model, { detail: "the server stops" });
    }
    await checkComplete(files, at, ask.model);
    response = await readJson<ComputeResponse>(files, `${at}/result`);
    return outcomeOf(response);
  }
  return {
    id: job_id,
    parts: parts(),
    response: () => response!,
    async leave() {
      if (ask.key === undefined) await writeText(files, `${at}/ctl`, "cancel");
    },
  };
}

function requestOf({ model, kind, input, stream, ...rest }: ModelAsk): Partial<ComputeRequest> {
  const { key, timeoutMs, maxCostMicroUsd } = rest;
  return {
    model,
    kind,
    input,
    stream,
    // The one who asked is here and waits; the agent has nothing to do with it.
    notify: false,
    ...(key === undefined ? {} : { idempotency_key: key }),
    ...(timeoutMs == null ? {} : { timeout_ms: timeoutMs }),
    ...(maxCostMicroUsd == null ? {} : { max_cost_micro_usd: maxCostMicroUsd }),
  };
}

/** Every delta once, however slowly they are taken: a watch that is dropped for that is begun again behind the last. */
async function* deltasOf(
  files: FileService,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  for (let after = 0, ended = false; !ended;) {
    try {
      const chunks = await watch<ComputeChunk>(files, path, { after, signal });
      for await (const { seq, delta } of chunks) {
        after = seq;
        if (delta.content || delta.tool_calls?.length) yield delta;
      }
      ended = true;
    } catch (error) {
      if (!hasCode(error, "rate_limited")) throw error;
    }
  }
}

/** @throws FileError the one with which the job failed */
async function checkComplete(
  files: FileService,
  at: string,
  model: string,
): Promise<void> {
  const job = await readJson<Job>(files, `${at}/status`);
  if (job.status === "complete") return;
  if (job.status === "cancelled") {
    throw new FileError("interrupted", "ask", model, { detail: "the job was cancelled" });
  }
  // A job that was cut off has no end yet.
  const { code, message } = job.error ??
    { code: "interrupted" as const, message: "the server stops" };
  throw new FileError(code, "ask", model, { detail: message, extra: { job_id: job.job_id } });
}

function outcomeOf(response: ComputeResponse): Outcome {
  const { job_id, output, usage, cost_micro_usd, latency_ms, provider_id, model } = response;
  const { text, tool_calls, finish_reason } = (output ?? {}) as {
    readonly text?: string;
    readonly tool_calls?: readonly ToolCall[];
    readonly finish_reason?: string;
  };
  return {
    text: text ?? "",
    ...(tool_calls?.length ? { tool_calls } : {}),
    finish_reason: finish_reason ?? "stop",
    ...(usage ? { usage } : {}),
    cost_micro_usd,
    more: { job_id, provider_id, model, cost_micro_usd, latency_ms },
  };
}
