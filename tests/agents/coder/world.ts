/** A coder in a real runtime, with a model and an engine that follow scripts. */
import assert from "../../assert.ts";
import { createAgentd } from "../../../src/agentd.ts";
import type { Memory } from "../../../src/agents/coder/memory.ts";
import { type MemoryBackend, memoryBackend } from "../../../src/backends/memory.ts";
import type { Budgets } from "../../../src/core/budget.ts";
import type { ContainerPrice } from "../../../src/core/containers.ts";
import type { Json, Payload } from "../../../src/core/envelope.ts";
import { agentId, type EnvelopeId } from "../../../src/core/id.ts";
import type { CreateRequest, Runtime } from "../../../src/core/runtime.ts";
import type { Receipt } from "../../../src/core/view.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { callJson, readJson, readText, watch } from "../../../src/fs/use.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import {
  ONE,
  type Script as ModelScript,
  type Scripted as Model,
  scripted as model,
  type ScriptedOptions,
  sold,
} from "../../services/compute/scripted.ts";
import {
  IMAGE,
  type Program,
  running,
  type Script,
  type Scripted as Engine,
  scripted as engine,
} from "../../services/containers/scripted.ts";

export const ID = agentId("coder");
const OPERATOR = { viewer: "operator", name: "operator" } as const;
const NEVER = new AbortController().signal;

/** A model and an engine that cost, and a budget for both. */
export const PAID: Options = {
  model: { models: [{ id: "m", price: ONE, max_output_tokens: 100 }] },
  price: { micro_usd_per_session: 3, micro_usd_per_second: 70 },
};
export const BUDGETS: Budgets = {
  "/compute": { per_day_micro_usd: 1_000_000, approvers: [] },
  "/containers": { per_day_micro_usd: 1_000_000, approvers: [] },
};

/** An answer with a program and its test. */
export function answer(program: string): string {
  const block = (path: string, text: string) => `${"```"}path=${path}\n${text}\n${"```"}\n`;
  return `Here:\n\n${block("main.sh", program)}\n${block("test.sh", "sh main.sh")}`;
}

/** Says what it was given, and is content where that is right. */
export const JUDGE: Script = async (program) => {
  const text = textOf(program, "main.sh");
  await program.print(`it is ${text}`);
  return text.includes("right") ? 0 : 1;
};

export function textOf({ files }: Pick<Program, "files">, path: string): string {
  return new TextDecoder().decode(files.get(path));
}

export interface World {
  readonly runtime: Runtime;
  readonly backend: MemoryBackend;
  readonly model: Model;
  readonly engine: Engine;
  readonly files: FileService;
  send(payload: Json): Promise<EnvelopeId>;
  /** The text of the one reply to it. */
  reply(envelope: EnvelopeId): Promise<string>;
  ask(payload: Json): Promise<string>;
  memory(): Promise<Memory>;
  text(path: string): Promise<string>;
  /** Resolves when a state is committed of which this is true; `run` is done before the first look. */
  until(is: (memory: Memory) => boolean, run?: () => unknown): Promise<Memory>;
  /** Nothing is left that it waits for. */
  mustRest(): Promise<void>;
  stop(): Promise<void>;
}

export interface Options {
  readonly model?: ScriptedOptions;
  readonly script?: Script;
  readonly price?: Partial<ContainerPrice>;
  readonly config?: { readonly [field: string]: Json };
  readonly request?: Partial<CreateRequest>;
  /** Rows that are there already, and the engine that outlives the runtime before. */
  readonly before?: Pick<World, "backend" | "engine">;
  readonly noModels?: boolean;
}

export async function world(script: ModelScript, options: Options = {}): Promise<World> {
  const { before, price } = options;
  const backend = before?.backend ?? memoryBackend();
  const asked = model("local", { ...options.model, script });
  const runs = before?.engine ??
    engine(options.script ?? JUDGE, price === undefined ? {} : { price });
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    compute: options.noModels ? sold() : sold(asked),
    containers: running(runs),
    onError: (error) => errors.push(error),
  });
  if (!before) {
    await runtime.create({
      id: ID,
      agent: "coder",
      config: { model: "m", image: IMAGE, ...options.config },
      budgets: BUDGETS,
      ...options.request,
    });
  }
  const files = await runtime.files(ID, OPERATOR);
  const memory = () => readJson<Memory>(files, "/state");
  async function send(payload: Json): Promise<EnvelopeId> {
    return (await callJson<Receipt>(files, "/inbox", { payload })).envelope_id;
  }
  async function reply(envelope: EnvelopeId): Promise<string> {
    const { tick, replies } = (await runtime.wait(ID, envelope, NEVER))!;
    assert.equal(tick.error, undefined);
    assert.equal(replies.length, 1);
    return (replies[0] as unknown as Payload & { kind: "text" }).text;
  }
  return {
    runtime,
    backend,
    model: asked,
    engine: runs,
    files,
    send,
    reply,
    memory,
    ask: async (payload) => await reply(await send(payload)),
    text: (path) => readText(files, path),
    async until(is, run = () => {}) {
      const leaving = new AbortController();
      const states = await watch(files, "/state", { signal: leaving.signal });
      try {
        await run();
        while (true) {
          const now = await memory();
          if (is(now)) return now;
          await states.next();
        }
      } finally {
        leaving.abort();
      }
    },
    async mustRest() {
      const { tasks, waiting } = await memory();
      assert.deepEqual([tasks, waiting], [[], []]);
      const { next_alarm } = await readJson<{ next_alarm: string | null }>(files, "/status");
      assert.equal(next_alarm, null, "an alarm is left");
    },
    async stop() {
      await runtime.stop(0);
      if (errors.length > 0) throw errors[0];
    },
  };
}

export function test(
  name: string,
  script: () => ModelScript,
  run: (w: World) => Promise<void>,
  options?: Options,
): void {
  Deno.test(`coder: ${name}`, async () => {
    const made = await world(script(), options);
    try {
      await run(made);
      await made.mustRest();
    } finally {
      await made.stop();
    }
  });
}
