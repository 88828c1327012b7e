/** A running server: the database, the runtime and the control plane of one data directory, listening; and how they stop. */
import { join } from "node:path";
import { createAgentd } from "../agentd.ts";
import { type LocalBackend, openLocal } from "../backends/local/sqlite.ts";
import { digest } from "../core/code.ts";
import type { ComputeProviders } from "../core/compute.ts";
import type { ContainerProviders } from "../core/containers.ts";
import { HOOKS } from "../core/keys.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Redactor } from "../core/redact.ts";
import { openSecrets, type Secrets } from "../core/secrets.ts";
import { codeOf, FileError, hasCode } from "../fs/error.ts";
import { type App, createApp, type Peer } from "../http/app.ts";
import { declaredHooks } from "../http/hooks/hook.ts";
import { openHooks } from "../http/hooks/store.ts";
import { createMetrics } from "../http/metrics.ts";
import { type ProcessHost, processHost } from "../hosts/process.ts";
import { computeProviders } from "../providers/compute/mod.ts";
import { containerProviders } from "../providers/containers/mod.ts";
import { localDirectories } from "../providers/directory/provider.ts";
import { httpClient } from "../providers/http/client.ts";
import { secretFile as fileOfSecrets } from "../providers/secrets/file.ts";
import { openKeyFile } from "../providers/signer/keyfile.ts";
import { databaseCopies, removeCopies } from "./database_copy.ts";
import { type Home, ownToken, removeQuietly } from "./home.ts";
import { type Address, isLoopback, listen, type Listening, urlOf } from "./listen.ts";
import { heldBy, type HeldNote, holdNote } from "./note.ts";
import { processStats } from "./process_stats.ts";
import { resolveSecret, secretFile } from "./secret_file.ts";
import type { Settings } from "./settings.ts";
import { tracerOf } from "./tracing.ts";

const KEYS = "keys";
const SECRETS = "secrets";
const RUNTIME_KEY = "runtime_key";
const LABEL_CHARS = 32;
/** Requests get so much of the time to stop; the rest is for the ticks that run. */
const REQUESTS_SHARE = 0.5;

export interface ServerOptions {
  readonly home: Home;
  readonly address: Address;
  readonly settings: Settings;
  readonly version: string;
  readonly env: (name: string) => string | undefined;
  /** Told of errors that no caller gets. */
  readonly report: (error: unknown) => void;
}

export interface Server {
  readonly runtime: Runtime;
  readonly address: Address;
  readonly url: string;
  /** The token is asked for on this machine too. */
  readonly requiresToken: boolean;
  /** Takes no more requests, lets ticks end within `graceMs`, closes the database. */
  stop(graceMs: number): Promise<void>;
  /** What must not be left behind when the process ends at once. */
  abandon(): void;
}

/**
 * Takes the data directory, then the address, then lets agents run: requests that come before wait.
 * @throws an error that names who has the directory or the address
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { home, settings } = options;
  const backend = await openLocal(home.dir).catch((error) => {
    throw heldBy(home, error);
  });
  const undo: (() => Promise<void> | void)[] = [() => backend.close()];
  try {
    const note = await holdNote(home);
    undo.unshift(note.remove);
    removeCopies(home);
    const token = ownToken(home);
    const requiresToken = settings.require_token || isOpen(options.address);
    const hooks = await openHooks({
      storage: backend.storage(HOOKS),
      secrets: secretFile(home),
      declared: declaredHooks(settings.hooks),
      resolve: (reference) => Promise.resolve(resolveSecret(reference, options.env)),
      now: backend.now,
      report: options.report,
    });
    const secrets = await openSecrets(
      fileOfSecrets({ secrets: join(home.dir, SECRETS), key: join(home.dir, RUNTIME_KEY) }),
      backend.now,
    );
    const report = withoutSecrets(options.report, secrets.redactor);
    const stopping = new AbortController();
    const app = Promise.withResolvers<App>();
    app.promise.catch(() => {});
    const listening = await listen(
      options.address,
      serving(options.address, app.promise),
      options.report,
    );
    undo.unshift(() => listening.cut());
    const metrics = createMetrics({ version: options.version, process: processStats });
    const tracer = await tracerOf(options.version);
    const tracing = tracer ? { tracer } : {};
    const host = processHost();
    undo.unshift(() => host.stop());
    const compute = computeProviders({
      ...computeOf(settings),
      world: { fetch, now: backend.now, timer: backend.timer },
      secret: (name) => secretFor(secrets, name),
      own: () => ownUrls(listening.address),
    });
    undo.unshift(() => compute.close());
    const containers = containerProviders({ ...settings.containers, home: labelOf(home) });
    undo.unshift(() => containers.close());
    const runtime = await createAgentd({
      backend,
      compute,
      containers,
      secrets,
      http: httpClient(),
      meter: metrics.meter,
      ...tracing,
      signer: await openKeyFile(join(home.dir, KEYS)),
      moduleHost: host,
      directories: localDirectories({ never: [home.dir] }),
      onError: report,
    }).catch((error) => {
      app.reject(error);
      throw error;
    });
    // By now whoever goes on has said which containers are its own.
    sweepAll(containers, report);
    app.resolve(createApp({
      runtime,
      auth: {
        tokenDigest: digest(token),
        requireToken: requiresToken,
        hosts: [...settings.allow_host, ...hostsOf(options.address)],
      },
      clock: backend,
      stopping: stopping.signal,
      backup: databaseCopies(home, backend),
      hooks,
      secrets: lookingAgain(secrets, compute, report),
      containers,
      version: options.version,
      metrics,
      ...tracing,
      report,
    }));
    const url = urlOf(listening.address);
    note.tell({
      url,
      pid: Deno.pid,
      started_at: new Date(backend.now()).toISOString(),
      version: options.version,
    });
    return {
      runtime,
      address: listening.address,
      url,
      requiresToken,
      stop: (graceMs) =>
        stop({ stopping, listening, runtime, compute, containers, host, note, backend }, graceMs),
      abandon() {
        note.remove();
        if (listening.address.kind === "unix") removeQuietly(listening.address.path);
      },
    };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** Settings as they stand in the file, with the servers that a flag or a variable names. */
