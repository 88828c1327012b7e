/** A runtime with one agent whose `/compute` sells what a test's providers have. */
import { createAgentd } from "../../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import type { Budgets } from "../../../src/core/budget.ts";
import type { ComputeProvider, ComputeResponse } from "../../../src/core/compute.ts";
import { agentId, type EnvelopeId } from "../../../src/core/id.ts";
import type { Job } from "../../../src/core/outside.ts";
import type { CreateRequest, Runtime, Waited } from "../../../src/core/runtime.ts";
import type { Receipt, Viewer } from "../../../src/core/view.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { callJson, callText, readJson, watch } from "../../../src/fs/use.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { sold } from "./scripted.ts";
import { opened } from "../opened.ts";

export const ID = agentId("a");
const NEVER = new AbortController().signal;

export interface Accepted {
  readonly job_id: string;
  readonly status: string;
  readonly status_path: string;
  readonly stream_path: string;
  readonly result_path: string;
}

export interface Chunk {
  readonly job_id: string;
  readonly seq: number;
  readonly delta: { readonly content?: string; readonly tool_calls?: unknown };
  readonly finish_reason?: string;
  readonly usage?: unknown;
}

export type Status = Omit<Job, "data"> & { readonly provider_id: string; readonly model: string };

export interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  /** As an operator. */
  readonly files: FileService;
  as(viewer: Viewer, id?: string): Promise<FileService>;
  /** A request is written to `new`; a chat with one message, unless it says otherwise. */
  ask(request?: object, files?: FileService): Promise<Accepted>;
  /** Its status once it has ended. */
  ended(job: { readonly job_id: string }): Promise<Status>;
  /** All its chunks, once it has ended. */
  chunks(job: Accepted, after?: number): Promise<Chunk[]>;
  result(job: Accepted): Promise<ComputeResponse>;
  /** Asks, and waits for the end. */
  answered(request?: object): Promise<{ readonly job: Accepted; readonly status: Status }>;
  /** Sends a message, and waits until it was ticked. */
  tick(message?: unknown): Promise<Waited>;
  waited(envelope: EnvelopeId): Promise<Waited>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly onTrigger?: Agent["onTrigger"];
  readonly request?: Partial<CreateRequest>;
  /** Rows that are there already. */
  readonly rows?: MemoryBackend;
}

/** A dollar a day. */
export const DOLLAR: Budgets = {
  "/compute": { per_day_micro_usd: 1_000_000, approvers: [] },
};

export function chatOf(text: string): object {
  return { messages: [{ role: "user", content: text }] };
}

async function world(
  providers: readonly ComputeProvider[],
  { onTrigger = () => {}, request = {}, rows }: WorldOptions = {},
): Promise<World> {
  const backend = rows ?? memoryBackend();
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { subject: { name: "subject", onTrigger } },
    compute: sold(...providers),
    onError: (error) => errors.push(error),
  });
  if (!rows) await runtime.create({ id: ID, agent: "subject", budgets: DOLLAR, ...request });
  const as = (viewer: Viewer, id: string = ID) =>
    runtime.files(agentId(id), { viewer, name: viewer });
  const files = await as("operator");

  async function chunks({ job_id }: { job_id: string }, after = 0): Promise<Chunk[]> {
    const found: Chunk[] = [];
    const path = `/compute/jobs/${job_id}/stream`;
    for await (const chunk of await watch<Chunk & { type: string }>(files, path, { after })) {
      found.push(chunk);
    }
    return found;
  }
  async function ended({ job_id }: { readonly job_id: string }): Promise<Status> {
    await chunks({ job_id });
    return await readJson<Status>(files, `/compute/jobs/${job_id}/status`);
  }
  const ask = async (asked: object = {}, by: FileService = files) =>
    await callJson<Accepted>(by, "/compute/new", {
      model: "m",
      kind: "chat",
      input: chatOf("hi"),
      notify: false,
      ...asked,
    });
  const waited = async (envelope: EnvelopeId) => (await runtime.wait(ID, envelope, NEVER))!;
  return {
    backend,
    runtime,
    files,
    as,
    ask,
    ended,
    chunks,
    waited,
    result: ({ result_path }) => readJson(files, result_path),
    async answered(asked) {
      const job = await ask(asked);
      return { job, status: await ended(job) };
    },
    async tick(message = "go") {
      const text = typeof message === "string" ? message : JSON.stringify(message);
      const receipt = JSON.parse(await callText(files, "/inbox", text)) as Receipt;
      return await waited(receipt.envelope_id);
    },
    async stop() {
      await runtime.stop(1000);
      if (errors.length > 0) throw errors[0];
    },
  };
}

export type Open = (
  providers: readonly ComputeProvider[],
  options?: WorldOptions,
) => Promise<World>;

/** A test that opens worlds; they are stopped at its end, the newest first. */
export function test(name: string, run: (open: Open) => Promise<void>): void {
  Deno.test(name, () => opened(world, run));
}
