/** What an agent reads of its own files and triggers where it may be that nothing is there. */
import { codeOf } from "../../fs/error.ts";
import type { AgentContext } from "../../core/agent.ts";

/** Undefined: there is no such file. */
export async function found<T>({ env }: AgentContext, path: string): Promise<T | undefined> {
  try {
    return await env.readJson<T>(path);
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
  }
}

/** The fields of what may be no object. */
export function fieldsOf(data: unknown): { readonly [name: string]: unknown } {
  return typeof data === "object" && data !== null ? data as Record<string, unknown> : {};
}

/** Ends a job that is not waited for any more; one that cannot be ended goes on. */
export async function cancel(
  { env, signal, log }: AgentContext,
  ctl: string,
  word: string,
): Promise<void> {
  try {
    await env.write(ctl, word);
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn(`${ctl} does not take ${word}:`, error);
  }
}
