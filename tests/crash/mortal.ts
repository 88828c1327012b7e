/** Worlds that die: runtimes on rows in memory and on a disk, and hosts of agents. */
import type { HostMortal, Mortal, Outside } from "../../conformance/crash.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import type { Parts } from "../../conformance/ticks/world.ts";
import type { AgentdOptions } from "../../src/agentd.ts";
import { createAgentd } from "../../src/agentd.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { inlineHost, type ModuleLoader } from "../../src/hosts/inline.ts";
import { sqliteTicks } from "../conformance/tick_subjects.ts";

export const BACKENDS = ["memory", "sqlite"] as const;
export type BackendName = typeof BACKENDS[number];

const TICKS = { memory: memoryTicks, sqlite: sqliteTicks };

/** Runtimes that die at a touch of such rows. */
export function mortalOn(name: BackendName): Mortal {
  return (spoil, outside) =>
    TICKS[name](name, {
      begin: (parts) =>
        createAgentd({ ...optionsOf(parts, outside), backend: spoil(parts.backend) }),
    });
}

/** Agents whose host dies at a message, on rows in memory. */
export const mortalHost: HostMortal = (spoil, outside) =>
  memoryTicks("host", {
    async begin(parts) {
      const moduleHost = spoil(inlineHost({}, loaderOf(parts)));
      const runtime = await createAgentd({ ...optionsOf(parts, outside), moduleHost });
      return asModules(runtime);
    },
  });

function optionsOf(parts: Parts, outside: Outside): AgentdOptions {
  const services = { ...parts.services, ...outside.services };
  return { moduleHost: inlineHost({}, loaderOf(parts)), ...parts, ...outside, services };
}

/** A module's first line says which of the agents it is; the rest is what makes it large. */
function loaderOf({ agents }: Parts): ModuleLoader {
  return (source) => {
    const [name = ""] = new TextDecoder().decode(source).split("\n");
    const agent = agents[name];
    return agent ? Promise.resolve({ default: agent }) : Promise.reject(new Error(`no "${name}"`));
  };
}

/** Agents that are made by the name of a built-in one are made of a module, which runs in the host. */
function asModules(runtime: Runtime): Runtime {
  return Object.create(runtime, {
    create: {
      value: (request: Parameters<Runtime["create"]>[0]) =>
        runtime.create(
          typeof request.agent === "string"
            ? { ...request, agent: { code: request.agent } }
            : request,
        ),
    },
  });
}
