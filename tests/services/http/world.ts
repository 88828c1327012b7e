/** An agent with the web and secrets, its operator, and everything that could keep what should not be kept. */
import { createAgentd } from "../../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import { agentId } from "../../../src/core/id.ts";
import type { Runtime, Waited } from "../../../src/core/runtime.ts";
import { openSecrets, type Secrets } from "../../../src/core/secrets.ts";
import type { Receipt, Viewer } from "../../../src/core/view.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { callText, readText, writeText } from "../../../src/fs/use.ts";
import { httpClient, type HttpClientOptions } from "../../../src/providers/http/client.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { memorySecrets } from "../../core/memory_secrets.ts";
import { type RawServer, rawServer, type Say } from "../../providers/http/server.ts";

export const ID = agentId("a");
export const OTHER = agentId("other");
const NEVER = new AbortController().signal;

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] };
  readonly body?: string;
  readonly body_base64?: string;
  readonly truncated: boolean;
  readonly url?: string;
  readonly redirect?: string;
}

export interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  readonly secrets: Secrets;
  /** The agent's files as an operator has them. */
  readonly files: FileService;
  as(viewer: Viewer): Promise<FileService>;
  policy(fields: object): Promise<void>;
  /** Asks the web and waits, as the operator. */
  ask(request: object): Promise<Answer>;
  tick(message?: unknown): Promise<Waited>;
  /** What became of a job; resolves when it has ended. */
  ended(job: string): Promise<{ status: string; error: { code: string; message: string } | null }>;
  /** All rows of all owners, all that was told of errors, and an export, as one text. */
  everything(): Promise<string>;
  readonly errors: unknown[];
  /** Keys of the agent's rows that begin so. */
  keys(prefix: string): string[];
  stop(): Promise<void>;
}

export async function world(options: {
  readonly onTrigger?: Agent["onTrigger"];
  readonly http?: HttpClientOptions;
  readonly backend?: MemoryBackend;
  readonly secrets?: Secrets;
} = {}): Promise<World> {
  const backend = options.backend ?? memoryBackend();
  const errors: unknown[] = [];
  const secrets = options.secrets ?? await openSecrets(memorySecrets(), backend.now);
  const runtime = await createAgentd({
    backend,
    secrets,
    signer: memorySigner(),
    http: httpClient(options.http),
    agents: { subject: { name: "subject", onTrigger: options.onTrigger ?? (() => {}) } },
    onError: (error) => errors.push(error),
  });
  if (!options.backend) {
    await runtime.create({ id: ID, agent: "subject", limits: { retry_ms: [] } });
    await runtime.create({ id: OTHER, agent: "subject" });
  }
  const as = (viewer: Viewer) => runtime.files(ID, { viewer, name: viewer });
  const files = await as("operator");
  return {
    backend,
    runtime,
    secrets,
    files,
    as,
    errors,
    keys: (prefix) => [...backend.rows().get(ID)!.keys()].filter((at) => at.startsWith(prefix)),
    policy: (fields) => writeText(files, "/http/policy", JSON.stringify(fields)),
    ask: async (request) =>
      JSON.parse(await callText(files, "/http/new", JSON.stringify({ wait: true, ...request }))),
    async tick(message = "go") {
      const text = typeof message === "string" ? message : JSON.stringify(message);
      const receipt = JSON.parse(await callText(files, "/inbox", text)) as Receipt;
      return (await runtime.wait(ID, receipt.envelope_id, NEVER))!;
    },
    async ended(job) {
      const path = `/http/jobs/${job}/status`;
      const handle = await files.open(path, "watch");
      try {
        while (true) {
          const status = JSON.parse(await readText(files, path));
          if (status.ended_at !== null) return status;
          await handle.read();
        }
      } finally {
        await handle.close();
      }
    },
    async everything() {
      await readText(files, "/logs/trace");
      const parts: string[] = [];
      for (const [owner, rows] of backend.rows()) {
        for (const [key, value] of rows) parts.push(owner, key, decode(value));
      }
      for await (const chunk of await runtime.exportAgent(ID)) parts.push(decode(chunk));
      parts.push(...errors.map((error) => `${error} ${JSON.stringify(error)} ${causes(error)}`));
      return parts.join("\n");
    },
    async stop() {
      await runtime.stop(1000);
    },
  };
}

const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

function causes(error: unknown): string {
  const { cause, stack } = error as { cause?: unknown; stack?: string };
  return `${stack} ${cause === undefined ? "" : causes(cause)}`;
}

/** A world and a server beside it that its agent may reach. */
export async function inWorld(
  say: Say,
  run: (world: World, server: RawServer & { readonly url: string }) => Promise<void>,
  options: Parameters<typeof world>[0] = {},
): Promise<void> {
  const server = rawServer(say);
  const made = await world(options);
  await made.policy({
    allowed_hosts: ["127.0.0.1:*", "localhost:*"],
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    private_addresses: ["127.0.0.1"],
  });
  try {
    await run(made, { ...server, url: `http://127.0.0.1:${server.port}` });
  } finally {
    await made.stop();
    await server.close();
  }
}
