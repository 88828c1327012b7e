/** A seller of model calls that does what a test's script says: it keeps the contract of `ComputeProvider`, in memory. */
import type {
  CallResult,
  CallSink,
  ComputeProvider,
  ComputeProviders,
  ModelCall,
  ModelInfo,
  ProviderHealth,
  ProviderInfo,
  TokenUsage,
} from "../../../src/core/compute.ts";

export const FREE = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };
/** A micro-USD a token, in and out. */
export const ONE = { input_micro_usd_per_mtok: 1_000_000, output_micro_usd_per_mtok: 1_000_000 };

export type Script = (call: ModelCall, sink: CallSink, signal: AbortSignal) => Promise<CallResult>;

export interface Scripted extends ComputeProvider {
  /** What it was asked, in order. */
  readonly calls: ModelCall[];
  status: ProviderHealth["status"];
  script: Script;
  info(): ProviderInfo;
}

export interface ScriptedOptions {
  readonly script?: Script;
  readonly models?: readonly (Partial<ModelInfo> & { readonly id: string })[];
  readonly info?: Partial<ProviderInfo>;
}

export function scripted(id: string, options: ScriptedOptions = {}): Scripted {
  const { models = [{ id: "m" }], info = {} } = options;
  const provider: Scripted = {
    id,
    calls: [],
    status: "up",
    script: options.script ?? says("hello there"),
    info: () => ({ id, type: "local", about: "a script", by_name_only: false, ...info }),
    health: () => ({
      status: provider.status,
      checked_at: "2026-01-01T00:00:00.000Z",
      ...(provider.status === "down" ? { error: "connection refused" } : {}),
    }),
    models: () =>
      models.map((model) => ({
        kinds: ["chat", "complete", "embeddings"],
        price: FREE,
        ...model,
      })),
    submit(call, sink, signal) {
      provider.calls.push(call);
      return provider.script(call, sink, signal);
    },
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return provider;
}

export function sold(...providers: readonly ComputeProvider[]): ComputeProviders {
  return {
    list: () => providers,
    get: (id) => providers.find((provider) => provider.id === id),
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

export function used(input_tokens: number, output_tokens: number): TokenUsage {
  return { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens };
}

/** Answers a text word by word, or at once where it is not asked to stream. */
export function says(text: string, usage?: TokenUsage): Script {
  return async (call, sink) => {
    const words = text.match(/\S+\s*/g) ?? [];
    if (call.stream) { for (const content of words) await sink.delta({ content }); }
    return { output: { text, finish_reason: "stop" }, usage, model: call.model };
  };
}

/** Rejects as its signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
