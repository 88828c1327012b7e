/** What a session costs: so much to begin with, and so much a second that has begun; and how long it may run for what it may cost. */
import type { ContainerPrice } from "../../core/containers.ts";
import { dollars } from "../../core/money.ts";
import { refusal } from "../../fs/tree.ts";

export function costOf(price: ContainerPrice, ms: number): number {
  const secs = Math.ceil(Math.max(0, ms) / 1000);
  return price.micro_usd_per_session + secs * price.micro_usd_per_second;
}

export interface Reserved {
  readonly microUsd: number;
  /** For that it may run so long. */
  readonly timeMs: number;
}

/**
 * @param asked the most that it may cost; undefined: nothing is said
 * @throws FileError `invalid_request` where that does not pay for a second
 */
export function reservedFor(
  price: ContainerPrice,
  timeMs: number,
  asked: number | undefined,
): Reserved {
  const most = costOf(price, timeMs);
  if (asked === undefined || most <= asked) return { microUsd: most, timeMs };
  const least = costOf(price, 1);
  if (asked < least) {
    throw refusal(
      "invalid_request",
      `max_cost_micro_usd is ${dollars(asked)}, and the least that a session costs is ${
        dollars(least)
      }`,
      { max_cost_micro_usd: asked, least_micro_usd: least },
    );
  }
  const secs = Math.floor((asked - price.micro_usd_per_session) / price.micro_usd_per_second);
  return { microUsd: asked, timeMs: Math.min(timeMs, secs * 1000) };
}
