/** How a session has ended: noted before anything is taken down, and told as its result, its failure and its cost. */
import type { ContainerResponse, ContainerUsage } from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import type { JobEnd } from "../../core/outside.ts";
import { type Code, codeOf, FileError } from "../../fs/error.ts";
import { artifactsIn } from "./artifacts.ts";
import type { Course } from "./course.ts";
import type { Over, Phase } from "./live.ts";
import { costOf } from "./price.ts";

const MAX_TOLD = 500;
/** As shells tell one that was killed. */
const KILLED = 137;
/** One that never came to its commands has nothing to tell but why. */
const HAS_RESULT: ReadonlySet<Phase> = new Set(["running", "gathering", "expired"]);
const INTERRUPTIONS: ReadonlySet<Code> = new Set(["interrupted", "timeout"]);
export const NO_USAGE: ContainerUsage = {
  cpu_time_ms: 0,
  peak_memory_bytes: 0,
  disk_writes_bytes: 0,
  network_bytes: 0,
};

/** How it has ended, before anything is taken down: the next life of the runtime does not have to guess. */
export async function noteOver({ live, run, data, input }: Course, error: unknown): Promise<void> {
  const { commands, phase } = live.state;
  const isInteractive = data.kind === "interactive" && phase === "running";
  const isExpired = isInteractive && run.ending === "timeout";
  const isSetUp = commands.length === input.commands.length;
  const isStopped = isInteractive && isSetUp && run.ending === "cancelled";
  const isFine = error === undefined || isExpired || isStopped;
  const over: Over = { at: run.now(), failure: isFine ? null : failureOf(error, live.id) };
  await live.note((state) => ({ ...state, over, ...(isExpired ? { phase: "expired" } : {}) }));
}

/** What it came to, and what that costs: also where it failed. */
export async function endOf({ live, run, data, input, record }: Course): Promise<JobEnd> {
  const { began, commands, doing, over, phase, usage = NO_USAGE } = live.state;
  const { at, failure } = over!;
  const error = failure ? { error: errorOf(failure) } : {};
  // Its provider refused to begin it: there never was a container. Who was stopped or out of time meanwhile may have had one.
  const isUnmade = phase === "provisioning" && failure !== null &&
    !INTERRUPTIONS.has(failure.code);
  const durationMs = began === undefined ? 0 : at - began;
  const costMicroUsd = began === undefined || isUnmade
    ? 0
    : Math.min(costOf(data.price, durationMs), run.job.reserved_micro_usd);
  if (!HAS_RESULT.has(phase)) return { costMicroUsd, ...error };
  const cut = doing[`c${commands.length}`];
  const results = record.results(input.commands, [
    ...commands,
    ...(cut ? [{ exit_code: KILLED, duration_ms: at - cut.began }] : []),
  ]);
  const response: ContainerResponse = {
    session_id: live.id,
    exit_code: results.at(-1)?.exit_code ?? 0,
    stdout: record.whole.stdout.text(),
    stderr: record.whole.stderr.text(),
    command_results: results,
    artifacts: await artifactsIn((name) => run.stored(name)),
    usage,
    cost_micro_usd: costMicroUsd,
    reserved_micro_usd: run.job.reserved_micro_usd,
    duration_ms: durationMs,
    provider_id: data.provider_id,
  };
  return { result: response as unknown as Json, costMicroUsd, ...error };
}

/** A job that is cancelled has no refusal for its reason; anything else that is none is a fault of the program. */
function failureOf(error: unknown, id: string): NonNullable<Over["failure"]> {
  const { name, op, path, detail, extra } = error as Partial<FileError>;
  const isRefusal = name === "FileError";
  const told = isRefusal ? detail : String(error).slice(0, MAX_TOLD);
  return {
    code: typeof error === "string" ? "interrupted" : codeOf(error),
    op: isRefusal && op !== undefined ? op : "run",
    path: isRefusal && path !== undefined ? path : id,
    ...(told === undefined ? {} : { detail: told }),
    ...(extra === undefined ? {} : { extra }),
  };
}

function errorOf({ code, op, path, detail, extra }: NonNullable<Over["failure"]>): FileError {
  return new FileError(code, op, path, {
    ...(detail === undefined ? {} : { detail }),
    ...(extra === undefined ? {} : { extra }),
  });
}
