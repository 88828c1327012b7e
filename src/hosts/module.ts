/** What an agent's module must be like before any of it is run as an agent. */
import { FileError } from "../fs/error.ts";
import type { Agent } from "../core/agent.ts";
import type { Hook } from "../core/host.ts";
import { nameKind } from "./plain.ts";

export const MAX_NAME_CHARS = 200;

export const HOOKS: readonly Hook[] = [
  "onCreate",
  "onWake",
  "onTrigger",
  "onSleep",
  "onError",
  "onTerminate",
  "migrate",
];

/** What the engine learns of a loaded agent. */
export interface AgentFacts {
  readonly name: string;
  readonly version: number;
  readonly hooks: readonly Hook[];
}

/** The agent that a module exports. @throws FileError `agent_error` that says what is missing */
export function agentOf(exports: unknown, what: string): Agent {
  const agent = (exports as { default?: unknown } | null | undefined)?.default;
  if (agent === undefined) {
    throw fault(
      what,
      "it has no default export; an agent's module has `export default { name, onTrigger }`",
    );
  }
  factsOf(agent, what);
  return agent as Agent;
}

/** Name, version and hooks of what claims to be an agent. @throws FileError `agent_error` that says what is wrong */
export function factsOf(value: unknown, what: string): AgentFacts {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fault(what, `default export is ${nameKind(value)}; an agent is an object with onTrigger`);
  }
  const agent = value as Record<string, unknown>;
  for (const hook of HOOKS) {
    if (agent[hook] !== undefined && typeof agent[hook] !== "function") {
      throw fault(what, `default export's ${hook} is ${nameKind(agent[hook])}; it is a function`);
    }
  }
  if (agent.onTrigger === undefined) throw fault(what, "default export has no onTrigger");
  return {
    name: nameOf(agent, what),
    version: versionOf(agent, what),
    hooks: hooksOf(agent, what),
  };
}

function hooksOf(agent: Record<string, unknown>, what: string): Hook[] {
  const schema = agent.state as { "~standard"?: { validate?: unknown } } | undefined;
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    const detail = `default export's state is ${nameKind(schema)}; ` +
      "it is a validator that speaks Standard Schema, as z.object({ … }) does";
    throw fault(what, detail);
  }
  return HOOKS.filter((hook) => agent[hook] !== undefined);
}

function nameOf(agent: Record<string, unknown>, what: string): string {
  const { name } = agent;
  if (typeof name === "string" && name !== "" && name.length <= MAX_NAME_CHARS) return name;
  throw fault(what, `default export's name is a string of 1 to ${MAX_NAME_CHARS} characters`);
}

function versionOf(agent: Record<string, unknown>, what: string): number {
  const { version = 1 } = agent;
  if (typeof version === "number" && Number.isSafeInteger(version) && version >= 1) return version;
  throw fault(what, "default export's version is a whole number from 1");
}

function fault(what: string, detail: string): FileError {
  return new FileError("agent_error", "load", what, { detail });
}