function computeOf({ compute, model_server }: Settings): Record<string, unknown> {
  const { servers } = compute as { readonly servers?: unknown };
  const named = model_server.map((url, n) => n === 0 ? { url } : { id: `local-${n + 1}`, url });
  return { ...compute, servers: [...Array.isArray(servers) ? servers : [], ...named] };
}

/** Tells this data directory's containers from those of others on the same engine, by whatever name it is reached. */
function labelOf(home: Home): string {
  return digest(Deno.realPathSync(home.dir)).slice(0, LABEL_CHARS);
}

/** Containers of an earlier life that nobody goes on with; where there is no engine, there are none. */
function sweepAll(containers: ContainerProviders, report: (error: unknown) => void): void {
  for (const one of containers.list()) {
    one.sweep().catch((error) => {
      if (!hasCode(error, "provider_unavailable")) report(error);
    });
  }
}

/** Keys of sellers are the runtime's own: no agent is told them. */
function secretFor(secrets: Secrets, name: string): string | undefined {
  try {
    return secrets.use(name, { mount: "/compute" });
  } catch {
    return undefined;
  }
}

/** Who sells by key is looked at again as soon as the key is there. */
function lookingAgain(
  secrets: Secrets,
  compute: ComputeProviders,
  report: (error: unknown) => void,
): Secrets {
  const look = () => void compute.refresh().catch(report);
  return {
    ...secrets,
    async set(name, change) {
      const done = await secrets.set(name, change);
      look();
      return done;
    },
    async remove(name) {
      await secrets.remove(name);
      look();
    },
  };
}

function ownUrls(address: Address): string[] {
  return address.kind === "unix" ? [] : [urlOf(address)];
}

/** What is told of errors goes into logs: one that tells a secret is told without it, and without where it was thrown. */
function withoutSecrets(
  report: (error: unknown) => void,
  { text }: Redactor,
): (error: unknown) => void {
  return (error) => {
    const { stack, cause } = error as { stack?: string; cause?: { stack?: string } };
    const all = [String(error), stack, String(cause), cause?.stack].join("\n");
    if (text(all) === all) return report(error);
    const detail = text(error instanceof Error ? error.message : String(error));
    report(new FileError(codeOf(error), "run", "", { detail }));
  };
}

/** Others than this machine's users can reach it. */
export function isOpen(address: Address): boolean {
  return address.kind === "tcp" && !isLoopback(address.hostname);
}

/** The names that an address itself stands for. */
function hostsOf(address: Address): string[] {
  if (address.kind === "unix" || isLoopback(address.hostname)) return [];
  if (address.hostname !== "0.0.0.0" && address.hostname !== "::") return [address.hostname];
  try {
    return Deno.networkInterfaces().map((i) => i.address);
  } catch {
    // Without the permission to look, --allow-host says them.
    return [];
  }
}

function serving(address: Address, ready: Promise<App>) {
  let app: App | undefined;
  const peerOf = peersOf(address);
  return async (request: Request, info: Deno.ServeHandlerInfo<Deno.Addr>) => {
    app ??= await ready;
    return await app(request, peerOf(info));
  };
}

/** On loopback and on a socket every peer is alike; asking for its address would cost at each request. */
function peersOf(address: Address): (info: Deno.ServeHandlerInfo<Deno.Addr>) => Peer {
  if (address.kind === "unix") return () => ({ local: true, transport: "unix" });
  if (!isOpen(address)) {
    const peer: Peer = { local: true, transport: "tcp", address: address.hostname };
    return () => peer;
  }
  return ({ remoteAddr }) => {
    const { hostname } = remoteAddr as Deno.NetAddr;
    return { local: isLoopback(hostname), transport: "tcp", address: hostname };
  };
}

interface Parts {
  readonly stopping: AbortController;
  readonly listening: Listening;
  readonly runtime: Runtime;
  readonly compute: ComputeProviders;
  readonly containers: ContainerProviders;
  readonly host: ProcessHost;
  readonly note: HeldNote;
  readonly backend: LocalBackend;
}

async function stop(parts: Parts, graceMs: number): Promise<void> {
  const { stopping, listening, runtime, compute, containers, host, note, backend } = parts;
  const endMs = backend.now() + graceMs;
  stopping.abort();
  await listening.stop(graceMs * REQUESTS_SHARE);
  await runtime.stop(Math.max(0, endMs - backend.now()));
  await Promise.all([compute.close(), containers.close()]);
  await host.stop();
  // While the database is still ours, so that no other server's note is meant.
  note.remove();
  await backend.close();
}
