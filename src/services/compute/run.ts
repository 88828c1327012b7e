/** Runs a job: waits for its turn, asks its providers in order with pauses between tries, and tells what came of it. */
import type {
  CallResult,
  ComputeProvider,
  ComputeProviders,
  ComputeResponse,
  Delta,
  TokenUsage,
} from "../../core/compute.ts";
import { dollars } from "../../core/money.ts";
import type { Json } from "../../core/envelope.ts";
import type { AgentId } from "../../core/id.ts";
import type { JobEnd, JobKind, JobRun } from "../../core/outside.ts";
import { type Code, codeOf, type ErrorExtra, FileError } from "../../fs/error.ts";
import { attempt } from "./attempt.ts";
import { type Bill, checkedUsage, makeBill } from "./bill.ts";
import { capOf } from "./cap.ts";
import { type Size, sizeOf } from "./estimate.ts";
import type { Gate } from "../common/gate.ts";
import type { JobData, Route } from "./terms.ts";

/** Pauses before the second, third … try at one provider. */
export const BACKOFF_MS: readonly number[] = [500, 2_000];
/** Who wants to be asked again only later than this is not waited for. */
export const MAX_RETRY_AFTER_MS = 60_000;
const RETRYABLE: ReadonlySet<string> = new Set(["provider_unavailable", "rate_limited"]);

export function computeJobs(providers: ComputeProviders, gate: Gate<AgentId>): JobKind {
  return {
    async run(run) {
      const data = run.job.data as unknown as JobData;
      const { agent, job, signal } = run;
      const leave = await gate.enter(agent, job.job_id, data.max_concurrent, signal);
      try {
        const input = await run.input();
        return await answered({
          run,
          data,
          providers,
          input,
          size: sizeOf({ kind: data.kind, input }),
          bill: makeBill(job.reserved_micro_usd),
        });
      } finally {
        leave();
      }
    },
  };
}

interface Course {
  readonly run: JobRun;
  readonly data: JobData;
  readonly providers: ComputeProviders;
  readonly input: Json;
  readonly size: Size;
  readonly bill: Bill;
}

type Tried =
  | { readonly route: Route; readonly result: CallResult; readonly isStreamed: boolean }
  | { readonly error: unknown; readonly isFinal: boolean };

async function answered(course: Course): Promise<JobEnd> {
  const { run, data, bill } = course;
  const began = run.now();
  const errors: unknown[] = [];
  try {
    for (const route of data.routes) {
      const tried = await atRoute(course, route);
      if ("result" in tried) return await told(course, tried, run.now() - began);
      errors.push(tried.error);
      if (tried.isFinal) break;
    }
  } catch (error) {
    errors.push(error);
  }
  // Who watches is told that no more comes; where even that cannot be written, the job says why it failed.
  await run.emit(lastChunk({}, endOf(run.signal), undefined, run)).catch(() => {});
  return { costMicroUsd: bill.total(), error: asOne(errors) };
}

/** A cancelled job's signal has a reason of its own; one that is out of time has a refusal. */
function endOf({ aborted, reason }: AbortSignal): string {
  return aborted && !(reason instanceof FileError) ? "cancelled" : "error";
}

/** Tries one provider until it answers, or there is no use in another try. */
async function atRoute(course: Course, route: Route): Promise<Tried> {
  const { run, providers, bill } = course;
  const provider = providers.get(route.provider_id);
  if (!provider) return { error: gone(route), isFinal: false };
  for (let tries = 0;; tries++) {
    const tried = await ask(course, route, provider);
    if ("result" in tried) return { route, ...tried };
    bill.failed(route, tried.error, tried.hasBegun);
    run.signal.throwIfAborted();
    const error = named(route, tried.error);
    if (tried.hasBegun || !isRetryable(tried.error)) {
      return { error, isFinal: tried.hasBegun || !mayOther(tried.error) };
    }
    const pause = pauseAfter(tried.error, tries);
    if (pause === undefined) return { error, isFinal: false };
    await run.sleep(pause);
  }
}

async function ask(course: Course, route: Route, provider: ComputeProvider) {
  const { run, data, size } = course;
  const amountMicroUsd = run.job.reserved_micro_usd;
  const model = provider.models().find(({ id }) => id === route.model);
  const { price } = route;
  const cap = capOf(course.input, size, { price, model, amountMicroUsd });
  if (!cap) return { error: tooDear(route, amountMicroUsd), hasBegun: false };
  await run.asking();
  return await attempt(provider, {
    job_id: run.job.job_id,
    model: route.model,
    kind: data.kind,
    input: cap.input,
    // What must be watched has to come in parts.
    stream: data.stream || cap.isTighter,
    max_cost_micro_usd: amountMicroUsd,
  }, {
    signal: run.signal,
    maxTokens: cap.tokens,
    onDelta: async (delta) => {
      if (data.stream) await run.emit(chunk(run, delta));
    },
  });
}

