/** What the steps of a coder share: its tasks, and how one ends. */
import type { AgentContext } from "../../core/agent.ts";
import { reply } from "../common/reply.ts";
import { mayRepeat, waitForTick } from "../common/waiting.ts";
import type { Config } from "./config.ts";
import type { Memory, Task } from "./memory.ts";

export interface Work {
  readonly ctx: AgentContext<Memory>;
  readonly config: Config;
}

/** A model call or a session that has ended. */
export interface Ended {
  readonly id: string;
  /** Somebody stopped it. */
  readonly isCancelled: boolean;
}

/** The task is over, and this is its answer. */
export async function finish(
  { ctx }: Pick<Work, "ctx">,
  task: Task,
  text: string,
): Promise<void> {
  await ctx.cancelAlarm(task.alarm);
  ctx.state.tasks = ctx.state.tasks.filter((one) => one !== task);
  await reply(ctx, text, task.envelope_id);
}

/** Nobody knows how a request ended, and so it is made again, at once. */
export async function again(work: Work, task: Task, why: string): Promise<void> {
  if (mayRepeat(task)) return;
  const what = task.phase === "write" ? "model calls" : "sessions";
  await finish(work, task, `My ${what} were cut off again and again: ${why}\n\n${spentOf(task)}`);
}

/** The same in the next tick, as this one has begun something that it does not know any more. */
export async function againNextTick(work: Work, task: Task, why: string): Promise<void> {
  await again(work, task, why);
  if (!work.ctx.state.tasks.includes(task)) return;
  task.steps++;
  await waitForTick(work.ctx, task, 0);
}

/** What may still be spent on it; undefined where nothing bounds it but the budget. */
export function leftOf(
  { config: { max_cost_micro_usd } }: Work,
  { spent }: Task,
): number | undefined {
  if (max_cost_micro_usd === undefined) return undefined;
  return Math.max(
    0,
    max_cost_micro_usd - spent.compute.cost_micro_usd - spent.containers.cost_micro_usd,
  );
}

/** `It cost 120 micro-USD: 2 model calls 100, 2 sessions 20.` */
export function spentOf({ spent: { compute, containers } }: Task): string {
  const calls = counted(compute.times, "model call");
  const sessions = counted(containers.times, "session");
  const all = compute.cost_micro_usd + containers.cost_micro_usd;
  if (all === 0) return `It was free: ${calls}, ${sessions}.`;
  return `It cost ${all} micro-USD: ${calls} ${compute.cost_micro_usd}, ` +
    `${sessions} ${containers.cost_micro_usd}.`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
