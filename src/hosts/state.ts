/** An agent's state between its row and its handler: plain JSON, of the schema's form, no larger than its limit. */
import { FileError } from "../fs/error.ts";
import type { AgentState, StandardSchema } from "../core/agent.ts";
import { nameKind, placeIn, plainFault } from "./plain.ts";

/**
 * The state that a hook begins with: what is stored, or what the schema makes of `{}`. A stored state goes through the schema
 * as well, so that fields which the code got since then have their defaults.
 * @throws FileError `agent_error` when the schema refuses it, `corrupt` when it is no JSON object
 */
export async function loadState(
  json: string | undefined,
  schema: StandardSchema | undefined,
): Promise<AgentState> {
  if (json !== undefined) {
    return asObject(await validated(parseState(json), schema, "load"), "load");
  }
  const hint = "a new agent's state is what the schema makes of {}, so give its fields defaults";
  return asObject(await validated({}, schema, "make", hint), "make");
}

/** The stored state as it is, unvalidated: what `migrate` is given. @throws FileError `corrupt` */
export function parseState(json: string): AgentState {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as AgentState;
    }
  } catch {
    // Told below: it is not a state, in whatever way.
  }
  const detail = "the stored state is not a JSON object";
  throw new FileError("corrupt", "load", "state", { detail });
}

/**
 * The state as JSON, after the schema has seen it.
 * @throws FileError `agent_error` that names the path inside the state, or the size and the limit
 */
export async function sealState(
  state: unknown,
  schema: StandardSchema | undefined,
  maxBytes: number,
): Promise<string> {
  const value = asObject(await validated(state, schema, "keep"), "keep");
  const wrong = plainFault("state", value, maxBytes);
  if (wrong?.kind === "too_large") throw tooLarge(wrong.detail, maxBytes);
  if (wrong) throw fault("keep", wrong.detail);
  const json = JSON.stringify(value);
  // A UTF-16 unit is at most three bytes of UTF-8, so most states need no second look.
  if (json.length * 3 > maxBytes) {
    const bytes = new TextEncoder().encode(json).length;
    if (bytes > maxBytes) throw tooLarge(`${bytes} bytes`, maxBytes);
  }
  return json;
}

function asObject(value: unknown, op: string): AgentState {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as AgentState;
  }
  throw fault(op, `state is ${nameKind(value)}; a state is an object`);
}

async function validated(
  value: unknown,
  schema: StandardSchema | undefined,
  op: string,
  hint?: string,
): Promise<unknown> {
  if (!schema) return value;
  const result = await schema["~standard"].validate(value);
  if (!result.issues) return result.value;
  const [issue] = result.issues;
  const trail = (issue?.path ?? []).map((step) =>
    asStep(typeof step === "object" ? step.key : step)
  );
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : "";
  const what = `${placeIn("state", trail)}: ${issue?.message ?? "not of the schema's form"}${more}`;
  throw fault(op, hint ? `${what}; ${hint}` : what);
}

function asStep(step: PropertyKey): string | number {
  return typeof step === "symbol" ? String(step) : step;
}

function fault(op: string, detail: string): FileError {
  return new FileError("agent_error", op, "state", { detail });
}

function tooLarge(size: string, maxBytes: number): FileError {
  const detail = `it is ${size}, and max_state_bytes is ${maxBytes}; keep large things in files`;
  return new FileError("agent_error", "keep", "state", { detail, extra: { limit: maxBytes } });
}