/** Its last chunk, and its result. */
async function told(
  { run, data, bill }: Course,
  { route, result, isStreamed }: Extract<Tried, { result: CallResult }>,
  latencyMs: number,
): Promise<JobEnd> {
  const usage = checkedUsage(result.usage);
  bill.answered(route, usage);
  const { output } = result;
  const rest = isStreamed && data.stream ? {} : deltaOf(output);
  await run.emit(lastChunk(rest, finishReason(output), usage, run));
  const cost = bill.total();
  const response: ComputeResponse = {
    job_id: run.job.job_id,
    output,
    ...(usage ? { usage } : {}),
    cost_micro_usd: cost ?? run.job.reserved_micro_usd,
    latency_ms: latencyMs,
    provider_id: route.provider_id,
    model: result.model,
  };
  return { costMicroUsd: cost, result: response as unknown as Json };
}

type Event = { readonly [field: string]: Json };

function chunk({ job: { job_id } }: JobRun, delta: Delta): Event {
  return { job_id, delta: delta as Json };
}

function lastChunk(
  delta: Delta,
  finish_reason: string,
  usage: TokenUsage | undefined,
  run: JobRun,
): Event {
  return { ...chunk(run, delta), finish_reason, ...(usage ? { usage: { ...usage } } : {}) };
}

type ChatOutput = { text?: Json; tool_calls?: Json[]; finish_reason?: Json };

/** The whole answer as one part. */
function deltaOf(output: CallResult["output"]): Delta {
  const { text, tool_calls } = chatOf(output);
  return {
    ...(typeof text === "string" && text !== "" ? { content: text } : {}),
    ...(tool_calls?.length
      ? { tool_calls: tool_calls.map((call, index) => ({ index, ...(call as object) } as Json)) }
      : {}),
  };
}

function finishReason(output: CallResult["output"]): string {
  const { finish_reason } = chatOf(output);
  return typeof finish_reason === "string" ? finish_reason : "stop";
}

function chatOf(output: CallResult["output"]): ChatOutput {
  const isObject = typeof output === "object" && output !== null && !Array.isArray(output);
  return isObject ? output as ChatOutput : {};
}

function extraOf(error: unknown): FileError["extra"] {
  return (error as Partial<FileError> | undefined)?.extra;
}

function isRetryable(error: unknown): boolean {
  const said = extraOf(error)?.["retryable"];
  return typeof said === "boolean" ? said : RETRYABLE.has(codeOf(error));
}

/** May another provider do what this one did not? Not where the request itself is wrong. */
function mayOther(error: unknown): boolean {
  return codeOf(error) !== "invalid_request";
}

/** Undefined: there is no further try here. */
function pauseAfter(error: unknown, tries: number): number | undefined {
  const pause = BACKOFF_MS[tries];
  const wanted = extraOf(error)?.["retry_after_ms"];
  const atLeast = typeof wanted === "number" ? wanted : 0;
  if (pause === undefined || atLeast > MAX_RETRY_AFTER_MS) return undefined;
  return Math.max(pause, atLeast);
}

/** The provider's refusal, under the name of who was asked. What is no refusal is a fault of ours, and its text is for logs. */
function named(route: Route, error: unknown): FileError {
  const inner = error as Partial<FileError> | undefined;
  const isRefusal = inner?.name === "FileError";
  const { detail, extra } = isRefusal ? inner : {};
  return refused(route, codeOf(error), detail ?? codeOf(error), extra, error);
}

function gone(route: Route): FileError {
  const detail = "this provider is no longer there; ask again, so that another one is chosen";
  return refused(route, "provider_unavailable", detail, { asked: false });
}

function tooDear(route: Route, amount: number): FileError {
  const detail =
    `${dollars(amount)} is reserved, which does not pay for an answer; give a higher ` +
    "max_cost_micro_usd";
  return refused(route, "budget_exceeded", detail, { max_cost_micro_usd: amount, asked: false });
}

function refused(
  { provider_id, model }: Route,
  code: Code,
  detail: string,
  extra?: ErrorExtra,
  cause?: unknown,
): FileError {
  const name = `${provider_id}/${model}`;
  return new FileError(code, "ask", name, {
    detail: `${name}: ${detail}`,
    ...(extra === undefined ? {} : { extra }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The first failure, with what became of the fallback. */
function asOne(errors: readonly unknown[]): unknown {
  const [first, second] = errors;
  if (!(first instanceof FileError) || !(second instanceof FileError)) return second ?? first;
  return new FileError(first.code, first.op, first.path, {
    detail: `${first.detail}; the fallback ${second.detail}`,
    ...(first.extra ? { extra: first.extra } : {}),
    cause: first,
  });
}
