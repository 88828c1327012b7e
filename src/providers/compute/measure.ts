/** How fast a model server was, over its last answers. */
import type { ProviderInfo, TokenUsage } from "../../core/compute.ts";

export type Speed = Pick<ProviderInfo, "first_token_ms" | "tokens_per_second">;

/** Of a moving average, what the newest answer counts. */
const NEWEST = 0.3;

export interface Stopwatch {
  /** The first part of the answer is there; only the first call counts. */
  first(): void;
  /** The answer is whole. */
  whole(usage: TokenUsage | undefined): void;
}

export interface Speedometer {
  speed(): Speed;
  /** A call begins. */
  start(): Stopwatch;
}

/** @param now milliseconds */
export function speedometer(now: () => number): Speedometer {
  let firstMs: number | undefined;
  let perSecond: number | undefined;
  return {
    speed: () => ({
      ...(firstMs === undefined ? {} : { first_token_ms: Math.round(firstMs) }),
      ...(perSecond === undefined ? {} : { tokens_per_second: Math.round(perSecond * 10) / 10 }),
    }),
    start() {
      const startMs = now();
      let begunMs: number | undefined;
      return {
        first() {
          if (begunMs !== undefined) return;
          begunMs = now();
          firstMs = averaged(firstMs, begunMs - startMs);
        },
        whole(usage) {
          // From the first token on there are one fewer to wait for.
          const tokens = (usage?.output_tokens ?? 0) - (begunMs === undefined ? 0 : 1);
          const tookMs = now() - (begunMs ?? startMs);
          if (tokens > 0 && tookMs > 0) perSecond = averaged(perSecond, tokens * 1000 / tookMs);
        },
      };
    },
  };
}

function averaged(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + NEWEST * (newest - before);
}
