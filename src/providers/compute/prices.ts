/** What models of the clouds cost: the vendors' list prices of one day, from `prices.json`, and prices that a server tells of itself. Whole numbers all the way. */
import { z } from "zod";
import type { ModelInfo, TokenPrice } from "../../core/compute.ts";
import table from "./prices.json" with { type: "json" };

const amount = z.int().nonnegative();
const known = amount.nullable();
const row = z.tuple([amount, amount, known, known, known, known]);
const rows = z.record(z.string(), row);
const LISTS = z.object({ date: z.iso.date(), openai: rows, anthropic: rows }).parse(table);

/** The day of which the prices are. */
export const PRICES_DATE = LISTS.date;
export type Vendor = "openai" | "anthropic";

export type ListedFacts = Partial<
  Pick<ModelInfo, "price" | "context_tokens" | "max_output_tokens" | "rank">
>;

/** A vendor's names for a state of a model: `-2024-08-06`, `-20250514`, `-latest`. It costs what the model costs, where the list says nothing else. */
const STATE = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$/;

/** What the list says of a model; nothing if it does not name it. */
export function listFacts(vendor: Vendor, model: string): ListedFacts {
  const found = rowOf(vendor, model);
  if (!found) return {};
  const [input_micro_usd_per_mtok, output_micro_usd_per_mtok, context, output, rank] = found;
  return {
    price: { input_micro_usd_per_mtok, output_micro_usd_per_mtok },
    ...(context === null ? {} : { context_tokens: context }),
    ...(output === null ? {} : { max_output_tokens: output }),
    ...(rank === null ? {} : { rank }),
  };
}

/** A longer prompt costs more than the list says. Undefined where it does not. */
export function priceHoldsTokens(vendor: Vendor, model: string): number | undefined {
  return rowOf(vendor, model)?.[5] ?? undefined;
}

function rowOf(vendor: Vendor, model: string): z.infer<typeof row> | undefined {
  const list = new Map(Object.entries(LISTS[vendor]));
  return list.get(model) ?? list.get(model.replace(STATE, ""));
}

const DECIMAL = /^(\d{1,20})(?:\.(\d{1,40}))?(?:e([+-]?\d{1,2}))?$/i;
/** Dollars for a token to micro-USD for a million of them. */
const SHIFT = 12;

/** A price told as dollars a token (`"0.0000025"`), rounded up. Undefined for what is no price. */
export function perMtok(dollarsPerToken: string): number | undefined {
  const [, whole, part = "", exponent = "0"] = DECIMAL.exec(dollarsPerToken.trim()) ?? [];
  if (whole === undefined) return undefined;
  const digits = BigInt(whole + part);
  const places = SHIFT + Number(exponent) - part.length;
  const divisor = 10n ** BigInt(Math.max(0, -places));
  const micros = (digits * 10n ** BigInt(Math.max(0, places)) + divisor - 1n) / divisor;
  const value = Number(micros);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The price that a server tells of a model. Undefined if it is no price for tokens alone. */
export function toldPrice(
  pricing: Readonly<Record<string, unknown>> | undefined,
): TokenPrice | undefined {
  const { prompt, completion, request = "0" } = pricing ?? {};
  if (typeof prompt !== "string" || typeof completion !== "string") return undefined;
  if (typeof request !== "string" || perMtok(request) !== 0) return undefined;
  const input = perMtok(prompt), output = perMtok(completion);
  if (input === undefined || output === undefined) return undefined;
  return { input_micro_usd_per_mtok: input, output_micro_usd_per_mtok: output };
}
