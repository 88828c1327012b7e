/** Why a task could not go on, for whoever sent it, and what an operator can do about it. */
import { codeOf, type FileError } from "../../fs/error.ts";
import type { Failure } from "../../core/agent.ts";
import { failureOf, kindOf, reasonOf } from "../common/refusals.ts";
import { mayComeBack, waitForAbsent } from "../common/waiting.ts";
import type { Task } from "./memory.ts";
import { againNextTick, finish, leftOf, spentOf, type Work } from "./work.ts";

const SESSION_REASONS: Readonly<Record<string, string>> = {
  approval_required: "A person has to allow this session first",
  budget_exceeded: "My budget does not allow this session",
  invalid_request: "This session was refused",
  max_cost_required: "I cannot bound what this session costs",
  not_found: "I cannot have this session",
  not_supported: "This runtime has no containers",
  permission_denied: "I may not have this session",
  provider_unavailable: "No containers can be reached",
  rate_limited: "There are too many sessions at the moment",
  too_large: "This is too much for a session",
};

/** A request was not taken. Throws where the engine is to try the tick again. */
export async function refused(work: Work, task: Task, error: unknown): Promise<void> {
  if (work.ctx.signal.aborted || (error as { name?: unknown }).name !== "FileError") throw error;
  const kind = kindOf(error);
  if (kind === "retry") throw error;
  const failure = failureOf(error);
  if (kind === "changed") return await againNextTick(work, task, failure.message);
  if (lacksImage(task, error)) return await finish(work, task, withoutImage(task, failure));
  const isAway = mayComeBack(task, error) &&
    (task.phase === "write" || codeOf(error) === "provider_unavailable");
  if (isAway && await waitForAbsent(work.ctx, task)) return;
  await stopped(work, task, failure);
}

/** An image that is not there does not come by itself, as an engine may. */
function lacksImage({ phase }: Task, error: unknown): boolean {
  return phase !== "write" && (error as FileError).extra?.["image"] !== undefined;
}

function withoutImage(task: Task, { code, message }: Failure): string {
  const why = `${SESSION_REASONS["not_found"]}: ${message} (${code})`;
  return [why, "An operator sees the images that are there with: agentd images.", spentOf(task)]
    .join("\n\n");
}

/** It cannot go on, and this is why. */
export async function stopped(work: Work, task: Task, failure: Failure): Promise<void> {
  const why = task.phase === "write"
    ? reasonOf(failure)
    : `${
      SESSION_REASONS[failure.code] ?? "The session failed"
    }: ${failure.message} (${failure.code})`;
  const advice = adviceFor(work, task, failure);
  await finish(work, task, [why, ...advice, spentOf(task)].join("\n\n"));
}

function adviceFor(work: Work, task: Task, { code }: Failure): string[] {
  const { agent: { id } } = work.ctx;
  const mount = task.phase === "write" ? "/compute" : "/containers";
  const left = leftOf(work, task);
  const own = left === undefined
    ? []
    : [`Of max_cost_micro_usd in my config, ${left} micro-USD are left for this task.`];
  switch (code) {
    case "invalid_request":
      return own;
    case "budget_exceeded":
    case "max_cost_required":
      return [
        ...own,
        `An operator sees what I may spend with: agentd budget ${id}; and raises it with: agentd budget ${id} ` +
        `--set '$1/day' --mount ${mount}`,
      ];
    case "approval_required":
      return [
        "An operator sees what waits with: agentd approvals. After the yes, send me the task again.",
      ];
    case "permission_denied":
      return [
        `An operator sees the rules with: agentd cat ${id}${mount}/policy; and changes them with: agentd write.`,
      ];
    case "provider_unavailable":
      return [
        `An operator sees what is wrong with: agentd doctor, agentd ls ${id}${mount}/providers/`,
      ];
    case "not_found":
      if (task.phase === "write") {
        return [`An operator sees who has models with: agentd ls ${id}/compute/providers/`];
      }
      return ["An operator sees the images that are there with: agentd images."];
    default:
      return [];
  }
}
