/** What an agent's process reports of itself, looked at as what a hostile process may say. */
import { type Code, FileError } from "../../fs/error.ts";
import type { HookResult, HookRun } from "../../core/host.ts";
import { cut } from "../log.ts";
import { type AgentFacts, HOOKS, MAX_NAME_CHARS } from "../module.ts";
import type { Locate } from "../source_map.ts";
import { ownFrames, placeOf } from "../stack.ts";
import type { Message } from "./channel.ts";
import { bytesText, errorOf, strangeJson } from "./values.ts";
import { breach, type Head } from "./wire.ts";

const MAX_DETAIL_CHARS = 10 * 1024;
const MAX_STACK_CHARS = 8 * 1024;
/** What an agent's code may say of its own failure. */
const OWN_CODES: readonly Code[] = ["agent_error", "out_of_memory", "corrupt"];

/** @throws breach */
export function agentFacts({ name, version, hooks }: Head): AgentFacts {
  if (typeof name !== "string" || name === "" || name.length > MAX_NAME_CHARS) {
    throw breach("an agent without a name");
  }
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) {
    throw breach("an agent without a version");
  }
  if (!Array.isArray(hooks)) throw breach("an agent without hooks");
  return { name, version, hooks: HOOKS.filter((hook) => hooks.includes(hook)) };
}

/** @throws breach unless the state is a JSON object that the rest of the runtime can take apart */
export function hookResult({ head, body }: Message): HookResult {
  const { should_hibernate, pending } = head;
  if (typeof should_hibernate !== "boolean" || typeof pending !== "boolean" || !body) {
    throw breach("a result that is none");
  }
  const value = strangeJson(body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw breach("a state that is no object");
  }
  return { state: bytesText(body), should_hibernate, pending };
}

/** How a hook failed, in its agent's words. */
export function agentFailure(head: Head, hook: HookRun, locate: Locate): FileError {
  return failure(head, "run", `${hook.agent.id} ${hook.hook}`, locate);
}

export function loadFailure(head: Head, digest: string, locate: Locate): FileError {
  return failure(head, "load", digest, locate);
}

function failure(head: Head, op: string, path: string, locate: Locate): FileError {
  const { code, detail } = errorOf(head.error);
  const stack = typeof head.stack === "string" ? cut(head.stack, MAX_STACK_CHARS) : undefined;
  const frames = ownFrames(stack ?? "", locate);
  const where = frames[0] === undefined ? "" : ` (${placeOf(frames[0])})`;
  return new FileError(OWN_CODES.includes(code) ? code : "agent_error", op, path, {
    detail: cut(detail ?? "it failed without a word", MAX_DETAIL_CHARS) + where,
    ...(frames.length > 0 ? { extra: { stack: frames } } : {}),
    ...(stack === undefined ? {} : { cause: stack }),
  });
}
