/** An assistant in a real runtime, with a model that follows a script. */
import assert from "../../assert.ts";
import { createAgentd } from "../../../src/agentd.ts";
import type { Memory } from "../../../src/agents/assistant/memory.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Approval } from "../../../src/core/approval.ts";
import type { ChatMessage, ModelCall } from "../../../src/core/compute.ts";
import type { Json, Payload } from "../../../src/core/envelope.ts";
import { agentId, type EnvelopeId } from "../../../src/core/id.ts";
import type { CreateRequest, Runtime } from "../../../src/core/runtime.ts";
import type { Receipt, ServiceTable } from "../../../src/core/view.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { callJson, entries, readJson, watch } from "../../../src/fs/use.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import {
  ONE,
  type Script,
  type Scripted,
  scripted,
  type ScriptedOptions,
  sold,
  untilAborted,
} from "../../services/compute/scripted.ts";

export const ID = agentId("helper");
export const OPERATOR = { viewer: "operator", name: "operator" } as const;
const NEVER = new AbortController().signal;
export const DOLLAR: NonNullable<CreateRequest["budgets"]> = {
  "/compute": { per_day_micro_usd: 1_000_000, approvers: [] },
};
/** A model that costs. */
export const PAID = { models: [{ id: "m", tools: true, price: ONE, max_output_tokens: 100 }] };

/** Words, or calls; arguments that are a text are said as they are. */
export type Say = string | readonly (readonly [name: string, args: Json])[];

/** What the model does at each call, in order; more calls than that are a fault of the test. */
export function plays(...lines: readonly (Say | Script)[]): Script {
  let at = 0;
  return (call, sink, signal) => {
    const line = lines[at++];
    if (line === undefined) throw new Error(`the model was asked ${at} times`);
    return typeof line === "function" ? line(call, sink, signal) : says(line)(call, sink, signal);
  };
}

export function says(line: Say): Script {
  return async (call, sink) => {
    const words = typeof line === "string" && call.stream ? line.match(/\S+\s*/g) ?? [] : [];
    for (const content of words) await sink.delta({ content });
    const output = typeof line === "string" ? { text: line, finish_reason: "stop" } : {
      text: "",
      finish_reason: "tool_calls",
      tool_calls: line.map(([name, args], i) => ({
        id: `call-${i}`,
        type: "function" as const,
        function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
      })),
    };
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    return { output, usage, model: call.model };
  };
}

/** A model call that goes on until the test says how it ends. */
export function held() {
  const begun = Promise.withResolvers<void>();
  const line = Promise.withResolvers<Say>();
  const script: Script = async (call, sink, signal) => {
    begun.resolve();
    const said = await Promise.race([line.promise, untilAborted(signal)]);
    return await says(said)(call, sink, signal);
  };
  return { script, begun: begun.promise, say: line.resolve };
}

export interface World {
  readonly runtime: Runtime;
  readonly backend: MemoryBackend;
  readonly model: Scripted;
  readonly files: FileService;
  send(payload: Json): Promise<EnvelopeId>;
  /** The texts of the replies to it. */
  replies(envelope: EnvelopeId): Promise<string[]>;
  ask(payload: Json): Promise<string>;
  /** The same, after so much time. */
  askIn(payload: Json, ms: number): Promise<string>;
  memory(): Promise<Memory>;
}

export interface Options extends ScriptedOptions {
  readonly config?: Json;
  readonly request?: Partial<CreateRequest>;
  readonly services?: ServiceTable;
  /** Of the model's server, from the start on. */
  readonly status?: Scripted["status"];
  /** Rows that are there already. */
  readonly rows?: MemoryBackend;
}

export async function world(script: Script, options: Options = {}): Promise<World> {
  const backend = options.rows ?? memoryBackend();
  const model = scripted("local", { models: [{ id: "m", tools: true }], ...options, script });
  model.status = options.status ?? "up";
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    compute: sold(model),
    ...(options.services ? { services: options.services } : {}),
    onError: (error) => {
      throw error;
    },
  });
  if (!options.rows) {
    const config = options.config ?? { prompt: "You are kind.", model: "m" };
    await runtime.create({ id: ID, agent: "assistant", config, ...options.request });
  }
  const files = await runtime.files(ID, OPERATOR);
  async function send(payload: Json): Promise<EnvelopeId> {
    return (await callJson<Receipt>(files, "/inbox", { payload })).envelope_id;
  }
  async function replies(envelope: EnvelopeId): Promise<string[]> {
    const { tick, replies } = (await runtime.wait(ID, envelope, NEVER))!;
    assert.equal(tick.error, undefined);
    return replies.map((reply) => (reply as unknown as Payload & { kind: "text" }).text);
  }
  async function ask(payload: Json): Promise<string> {
    const [reply, ...more] = await replies(await send(payload));
    assert.deepEqual(more, []);
    return reply!;
  }
  async function askIn(payload: Json, ms: number): Promise<string> {
    const envelope = await send(payload);
    await backend.clock.advance(ms);
    return (await replies(envelope))[0]!;
  }
  const memory = () => readJson<Memory>(files, "/state");
  return { runtime, backend, model, files, send, replies, ask, askIn, memory };
}

export function test(
  name: string,
  script: () => Script,
  run: (w: World) => Promise<void>,
  o?: Options,
) {
  Deno.test(`assistant: ${name}`, async () => {
    const made = await world(script(), o);
    try {
      await run(made);
    } finally {
      await made.runtime.stop(0);
    }
  });
}

export function messagesOf(call: ModelCall | undefined): ChatMessage[] {
  return (call!.input as { messages: ChatMessage[] }).messages;
}

/** What every server demands: each call has its result right behind it, and no result is without a call. */
export function mustBeWhole(messages: readonly ChatMessage[]): void {
  const open: string[] = [];
  for (const { role, tool_calls, tool_call_id } of messages) {
    if (role === "tool") assert.equal(open.shift(), tool_call_id);
    else assert.deepEqual(open, [], `${role} before all results`);
    open.push(...(tool_calls ?? []).map(({ id }) => id));
  }
  assert.deepEqual(open, []);
}

/** The question that waits for a person. */
export async function asked({ files }: Pick<World, "files">): Promise<Approval> {
  for await (const { name } of entries(files, "/approvals")) {
    if (name === "open") continue;
    const approval = await readJson<Approval>(files, `/approvals/${name}`);
    if (approval.state === "pending") return approval;
  }
  throw new Error("nothing waits for a person");
}

/** Resolves when, after `run`, a state is committed that waits for such a thing. */
export async function untilWaits(
  w: World,
  kind: NonNullable<NonNullable<Memory["question"]>["waits"]>["kind"],
  run: () => unknown,
): Promise<void> {
  const states = await watch(w.files, "/state");
  await run();
  for await (const _ of states) if ((await w.memory()).question?.waits?.kind === kind) break;
}

/** Sends a message, and resolves when the tick is committed that began its model call. */
export async function begun(w: World, text: string): Promise<EnvelopeId> {
  let envelope: EnvelopeId;
  await untilWaits(w, "job", async () => (envelope = await w.send(text)));
  return envelope!;
}

/** Resolves when something waits for a person. */
export async function isAsked({ files }: World, run: () => unknown): Promise<Approval> {
  const events = await watch(files, "/approvals");
  await run();
  for await (const _ of events) break;
  return await asked({ files });
}
