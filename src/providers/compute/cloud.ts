/** Model sellers of the network, by key: those that are known by name, and any other OpenAI-compatible one. */
import { FileError } from "../../fs/error.ts";
import type {
  ComputeKind,
  ComputeProvider,
  ModelCall,
  ModelInfo,
  TokenPrice,
} from "../../core/compute.ts";
import type { LocalOptions } from "./local.ts";
import { factsOf, kindsOf, type ListedModel } from "./models.ts";
import { type OpenAiOptions, openAiServer } from "./openai.ts";
import { isHere } from "./place.ts";
import type { Adapt } from "./wire.ts";
import { listFacts, priceHoldsTokens, PRICES_DATE, toldPrice } from "./prices.ts";

interface Known {
  readonly name: string;
  readonly url: string;
  /** The name of the secret, where settings give none. */
  readonly secret: string;
  readonly prices: string;
  kinds(id: string): readonly ComputeKind[];
  facts(listed: ListedModel): Partial<ModelInfo>;
  readonly adapt?: Adapt;
  readonly list?: NonNullable<OpenAiOptions["list"]>;
  /** A longer prompt costs more than the price of the model. */
  priceHoldsTokens?(model: string): number | undefined;
}

const chatOnly = (): readonly ComputeKind[] => ["chat"];
/** OpenAI takes plain completions from these alone. */
const COMPLETES = /^(?:gpt-3\.5-turbo-instruct|davinci-002|babbage-002)/;

export const VENDORS = {
  openai: {
    name: "OpenAI",
    url: "https://api.openai.com/v1",
    secret: "OPENAI_API_KEY",
    prices: `list prices of ${PRICES_DATE}`,
    kinds: (id) => kindsOf(id).filter((kind) => (kind === "complete") === COMPLETES.test(id)),
    facts: ({ id }) => listFacts("openai", id),
    priceHoldsTokens: (model) => priceHoldsTokens("openai", model),
    // Its newer models refuse the older name, and no model refuses the newer one.
    adapt: ({ max_tokens, ...rest }) =>
      max_tokens === undefined ? rest : { max_completion_tokens: max_tokens, ...rest },
  },
  anthropic: {
    name: "Anthropic",
    url: "https://api.anthropic.com/v1",
    secret: "ANTHROPIC_API_KEY",
    prices: `list prices of ${PRICES_DATE}`,
    kinds: chatOnly,
    facts: ({ id }) => listFacts("anthropic", id),
    priceHoldsTokens: (model) => priceHoldsTokens("anthropic", model),
    // Its list is the one of its own API, in pages of 20 where nothing else is said.
    list: {
      query: { limit: "1000" },
      keyHeaders: (key) => ({ "x-api-key": key, "anthropic-version": "2023-06-01" }),
    },
  },
  openrouter: {
    name: "OpenRouter",
    url: "https://openrouter.ai/api/v1",
    secret: "OPENROUTER_API_KEY",
    prices: "prices as it tells them",
    kinds: chatOnly,
    facts: ({ pricing }) => ({ price: toldPrice(pricing) }),
  },
} as const satisfies Readonly<Record<string, Known>>;
export type VendorName = keyof typeof VENDORS;

export interface CloudSeller {
  readonly id: string;
  /** One that is known; absent for any other API. */
  readonly vendor?: VendorName | undefined;
  /** As `cloudUrl` gives it. */
  readonly url: string;
  /** Asked for at each exchange, and kept nowhere. */
  readonly key: () => string | undefined;
  readonly keyName: string;
  /** Set by an operator, by model; before all lists. */
  readonly prices?: Readonly<Record<string, TokenPrice>> | undefined;
}

/** Of a prompt, no text has fewer bytes a token for long. */
const MIN_BYTES_PER_TOKEN = 2;

/** Lists of the clouds change rarely. */
export const CLOUD_REFRESH_MS = 10 * 60_000;

/** Where it is asked. @throws FileError `invalid_request` where the key would go over the network in the clear */
export function cloudUrl(
  id: string,
  vendor: VendorName | undefined,
  set: string | undefined,
): string {
  const url = set ?? (vendor && VENDORS[vendor].url);
  if (url === undefined) throw refusal(id, "it needs a url, or a vendor that is known");
  if (!url.startsWith("https:") && !isHere(url)) {
    throw refusal(id, `a key is sent by https only, not to ${new URL(url).origin}`);
  }
  return url;
}

export function cloudProvider(seller: CloudSeller, options: LocalOptions): ComputeProvider {
  const { id, url, key, keyName, prices = {} } = seller;
  const vendor: Known | undefined = seller.vendor && VENDORS[seller.vendor];
  const own = new Map(Object.entries(prices));
  const modelOf = (listed: ListedModel): ModelInfo | undefined => {
    const kinds = vendor ? vendor.kinds(listed.id) : kindsOf(listed.id);
    if (kinds.length === 0) return undefined;
    const facts = vendor ? vendor.facts(listed) : { price: toldPrice(listed.pricing) };
    const model = { price: undefined, ...facts, ...factsOf(listed), kinds };
    return { ...model, price: own.get(listed.id) ?? model.price };
  };
  const check = ({ model, input }: ModelCall) => {
    const holds = own.has(model) ? undefined : vendor?.priceHoldsTokens?.(model);
    if (holds !== undefined) mustBeShort(`${id}/${model}`, input, holds);
  };
  const about = vendor
    ? `${vendor.name}, by key; ${vendor.prices}`
    : `an API at ${new URL(url).host}, by key`;
  const refreshMs = options.refreshMs ?? CLOUD_REFRESH_MS;
  return openAiServer({
    ...options,
    refreshMs,
    id,
    type: "cloud",
    about,
    url,
    key,
    keyName,
    modelOf,
    adapt: vendor?.adapt,
    list: vendor?.list,
    check,
  });
}

/** What it costs must be known before it is bought. */
function mustBeShort(what: string, input: unknown, holdsTokens: number): void {
  const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
  const limit = holdsTokens * MIN_BYTES_PER_TOKEN;
  if (bytes <= limit) return;
  throw new FileError("too_large", "ask", what, {
    detail: `the price that is known holds for prompts of ${holdsTokens} tokens, and this one of ` +
      `${bytes} bytes may have more; an operator may set a price for the model`,
    extra: { limit_bytes: limit, asked: false, retryable: false },
  });
}

function refusal(id: string, detail: string): FileError {
  return new FileError("invalid_request", "set up", id, { detail });
}
