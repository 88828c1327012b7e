/**
 * The host for code that is trusted as the runtime itself is: built-in agents, tests, embedding. A handler that overruns its limit loses its context and its
 * tick, but a loop that never awaits cannot be stopped here: it holds the whole process.
 */
import { FileError } from "../fs/error.ts";
import type { Agent } from "../core/agent.ts";
import type { AgentCode, AgentHost, AgentInstance, HookRun } from "../core/host.ts";
import { runHook } from "./handler.ts";
import { guardAgainstLateErrors } from "./life.ts";
import { errorText } from "./log.ts";
import { agentOf, factsOf } from "./module.ts";
import { plainCopy } from "./plain.ts";
import { seedOf } from "./seed.ts";

/** Evaluates a bundled module in this process and answers its exports. */
export type ModuleLoader = (source: Uint8Array, digest: string) => Promise<unknown>;

/**
 * @param builtins by the name under which they are created
 * @param loadModule for modules that are not built in; without it they are refused, as they belong into a process of their own
 */
export function inlineHost(
  builtins: Readonly<Record<string, Agent>>,
  loadModule?: ModuleLoader,
): AgentHost {
  guardAgainstLateErrors();
  return {
    async start(code) {
      const what = code.kind === "builtin" ? code.name : code.digest;
      const agent = await load(code, builtins, loadModule);
      return instance(agent, what);
    },
  };
}

async function load(
  code: AgentCode,
  builtins: Readonly<Record<string, Agent>>,
  loadModule: ModuleLoader | undefined,
): Promise<Agent> {
  if (code.kind === "builtin") {
    const agent = Object.hasOwn(builtins, code.name) ? builtins[code.name] : undefined;
    if (agent) return agent;
    const detail = `no such built-in agent; there are ${
      Object.keys(builtins).join(", ") || "none"
    }`;
    throw new FileError("not_found", "load", code.name, { detail });
  }
  if (!loadModule) {
    const detail = "only built-in agents run inline; a module needs a process of its own";
    throw new FileError("not_supported", "load", code.digest, { detail });
  }
  const source = await code.source();
  let exports: unknown;
  try {
    exports = await loadModule(source, code.digest);
  } catch (error) {
    const detail = `it does not load: ${errorText(error)}`;
    throw new FileError("agent_error", "load", code.digest, { detail, cause: error });
  }
  return agentOf(exports, code.digest);
}

function instance(agent: Agent, what: string): AgentInstance {
  const { name, version, hooks } = factsOf(agent, what);
  let alive = true;
  return {
    name,
    version,
    hooks,
    get alive() {
      return alive;
    },
    run(run, port) {
      if (alive) return runHook(agent, ownCopy(run), port, () => seedOf(run));
      const detail = "the agent was stopped";
      return Promise.reject(new FileError("not_ready", "run", run.agent.id, { detail }));
    },
    stop() {
      alive = false;
      return Promise.resolve();
    },
  };
}

/** What a handler changes in its trigger or configuration must not be there at its next try. */
function ownCopy(run: HookRun): HookRun {
  return {
    ...run,
    agent: plainCopy(run.agent),
    ...(run.trigger ? { trigger: plainCopy(run.trigger) } : {}),
    ...(run.error ? { error: plainCopy(run.error) } : {}),
  };
}
