/** A runtime with one agent whose `/containers` runs on what a test's engines have. */
import { createAgentd } from "../../../src/agentd.ts";
import type { Backend } from "../../../src/core/backend.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import type { Budgets } from "../../../src/core/budget.ts";
import type { ContainerProvider, ContainerResponse } from "../../../src/core/containers.ts";
import { agentId } from "../../../src/core/id.ts";
import type { Failure } from "../../../src/core/agent.ts";
import type { CreateRequest, Runtime } from "../../../src/core/runtime.ts";
import { openSecrets, type Secrets } from "../../../src/core/secrets.ts";
import type { Viewer } from "../../../src/core/view.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { callJson, callText, readJson, watch, writeJson } from "../../../src/fs/use.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { memorySecrets } from "../../core/memory_secrets.ts";
import { running } from "./scripted.ts";
import { opened } from "../opened.ts";

export const ID = agentId("a");

export interface Accepted {
  readonly session_id: string;
  readonly status: string;
  readonly status_path: string;
  readonly output_path: string;
  readonly result_path: string;
}

export interface Given extends Omit<Accepted, "session_id"> {
  readonly exec_id: string;
}

export interface Output {
  readonly seq: number;
  readonly type: string;
  readonly stream?: "stdout" | "stderr";
  readonly data?: string;
  readonly encoding?: string;
  readonly exec_id?: string;
  readonly command?: number;
  readonly exit_code?: number;
}

export interface Status {
  readonly session_id: string;
  readonly status: string;
  readonly error: Failure | null;
  readonly reserved_micro_usd: number;
  readonly cost_micro_usd: number | null;
  readonly image: string;
  readonly expires_at: string | null;
  readonly started_at: string | null;
}

export interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  readonly secrets: Secrets;
  /** As an operator. */
  readonly files: FileService;
  as(viewer: Viewer, id?: string): Promise<FileService>;
  /** A request is written to `new`. */
  begin(request: object, files?: FileService): Promise<Accepted>;
  /** Its status, once it is that of these. */
  until(session: { readonly status_path: string }, ...states: string[]): Promise<Status>;
  ended(session: { readonly status_path: string }): Promise<Status>;
  /** All that it tells, until its end. */
  output(of: { readonly output_path: string }, after?: number): Promise<Output[]>;
  result(session: Accepted): Promise<ContainerResponse>;
  exec(session: Accepted, command: string | object): Promise<Given>;
  policy(change: object): Promise<void>;
  ctl(session: Accepted, word: string, exec?: Given): Promise<string>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly onTrigger?: Agent["onTrigger"];
  readonly request?: Partial<CreateRequest>;
  /** Rows that are there already. */
  readonly rows?: MemoryBackend;
  /** Without an agent so far. */
  readonly backend?: MemoryBackend;
  /** What its runtime has for the rows. */
  readonly spoil?: (backend: Backend) => Backend;
  /** Its runtime does not come to an end: it is left as it is. */
  readonly dies?: boolean;
}

/** A dollar a day. */
const DOLLAR: Budgets = { "/containers": { per_day_micro_usd: 1_000_000, approvers: [] } };
const ENDED = ["complete", "failed", "expired", "cancelled"];

export async function world(
  providers: readonly ContainerProvider[],
  { onTrigger = () => {}, request = {}, rows, backend: empty, spoil = (same) => same, dies }:
    WorldOptions = {},
): Promise<World> {
  const backend = rows ?? empty ?? memoryBackend();
  const secrets = await openSecrets(memorySecrets(), backend.now);
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend: spoil(backend),
    secrets,
    signer: memorySigner(),
    agents: { subject: { name: "subject", onTrigger } },
    containers: running(...providers),
    onError: (error) => errors.push(error),
  });
  if (!rows) await runtime.create({ id: ID, agent: "subject", budgets: DOLLAR, ...request });
  const as = (viewer: Viewer, id: string = ID) =>
    runtime.files(agentId(id), { viewer, name: viewer });
  const files = await as("operator");

  async function until({ status_path }: { status_path: string }, ...states: string[]) {
    const stop = new AbortController();
    const changes = await watch(files, status_path, { signal: stop.signal });
    try {
      while (true) {
        const status = await readJson<Status>(files, status_path);
        if (states.includes(status.status)) return status;
        if (ENDED.includes(status.status)) throw new Error(JSON.stringify(status));
        await changes.next();
      }
    } finally {
      stop.abort();
    }
  }
  return {
    backend,
    runtime,
    secrets,
    files,
    as,
    until,
    begin: (asked, by = files) =>
      callJson<Accepted>(by, "/containers/new", { notify: false, ...asked }),
    ended: (session) => until(session, ...ENDED),
    output: async ({ output_path }, after = 0) =>
      await Array.fromAsync(await watch<Output>(files, output_path, { after })),
    result: ({ result_path }) => readJson(files, result_path),
    exec: ({ session_id }, command) =>
      callText(
        files,
        `/containers/sessions/${session_id}/exec/new`,
        typeof command === "string" ? command : JSON.stringify({ notify: false, ...command }),
      ).then((text) => JSON.parse(text) as Given),
    policy: (change) => writeJson(files, "/containers/policy", change),
    ctl: ({ session_id }, word, exec) =>
      callText(
        files,
        `/containers/sessions/${session_id}/${exec ? `exec/${exec.exec_id}/` : ""}ctl`,
        word,
      ),
    async stop() {
      if (dies) return;
      await runtime.stop(1000);
      if (errors.length > 0) throw errors[0];
    },
  };
}

export type Open = (
  providers: readonly ContainerProvider[],
  options?: WorldOptions,
) => Promise<World>;

/** A test that opens worlds; they are stopped at its end, the newest first. */
export function test(name: string, run: (open: Open) => Promise<void>): void {
  Deno.test(name, () => opened(world, run));
}

/** Resolves when it is killed. */
export function untilKilled(killed: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    killed.addEventListener("abort", () => reject(new Error("killed")));
  });
}
