/** What tokens cost: whole micro-USD, rounded up, and no floating-point number on the way. */
import type { TokenPrice, TokenUsage } from "./compute.ts";

const TOKENS_A_PRICE = 1_000_000n;
const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** Micro-USD for what was used, rounded up. @throws RangeError unless the counts are whole numbers */
export function costOf(
  price: TokenPrice,
  usage: Pick<TokenUsage, "input_tokens" | "output_tokens">,
): number {
  return maxCostOf(price, usage.input_tokens, usage.output_tokens);
}

/** Micro-USD that so many tokens cost at the most, rounded up; what no number can say counts as the largest that one can. */
export function maxCostOf(
  price: TokenPrice,
  inputTokensAtMost: number,
  outputTokensAtMost: number,
): number {
  const parts = BigInt(price.input_micro_usd_per_mtok) * BigInt(inputTokensAtMost) +
    BigInt(price.output_micro_usd_per_mtok) * BigInt(outputTokensAtMost);
  const cost = (parts + TOKENS_A_PRICE - 1n) / TOKENS_A_PRICE;
  return Number(cost < MOST ? cost : MOST);
}

/** How many tokens of output an amount pays for, after so many of input; negative when it does not pay for those, Infinity when output is free. */
export function outputTokensFor(
  price: TokenPrice,
  inputTokens: number,
  amountMicroUsd: number,
): number {
  const left = BigInt(amountMicroUsd) * TOKENS_A_PRICE -
    BigInt(price.input_micro_usd_per_mtok) * BigInt(inputTokens);
  if (left < 0n) return -1;
  if (price.output_micro_usd_per_mtok === 0) return Infinity;
  const tokens = left / BigInt(price.output_micro_usd_per_mtok);
  return Number(tokens < MOST ? tokens : MOST);
}

/** Is there nothing to pay? A price that is not known is not free. */
export function isFree(price: TokenPrice | undefined): boolean {
  return price?.input_micro_usd_per_mtok === 0 && price.output_micro_usd_per_mtok === 0;
}
