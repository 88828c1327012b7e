/** What an agent waits for between its ticks, and how long it has patience with those who are away or were cut off. */
import { z } from "zod";
import { codeOf, type FileError } from "../../fs/error.ts";
import type { AgentContext } from "../../core/agent.ts";

/** How often one thing is asked for again of which nobody knows the end. */
const MAX_REPEATS = 3;
/** How long somebody is waited for who is being looked for, or who was there at the last step. */
const LATER_MS: readonly number[] = [500, 2_000, 8_000];

export const waitsForJob = z.object({ kind: z.literal("job"), id: z.string() });
/** A tick that an alarm brings, to ask anew. `due` in milliseconds since the Unix epoch. */
export const waitsForTick = z.object({ kind: z.literal("tick"), due: z.number() });

/** Counts of one question or task. */
export const patience = {
  /** Requests so far. */
  steps: z.number().int(),
  /** How often in a row a request was made again, as nobody knows how it ended. */
  repeats: z.number().int(),
  /** How often in a row nobody was there to be asked. */
  absences: z.number().int(),
};

/** A question or a task that may wait. */
export interface Waiter {
  readonly envelope_id: string;
  readonly steps: number;
  repeats: number;
  absences: number;
  waits: { readonly kind: string; readonly due?: number } | null;
}

/** Nobody knows how the last request ended. False: it has been made again often enough. */
export function mayRepeat(waiter: Waiter): boolean {
  if (waiter.repeats >= MAX_REPEATS) return false;
  waiter.repeats++;
  return true;
}

/** Waits a little for who is away. False: that was done often enough. */
export async function waitForAbsent(ctx: AgentContext, waiter: Waiter): Promise<boolean> {
  const delayMs = LATER_MS[waiter.absences];
  if (delayMs === undefined) return false;
  waiter.absences++;
  await waitForTick(ctx, waiter, delayMs);
  return true;
}

/** Its alarm says whom it is for: `{ go_on: <envelope id> }`. */
export async function waitForTick(
  ctx: AgentContext,
  waiter: Waiter,
  delayMs: number,
): Promise<void> {
  waiter.waits = { kind: "tick", due: ctx.now() + delayMs };
  await ctx.alarm(delayMs, { go_on: waiter.envelope_id });
}

/** The alarm has come, or should have. */
export function goOn(waiter: Waiter | null | undefined): void {
  if (waiter?.waits?.kind === "tick") waiter.waits = null;
}

/**
 * After a start, who sells is being looked for: a question in the middle of its steps waits for who was there before, a new one for a
 * moment, or all that wait would be told that there is nobody.
 */
export function mayComeBack({ steps, absences }: Waiter, error: unknown): boolean {
  const code = codeOf(error);
  if (code !== "provider_unavailable" && code !== "not_found") return false;
  return steps > 0 || absences === 0 || (error as FileError).extra?.retryable === true;
}
