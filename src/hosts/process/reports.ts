/** What an agent's process reports of itself, looked at as what a hostile process may say. */
import { type Code, FileError } from "../../fs/error.ts";
import type { HookResult, HookRun } from "../../core/host.ts";
import { cut } from "../log.ts";
import { type AgentFacts, HOOKS, MAX_NAME_CHARS } from "../module.ts";
import { plainFault } from "../plain.ts";
import type { Locate } from "../source_map.ts";
import type { Message } from "./channel.ts";
import { bytesText, errorOf } from "./values.ts";
import { breach, type Head } from "./wire.ts";

const MAX_DETAIL_CHARS = 10 * 1024;
const MAX_STACK_CHARS = 8 * 1024;
const MAX_FRAMES = 20;
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
  let state: string;
  let value: unknown;
  try {
    state = bytesText(body);
    value = JSON.parse(state);
  } catch {
    throw breach("a state that is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw breach("a state that is no object");
  }
  if (plainFault("state", value, Infinity)) throw breach("a state that is too deep");
  return { state, should_hibernate, pending };
}

/** How a hook failed, in its agent's words; `stack` says where, in its author's files. */
export function agentFailure(head: Head, hook: HookRun, locate: Locate): FileError {
  return failure(head, "run", `${hook.agent.id} ${hook.hook}`, locate);
}

export function loadFailure(head: Head, digest: string, locate: Locate): FileError {
  return failure(head, "load", digest, locate);
}

function failure(head: Head, op: string, path: string, locate: Locate): FileError {
  const { code, detail } = errorOf(head.error);
  const cause = typeof head.stack === "string" ? cut(head.stack, MAX_STACK_CHARS) : undefined;
  const stack = cause === undefined ? [] : frames(cause, locate);
  return new FileError(OWN_CODES.includes(code) ? code : "agent_error", op, path, {
    detail: cut(detail ?? "it failed without a word", MAX_DETAIL_CHARS),
    ...(cause === undefined ? {} : { cause }),
    ...(stack.length === 0 ? {} : { extra: { stack } }),
  });
}

/** `at Object.onTrigger (agent.js:3:7)`, `at async agent.js:3:7` */
const FRAME =
  /^\s+at (?:async )?(?:(?:Object\.|Module\.)?(.{1,100}?) \()?agent\.js:(\d{1,9}):(\d{1,9})\)?$/;

/** Innermost first: `onTrigger (agent.ts:10:13)`. Of code that came with a map, what the map knows is the author's; of other code, all. */
function frames(stack: string, locate: Locate): string[] {
  const bundled: string[] = [];
  const own: string[] = [];
  for (const text of stack.split("\n").slice(0, MAX_FRAMES)) {
    const [, name, line, column] = FRAME.exec(text) ?? [];
    if (line === undefined) continue;
    const named = (place: string) => name === undefined ? place : `${name} (${place})`;
    bundled.push(named(`agent.js:${line}:${column}`));
    const place = locate(Number(line), Number(column));
    if (place) own.push(named(`${place.file}:${place.line}:${place.column}`));
  }
  return own.length > 0 ? own : bundled;
}
