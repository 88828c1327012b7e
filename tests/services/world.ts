/** A runtime on rows in memory with one agent, and its files as each viewer has them. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { decodeJson } from "../../src/core/code.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import type { CreateRequest, Runtime, Waited } from "../../src/core/runtime.ts";
import type { Receipt, Viewer } from "../../src/core/view.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callText } from "../../src/fs/use.ts";
import { chunkKeys, type Head } from "../../src/services/content/head.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual } from "../assert.ts";

export const ID = agentId("a");
const NEVER = new AbortController().signal;

export interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  /** As an operator. */
  readonly files: FileService;
  as(viewer: Viewer): Promise<FileService>;
  /** Sends what is JSON or text, and waits until it was ticked. */
  tick(message?: unknown): Promise<Waited>;
  waited(envelope: EnvelopeId): Promise<Waited>;
  /** Keys of the agent's rows that begin so. */
  keys(prefix: string): string[];
  stop(): Promise<void>;
}

/** `onTrigger` is the agent: all that it does in its ticks. With `rows`, one whose rows are there already. */
export async function world(
  onTrigger: Agent["onTrigger"] = () => {},
  request: Partial<CreateRequest> = {},
  rows?: MemoryBackend,
): Promise<World> {
  const backend = rows ?? memoryBackend();
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { subject: { name: "subject", onTrigger } },
    onError: (error) => errors.push(error),
  });
  if (!rows) await runtime.create({ id: ID, agent: "subject", ...request });
  const as = (viewer: Viewer) => runtime.files(ID, { viewer, name: viewer });
  const files = await as("operator");

  async function waited(envelope: EnvelopeId): Promise<Waited> {
    return (await runtime.wait(ID, envelope, NEVER))!;
  }
  return {
    backend,
    runtime,
    files,
    as,
    waited,
    async tick(message = "go") {
      const text = typeof message === "string" ? message : JSON.stringify(message);
      const receipt = JSON.parse(await callText(files, "/inbox", text)) as Receipt;
      return await waited(receipt.envelope_id);
    },
    keys: (prefix) => [...backend.rows().get(ID)!.keys()].filter((at) => at.startsWith(prefix)),
    async stop() {
      await runtime.stop(1000);
      if (errors.length > 0) throw errors[0];
    },
  };
}

/** Every chunk row is named by exactly one file, and no draft is left. */
export function mustBeTidy({ backend, keys }: World): void {
  const rows = backend.rows().get(ID)!;
  const heads = keys("file/").filter((at) => !at.endsWith("!"));
  const named = heads.flatMap((at) => chunkKeys(decodeJson<Head>(rows.get(at)!)));
  deepEqual(keys("blob/").sort(), named.sort());
  deepEqual(keys("draft/"), []);
}

/** A test with a world of its own. */
export function inWorld(
  name: string,
  run: (world: World) => Promise<void>,
  onTrigger?: Agent["onTrigger"],
  request?: Partial<CreateRequest>,
): void {
  Deno.test(name, async () => {
    const made = await world(onTrigger, request);
    await run(made);
    await made.stop();
  });
}
