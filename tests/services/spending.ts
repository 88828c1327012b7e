/** An agent with money to spend, a shop to spend it at, and an operator. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import type { Approval } from "../../src/core/approval.ts";
import type { Json } from "../../src/core/envelope.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import { agentId } from "../../src/core/id.ts";
import type { CreateRequest, Runtime } from "../../src/core/runtime.ts";
import type { Receipt, ServiceMount, Viewer } from "../../src/core/view.ts";
import { codeOf, type FileError } from "../../src/fs/error.ts";
import type { FileService } from "../../src/fs/file.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { callJson, readJson, writeText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";

export const ID = agentId("a");
const NEVER = new AbortController().signal;

/** What became of a message: an answer, or a refusal with the question that it asks. */
export interface Outcome {
  readonly got?: string;
  readonly code?: string;
  readonly question?: string;
}

export interface Spending {
  readonly runtime: Runtime;
  readonly backend: ReturnType<typeof memoryBackend>;
  readonly files: FileService;
  /** What was sold, in micro-USD. */
  readonly sold: number[];
  /** Events that the agent was sent when a question was answered. */
  readonly heard: unknown[];
  as(viewer: Viewer): Promise<FileService>;
  /** Has the agent call a file. */
  calls(path: string, data: unknown): Promise<Outcome>;
  /** Has it buy for so many micro-USD. */
  buys(amount: number): Promise<Outcome>;
  question(id: string | undefined): Promise<Approval>;
  decide(id: string | undefined, answer: "approve" | "deny"): Promise<void>;
  stop(): Promise<void>;
}

/** Asks `{ amount }`, and takes it. */
function shop(sold: number[]): ServiceMount {
  return {
    access: "budgeted",
    accesses: ["budgeted", "disabled"],
    service: (view) =>
      tree(
        file({
          async call(data) {
            const { amount } = JSON.parse(new TextDecoder().decode(data)) as { amount: number };
            const order = { mount: "/shop", path: "/shop", request: { amount } };
            const terms = { maxCostMicroUsd: amount, reason: "buys something" };
            const got = await view.outside.perform(order, () => Promise.resolve(terms), () => {
              sold.push(amount);
              return Promise.resolve({ answer: `thing ${sold.length}`, costMicroUsd: amount });
            });
            return JSON.stringify(got);
          },
        }),
        view.viewer,
      ),
  };
}

export async function spending(request: Partial<CreateRequest> = {}): Promise<Spending> {
  const backend = memoryBackend();
  const sold: number[] = [];
  const heard: unknown[] = [];
  const errors: unknown[] = [];
  const caller: Agent = {
    name: "caller",
    async onTrigger(ctx, trigger) {
      if (trigger.type === "event") return void heard.push([trigger.event, trigger.data]);
      if (trigger.type !== "message") return;
      const { path, data } = JSON.parse(trigger.text) as { path: string; data: Json };
      try {
        await ctx.reply({ got: await ctx.env.call(path, data) });
      } catch (error) {
        const question = (error as FileError).extra?.approval_id;
        await ctx.reply({
          code: codeOf(error),
          ...(question ? { question: String(question) } : {}),
        });
      }
    },
  };
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { caller },
    services: { "/shop": shop(sold) },
    onError: (error) => errors.push(error),
  });
  await runtime.create({ id: ID, agent: "caller", ...request });
  const as = (viewer: Viewer) => runtime.files(ID, { viewer, name: viewer });
  const files = await as("operator");
  const calls = async (path: string, data: unknown): Promise<Outcome> => {
    const sent = await callJson<Receipt>(files, "/inbox", { path, data });
    const done = await runtime.wait(ID, sent.envelope_id as EnvelopeId, NEVER);
    return (done!.replies[0] as unknown as { data: Outcome }).data;
  };
  return {
    runtime,
    backend,
    files,
    sold,
    heard,
    as,
    calls,
    buys: (amount) => calls("/shop", { amount }),
    question: (id) => readJson<Approval>(files, `/approvals/${id}`),
    decide: (id, answer) => writeText(files, `/approvals/${id}`, `${answer}\n`),
    async stop() {
      await runtime.stop(1000);
      if (errors.length > 0) throw errors[0];
    },
  };
}
