/** A control plane with hooks over a runtime in memory, and senders that sign. */
import { createAgentd } from "../../../src/agentd.ts";
import { type ManualClock, manualClock } from "../../../src/backends/manual_clock.ts";
import { memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import type { Backend } from "../../../src/core/backend.ts";
import { digest } from "../../../src/core/code.ts";
import { type AgentId, agentId } from "../../../src/core/id.ts";
import { HOOKS } from "../../../src/core/keys.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { type App, type AuthOptions, createApp, type Peer } from "../../../src/http/app.ts";
import { declaredHooks } from "../../../src/http/hooks/hook.ts";
import { openHooks, type SecretFile } from "../../../src/http/hooks/store.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { TOKEN } from "../served.ts";

export const SECRET = "a secret of enough characters";
export const BOB = agentId("bob");
export const FAR: Peer = { local: false, transport: "tcp", address: "203.0.113.9" };

/** Remembers what it was told, and answers the kind of event. */
export const listener: Agent = {
  name: "listener",
  async onTrigger(ctx, trigger) {
    const { meta } = trigger;
    const heard = { ...trigger, meta: { ...meta, created_at: 0 } };
    await ctx.kv.set("heard", JSON.parse(JSON.stringify(heard)));
    ctx.state.count = (ctx.state.count ?? 0) + 1;
  },
};

export interface World {
  readonly app: App;
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly clock: ManualClock;
  readonly secrets: Map<string, string>;
  readonly errors: unknown[];
  /** As the operator, as JSON. */
  ask(method: string, path: string, body?: unknown): Promise<Response>;
  /** The agent's last trigger, once it has ticked `count` times. */
  heard(count: number): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly auth?: Partial<AuthOptions>;
  readonly backend?: Backend;
  readonly secrets?: Map<string, string>;
  /** As they stand in the server's settings. */
  readonly declared?: Readonly<Record<string, unknown>>;
  /** What references stand for. */
  readonly values?: Readonly<Record<string, string>>;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const clock = manualClock(Date.UTC(2026, 0, 2, 3, 4, 5));
  const backend = options.backend ?? memoryBackend(clock);
  const secrets = options.secrets ?? new Map<string, string>();
  const errors: unknown[] = [];
  const report = (error: unknown) => void errors.push(error);
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { listener },
    onError: report,
  });
  const hooks = await openHooks({
    storage: backend.storage(HOOKS),
    secrets: inMap(secrets),
    resolve: (of) => Promise.resolve(options.values?.["env" in of ? of.env : of.file]),
    now: clock.now,
    declared: declaredHooks(options.declared ?? {}),
    report,
  });
  const auth = { tokenDigest: digest(TOKEN), ...options.auth };
  const app = createApp({ runtime, auth, clock, hooks, report });
  await runtime.create({ id: BOB, agent: "listener" });
  return {
    app,
    runtime,
    backend,
    clock,
    secrets,
    errors,
    ask: (method, path, body) =>
      app(
        new Request(`http://localhost${path}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}` },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
        FAR,
      ),
    async heard(count) {
      await ticked(runtime, BOB, count);
      const files = await runtime.files(BOB, { viewer: "operator", name: "operator" });
      const handle = await files.open("/kv/heard", "read");
      return JSON.parse(new TextDecoder().decode(await handle.read()));
    },
    close: () => runtime.stop(0),
  };
}

/** A file of secrets as it is on a machine, in a map. */
export function inMap(secrets: Map<string, string>): SecretFile {
  return {
    get: (name) => Promise.resolve(secrets.get(name)),
    set: (name, value) => Promise.resolve(void secrets.set(name, value)),
    remove: (name) => Promise.resolve(void secrets.delete(name)),
  };
}

async function ticked(runtime: Runtime, id: AgentId, count: number): Promise<void> {
  while ((await runtime.info(id)).tick_count < count) await new Promise((r) => setTimeout(r));
}

export async function hmac(secret: string, ...parts: (string | Uint8Array)[]): Promise<Uint8Array> {
  const bytes = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  const raw = new TextEncoder().encode(secret);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
}

/** As GitHub sends. */
export async function github(
  body: string,
  { secret = SECRET, delivery = "7d0f1e9c-0001", event = "push", type = "application/json" } = {},
): Promise<RequestInit> {
  return {
    method: "POST",
    body,
    headers: {
      "content-type": type,
      "x-github-event": event,
      "x-github-delivery": delivery,
      "x-hub-signature-256": `sha256=${(await hmac(secret, body)).toHex()}`,
    },
  };
}

export function send(app: App, path: string, init: RequestInit, peer = FAR): Promise<Response> {
  return app(new Request(`http://localhost${path}`, init), peer);
}
