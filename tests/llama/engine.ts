/** llama.cpp as an addon of this process: the one place that loads it. Its wrapper package is left out, because it would bring 280 MB for graphics cards along. */
import { createRequire } from "node:module";
import { CONTEXT_TOKENS } from "./model.ts";

const ADDON = "@fugood/node-llama-linux-x64";
const SLOTS = 4;
const BATCH_TOKENS = 512;

export interface Generation {
  readonly prompt: string;
  /** -1: until its end, or that of the context. */
  readonly n_predict: number;
  readonly temperature: number;
  readonly stop?: readonly string[];
  /** What the answer must have the form of, as `prompt` gives it. */
  readonly grammar?: string;
}

export interface Generated {
  readonly text: string;
  readonly stopped_eos: boolean;
  readonly stopped_word: boolean;
  readonly tokens_evaluated: number;
  readonly tokens_predicted: number;
}

export interface Engine {
  /** The prompt of a conversation, by the model's own template; with a grammar where `response_format` asks for a form. */
  prompt(
    messages: readonly { readonly role: string; readonly content: string }[],
    response_format?: unknown,
  ): { readonly prompt: string; readonly grammar?: string };
  /** Aborting the signal ends it in the engine; it then rejects with the signal's reason. */
  generate(
    options: Generation,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<Generated>;
  embed(text: string): Promise<readonly number[]>;
  countTokens(text: string): Promise<number>;
}

interface Native {
  enableParallelMode(options: { n_parallel: number; n_batch: number }): boolean;
  getFormattedChat(messages: unknown, template: undefined, options: unknown): {
    prompt: string;
    grammar?: string;
  };
  queueCompletion(
    options: unknown,
    callback: (error: unknown, result: Partial<Generated> & { token?: string }) => void,
  ): { requestId: number };
  queueEmbedding(
    text: string,
    options: unknown,
    callback: (error: unknown, result: { embedding: Iterable<number> }) => void,
  ): { requestId: number };
  cancelRequest(id: number): void;
  tokenize(text: string): Promise<{ tokens: Int32Array }>;
}
interface Addon {
  readonly LlamaContext: {
    new (options: unknown): Native;
    toggleNativeLog(enable: boolean, callback: () => void): void;
  };
}

/** Why the engine cannot be had on this machine; undefined if it can. */
export function missingEngine(): string | undefined {
  if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") return undefined;
  return `llama.cpp is at hand for linux on x86_64 only, not for ${Deno.build.os} on ${Deno.build.arch}`;
}

/** @param file the path of a model file */
export async function engineOf(file: string): Promise<Engine> {
  const { LlamaContext } = createRequire(import.meta.url)(await addonFile()) as Addon;
  LlamaContext.toggleNativeLog(false, () => {});
  const native = new LlamaContext({
    model: file,
    n_ctx: CONTEXT_TOKENS * SLOTS,
    n_parallel: SLOTS,
    n_threads: 1,
    n_gpu_layers: 0,
    embedding: true,
    pooling_type: "mean",
    embd_normalize: 2,
  });
  native.enableParallelMode({ n_parallel: SLOTS, n_batch: BATCH_TOKENS });

  return {
    prompt(messages, response_format) {
      const options = { jinja: true, add_generation_prompt: true, response_format };
      const { prompt, grammar } = native.getFormattedChat(messages, undefined, options);
      // Its root also takes in the end of the prompt and a fence; the answer alone is wanted.
      const form = grammar?.replace(/^root ::= .*$/m, "root ::= response-format-schema");
      return { prompt, ...(form ? { grammar: form } : {}) };
    },
    generate(options, onText, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Generated>();
      signal.throwIfAborted();
      const { requestId } = native.queueCompletion({ ...options }, (error, result) => {
        // What was on its way when it was stopped still comes.
        if (signal.aborted) return;
        if (error) reject(error);
        else if (result.token !== undefined) onText(result.token);
        else if (result.text !== undefined) resolve(result as Generated);
      });
      const stop = () => {
        native.cancelRequest(requestId);
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop);
      return promise.finally(() => signal.removeEventListener("abort", stop));
    },
    embed: (text) =>
      new Promise((resolve, reject) =>
        void native.queueEmbedding(
          text,
          { embd_normalize: 2 },
          (error, result) => error ? reject(error) : resolve([...result.embedding]),
        )
      ),
    countTokens: async (text) => (await native.tokenize(text)).tokens.length,
  };
}

/** Where Deno keeps the addon. An import cannot load one, and an older Deno's `require` does not know the names of `deno.json`. */
async function addonFile(): Promise<string> {
  const { default: { version } } = await import("@fugood/node-llama-linux-x64/package.json", {
    with: { type: "json" },
  });
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
  for await (const source of Deno.readDir(npmCache)) {
    const file = `${npmCache}/${source.name}/${ADDON}/${version}/index.node`;
    if (await Deno.stat(file).then((info) => info.isFile, () => false)) return file;
  }
  throw new Error(`Cannot find ${ADDON} ${version} in ${npmCache}`);
}
