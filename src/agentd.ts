/** Wiring: a backend, a signer, agents and hosts become a runtime with the standard services. */
import type { Agent } from "./core/agent.ts";
import type { Backend } from "./core/backend.ts";
import type { AgentHost } from "./core/host.ts";
import type { ComputeProviders } from "./core/compute.ts";
import type { ContainerProviders } from "./core/containers.ts";
import type { Meter } from "./core/meter.ts";
import type { Secrets } from "./core/secrets.ts";
import type { DirectoryProvider, SigningService } from "./core/provider.ts";
import type { HttpProvider } from "./core/net.ts";
import type { Runtime } from "./core/runtime.ts";
import type { ServiceTable } from "./core/view.ts";
import type { Tracer } from "./core/tracer.ts";
import { startRuntime } from "./core/engine.ts";
import { builtins as standard } from "./agents/mod.ts";
import { inlineHost } from "./hosts/inline.ts";
import { NO_CONTAINERS, NO_HTTP, NO_PROVIDERS, NO_SECRETS } from "./core/nothing_sold.ts";
import { servicesWith } from "./services/mod.ts";

export interface AgentdOptions {
  readonly backend: Backend;
  readonly signer: SigningService;
  /** Beside the built-in ones, or in place of those of the same name. They are trusted as the program itself. */
  readonly agents?: Readonly<Record<string, Agent & { readonly about?: string }>>;
  /** Beside the standard ones, or in place of those of the same path. */
  readonly services?: ServiceTable;
  /** Where agents run that are not built in; without one such an agent is refused. */
  readonly moduleHost?: AgentHost;
  /** Gives agents directories of the host; without it there are none to mount. */
  readonly directories?: DirectoryProvider;
  /** Who sells model calls; nobody if absent. They are closed by whoever opened them. */
  readonly compute?: ComputeProviders;
  /** Who runs containers; nobody if absent. They are closed by whoever opened them. */
  readonly containers?: ContainerProviders;
  /** Secrets that services may use for agents; none if absent. */
  readonly secrets?: Secrets;
  /** The way to the web; nowhere if absent. */
  readonly http?: HttpProvider;
  /** Told of what no caller waits for. */
  readonly onError?: (error: unknown) => void;
  /** Counts ticks, envelopes and commits. */
  readonly meter?: Meter;
  /** Keeps spans of ticks and of what agents call in them. */
  readonly tracer?: Tracer;
}

/** Starts a runtime; everything that an earlier one left on the same rows goes on. */
export async function createAgentd(options: AgentdOptions): Promise<Runtime> {
  const agents: Record<string, Agent & { readonly about?: string }> = {
    ...standard(options.backend),
    ...options.agents,
  };
  return await startRuntime({
    backend: options.backend,
    signer: options.signer,
    services: {
      ...servicesWith({
        compute: options.compute ?? NO_PROVIDERS,
        containers: options.containers ?? NO_CONTAINERS,
        secrets: options.secrets ?? NO_SECRETS,
        http: options.http ?? NO_HTTP,
        clock: options.backend,
      }),
      ...options.services,
    },
    directories: options.directories,
    host: hostFor(inlineHost(agents), options.moduleHost),
    builtins: Object.entries(agents).map(([name, { about }]) => ({ name, about: about ?? "" })),
    onError: options.onError ?? (() => {}),
    meter: options.meter,
    tracer: options.tracer,
    redactor: options.secrets?.redactor,
  });
}

/** Built-in agents run inline; modules in a host that keeps them apart, or nowhere. */
function hostFor(inline: AgentHost, modules: AgentHost | undefined): AgentHost {
  return {
    start: (code, limits) =>
      (code.kind === "builtin" ? inline : modules ?? inline).start(code, limits),
  };
}
