/** One try of a model call at one provider: its parts go on as they come, and it ends when it is cancelled, out of time, or would cost too much. */
import type { CallResult, ComputeProvider, Delta, ModelCall } from "../../core/compute.ts";
import { FileError } from "../../fs/error.ts";
import { counter } from "./cap.ts";

export type Attempt =
  | { readonly result: CallResult; readonly isStreamed: boolean }
  | {
    readonly error: unknown;
    /** A part of the answer had come. */
    readonly hasBegun: boolean;
  };

export interface AttemptOptions {
  readonly signal: AbortSignal;
  /** More tokens than this end it. */
  readonly maxTokens: number;
  /** Takes a part of the answer. */
  readonly onDelta: (delta: Delta) => Promise<void>;
}

/** Never rejects, and never waits for a provider that does not heed its signal. */
export async function attempt(
  provider: ComputeProvider,
  call: ModelCall,
  { signal: outer, maxTokens, onDelta }: AttemptOptions,
): Promise<Attempt> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const isWithin = counter(maxTokens);
  let hasBegun = false, isOver = false;
  const sink = {
    async delta(delta: Delta): Promise<void> {
      signal.throwIfAborted();
      if (isOver || isEmpty(delta)) return;
      hasBegun = true;
      if (!isWithin(delta)) stop.abort(tooDear(provider, call));
      signal.throwIfAborted();
      await onDelta(delta);
    },
  };
  try {
    const result = await untilAborted(signal, () => provider.submit(call, sink, signal));
    return { result, isStreamed: hasBegun };
  } catch (error) {
    return { error: signal.aborted ? signal.reason : error, hasBegun };
  } finally {
    isOver = true;
    // What a provider still holds open of a call that has ended is let go of.
    stop.abort();
  }
}

function isEmpty({ content, tool_calls }: Delta): boolean {
  return !content && !tool_calls?.length;
}

async function untilAborted<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const leave = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([run(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function tooDear(provider: ComputeProvider, call: ModelCall): FileError {
  return new FileError("budget_exceeded", "ask", `${provider.id}/${call.model}`, {
    detail: "the answer was stopped: more of it would cost more than is reserved for it; give a " +
      "higher max_cost_micro_usd, or a lower max_tokens",
    extra: { max_cost_micro_usd: call.max_cost_micro_usd },
  });
}
