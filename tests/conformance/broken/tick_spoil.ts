/** Ways to spoil a runtime on purpose, in the parts that it is made of, so that the laws of ticks can be shown to bite. */
import type { Subject } from "../../../conformance/law.ts";
import { memoryTicks } from "../../../conformance/memory.ts";
import type { Parts, TickSubject } from "../../../conformance/ticks.ts";
import type { Backend, Owner } from "../../../src/core/backend.ts";
import { startRuntime } from "../../../src/core/engine.ts";
import type {
  AgentHost,
  AgentInstance,
  HookResult,
  HookRun,
  TickPort,
} from "../../../src/core/host.ts";
import type { SigningService } from "../../../src/core/provider.ts";
import type { CreateRequest, Runtime } from "../../../src/core/runtime.ts";
import type { AgentStorage, Batch, Row } from "../../../src/core/storage.ts";
import type { AgentView, ServiceTable } from "../../../src/core/view.ts";
import { inlineHost } from "../../../src/hosts/inline.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { services } from "../../../src/services/mod.ts";

/** What is put in place of a good part. */
export interface TickSpoil {
  readonly backend?: (backend: Backend) => Backend;
  readonly host?: (host: AgentHost, parts: Parts) => AgentHost;
  readonly view?: (view: AgentView, parts: Parts) => Partial<AgentView>;
  /** Beside the standard ones. */
  readonly services?: ServiceTable;
  readonly signer?: (
    signer: SigningService,
    secrets: readonly Uint8Array[],
  ) => Partial<SigningService>;
  readonly runtime?: (runtime: Runtime, parts: Parts) => Partial<Runtime>;
}

/** Its name, the ids of the laws that it breaks among others, and how. */
export type BrokenTicks = readonly [string, string, () => TickSpoil];

export function spoiltTicks(name: string, spoil: TickSpoil): Subject<TickSubject> {
  return memoryTicks(name, {
    signer(random) {
      const secrets: Uint8Array[] = [];
      const good = memorySigner((length) => {
        const secret = random(length);
        secrets.push(secret.slice());
        return secret;
      });
      return { ...good, ...spoil.signer?.(good, secrets) };
    },
    async begin(given) {
      const backend = spoil.backend?.(given.backend) ?? given.backend;
      const parts = { ...given, backend };
      const host = inlineHost(parts.agents);
      const runtime = await startRuntime({
        ...parts,
        services: spoiltServices(
          { ...services, ...parts.services, ...spoil.services },
          spoil,
          parts,
        ),
        host: spoil.host?.(host, parts) ?? host,
        builtins: Object.keys(parts.agents).map((name) => ({ name, about: "" })),
      });
      return { ...runtime, ...spoil.runtime?.(runtime, parts) };
    },
  });
}

function spoiltServices(
  table: ServiceTable,
  { view: spoil }: TickSpoil,
  parts: Parts,
): ServiceTable {
  if (!spoil) return table;
  return Object.fromEntries(
    Object.entries(table).map(([path, row]) => [
      path,
      { ...row, service: (view: AgentView) => row.service({ ...view, ...spoil(view, parts) }) },
    ]),
  );
}

/** Storages whose batches are changed on their way; undefined: the batch is lost. */
export function commits(
  spoil: (batch: Batch, owner: Owner) => Batch | undefined,
): NonNullable<TickSpoil["backend"]> {
  return storages((storage, owner) => ({
    async commit(batch) {
      const spoilt = spoil(batch, owner);
      if (spoilt) await storage.commit(spoilt);
    },
  }));
}

/** Storages that are spoilt. */
export function storages(
  spoil: (storage: AgentStorage, owner: Owner) => Partial<AgentStorage>,
): NonNullable<TickSpoil["backend"]> {
  return (backend) => ({
    ...backend,
    storage(owner) {
      const storage = backend.storage(owner);
      return { ...storage, ...spoil(storage, owner) };
    },
  });
}

/** Puts of rows that begin so are lost. */
export function losesRows(...prefixes: string[]): TickSpoil {
  const lost = (key: string) => prefixes.some((prefix) => key.startsWith(prefix));
  return {
    backend: commits((batch) => ({ ...batch, put: batch.put.filter(({ key }) => !lost(key)) })),
  };
}

/** Rows that begin so are never removed. */
export function keepsRows(...prefixes: string[]): TickSpoil {
  const kept = (key: string) => prefixes.some((prefix) => key.startsWith(prefix));
  return {
    backend: commits((batch) => ({ ...batch, remove: batch.remove.filter((key) => !kept(key)) })),
  };
}

/** Listings of rows that begin so are spoilt. */
export function lists(prefix: string, spoil: (rows: Row[]) => Row[]): TickSpoil {
  return {
    backend: storages((storage) => ({
      async list(range) {
        const rows = await storage.list(range);
        return range.prefix.startsWith(prefix) ? spoil(rows) : rows;
      },
    })),
  };
}

type Next = (run: HookRun, port: TickPort) => Promise<HookResult>;

/** Instances whose hooks are run in another way. */
export function hooks(
  spoil: (next: Next, run: HookRun, port: TickPort, parts: Parts) => Promise<HookResult>,
): TickSpoil {
  return instances((instance, parts) => ({
    run: (run, port) => spoil((run, port) => instance.run(run, port), run, port, parts),
  }));
}

/** Instances that are spoilt. */
export function instances(
  spoil: (instance: AgentInstance, parts: Parts) => Partial<AgentInstance>,
): TickSpoil {
  return {
    host: (host, parts) => ({
      async start(code, limits) {
        const instance = await host.start(code, limits);
        const changed = spoil(instance, parts);
        // `alive` is asked again each time: a copy would live for ever.
        return Object.create(instance, Object.getOwnPropertyDescriptors(changed));
      },
    }),
  };
}

/** Ports that do other things than they say. */
export function ports(
  spoil: (port: TickPort, run: HookRun, parts: Parts) => Partial<TickPort>,
): TickSpoil {
  return hooks((next, run, port, parts) => next(run, { ...port, ...spoil(port, run, parts) }));
}

/** Agents that are made otherwise than asked for. */
export function requests(spoil: (request: CreateRequest) => CreateRequest): TickSpoil {
  return { runtime: (runtime) => ({ create: (request) => runtime.create(spoil(request)) }) };
}

/** Views of which one part is spoilt. */
export function views(
  spoil: (view: AgentView, parts: Parts) => Partial<AgentView>,
): TickSpoil {
  return { view: spoil };
}
