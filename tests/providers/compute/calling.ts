/** Providers as tests call them: real requests on this machine, and a clock that stands. */
import { manualClock } from "../../../src/backends/manual_clock.ts";
import type { CallResult, ComputeProvider, Delta, ModelCall } from "../../../src/core/compute.ts";
import type { Json } from "../../../src/core/envelope.ts";
import type { SellerWorld } from "../../../src/providers/compute/carrier.ts";

export interface TestWorld extends SellerWorld {
  /** From now on, every time limit has passed as soon as it is set and nothing has come. */
  hurry(): void;
  advance(ms: number): Promise<void>;
  /** How many time limits are set. */
  waiting(): number;
}

export function testWorld(): TestWorld {
  const clock = manualClock(1_000);
  let hurried = false;
  return {
    fetch,
    now: clock.now,
    timer(delayMs, fire) {
      if (!hurried) return clock.timer(delayMs, fire);
      const timer = setTimeout(fire, 0);
      return () => clearTimeout(timer);
    },
    hurry: () => {
      hurried = true;
    },
    advance: clock.advance,
    waiting: clock.waiting,
  };
}

export interface Asked {
  readonly deltas: readonly Delta[];
  readonly result: Promise<CallResult>;
  /** Resolves with the next part of the answer. */
  first: Promise<Delta>;
  stop(reason?: unknown): void;
}

export const HELLO = { messages: [{ role: "user", content: "Hello?" }] };

export function asked(
  provider: ComputeProvider,
  call: Partial<ModelCall> & { model: string },
  heard: (delta: Delta) => Promise<void> = () => Promise.resolve(),
): Asked {
  const deltas: Delta[] = [], ends = new AbortController();
  const first = Promise.withResolvers<Delta>();
  const delta = async (delta: Delta) => {
    deltas.push(delta);
    first.resolve(delta);
    await heard(delta);
  };
  const whole: ModelCall = {
    job_id: "j1",
    kind: "chat",
    input: HELLO as Json,
    stream: true,
    max_cost_micro_usd: 0,
    ...call,
  };
  const result = provider.submit(whole, { delta }, ends.signal);
  result.catch(() => {});
  return { deltas, result, first: first.promise, stop: (reason) => ends.abort(reason) };
}

/** The text that came in parts. */
export function textOf(deltas: readonly Delta[]): string {
  return deltas.map((delta) => delta.content ?? "").join("");
}
