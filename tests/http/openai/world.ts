/** A control plane at a real socket, with agents that answer in each way there is. */
import { createAgentd } from "../../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import type { ComputeProvider } from "../../../src/core/compute.ts";
import { digest } from "../../../src/core/code.ts";
import { agentId } from "../../../src/core/id.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import type { Can } from "../../../src/core/tokens.ts";
import { createApp } from "../../../src/http/app.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { compute } from "../../../src/services/compute.ts";
import { sold } from "../../services/compute/scripted.ts";
import { serve, TOKEN } from "../served.ts";

export const VERSION = "1.2.3";

/** Says nothing. */
const silent: Agent = { name: "silent", onTrigger() {} };

/** Replies with the parts of what it was told, one by one. */
const parts: Agent = {
  name: "parts",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    for (const part of trigger.text.split(" ")) await ctx.reply(part);
  },
};

/** Replies with what the conversation was. */
const reader: Agent = {
  name: "reader",
  async onTrigger(ctx, trigger) {
    await ctx.reply({ kind: "json", data: trigger.meta.extra?.["chat"] ?? null });
  },
};

const failing: Agent = {
  name: "failing",
  onTrigger() {
    throw new Error("it cannot do this");
  },
};

export interface World {
  readonly runtime: Runtime;
  readonly backend: MemoryBackend;
  readonly url: string;
  /** The operator's, unless a request says otherwise. */
  fetch(path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** A token for these agents. */
  token(can: Can, agents: "*" | readonly string[]): Promise<string>;
  /** Aborts what the server watches and waits for. */
  stop(): void;
  close(): Promise<void>;
}

export async function world(
  agents: readonly string[],
  providers: readonly ComputeProvider[] = [],
  more: Readonly<Record<string, Agent>> = {},
): Promise<World> {
  const backend = memoryBackend();
  const errors: unknown[] = [];
  const report = (error: unknown) => void errors.push(error);
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { silent, parts, reader, failing, ...more },
    services: { "/compute": compute(sold(...providers)) },
    onError: report,
  });
  for (const agent of agents) await runtime.create({ id: agentId(agent), agent });
  const stopping = new AbortController();
  const app = createApp({
    runtime,
    auth: { tokenDigest: digest(TOKEN) },
    clock: backend,
    version: VERSION,
    stopping: stopping.signal,
    report,
  });
  const server = serve(app);
  return {
    runtime,
    backend,
    url: server.url,
    fetch: (path, body, headers = {}) =>
      fetch(server.url + path, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          authorization: `Bearer ${TOKEN}`,
          "content-type": "application/json",
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    token: async (can, agents) => (await runtime.tokens.create({ can, agents })).token,
    stop: () => stopping.abort(),
    async close() {
      stopping.abort();
      await server.close();
      await runtime.stop(0);
      if (errors.length > 0) throw errors[0];
    },
  };
}

/** The same as a test that closes its world. */
export function inWorld(
  agents: readonly string[],
  test: (world: World) => Promise<void>,
  providers: readonly ComputeProvider[] = [],
  more: Readonly<Record<string, Agent>> = {},
): () => Promise<void> {
  return async () => {
    const here = await world(agents, providers, more);
    try {
      await test(here);
    } finally {
      await here.close();
    }
  };
}
