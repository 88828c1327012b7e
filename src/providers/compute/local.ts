/** Model servers on this machine: found where they usually are, or set by their URL. What they answer costs nothing. */
import type { ComputeProvider, ModelInfo } from "../../core/compute.ts";
import type { SellerWorld } from "./carrier.ts";
import { factsOf, kindsOf, type ListedModel } from "./models.ts";
import { openAiServer } from "./openai.ts";
import { isOwn } from "./place.ts";

/** Who is looked for. */
export interface Usual {
  readonly id: string;
  readonly name: string;
  readonly url: string;
}

const usual = (id: string, name: string, port: number): Usual => ({
  id,
  name,
  url: `http://127.0.0.1:${port}/v1`,
});
export const USUAL_PLACES: readonly Usual[] = [
  usual("ollama", "Ollama", 11434),
  usual("llama.cpp", "llama.cpp", 8080),
  // Where it goes when agentd has the port that both like.
  usual("llama.cpp-8081", "llama.cpp", 8081),
  usual("lmstudio", "LM Studio", 1234),
  usual("vllm", "vLLM", 8000),
];

/** What every agentd sends: it sells other people's models, at worst ours. */
const AGENTD = "x-agentd";
const FREE = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };

export interface LocalOptions {
  readonly world: SellerWorld;
  readonly stallMs?: number | undefined;
  readonly maxAnswerBytes?: number | undefined;
  readonly refreshMs?: number | undefined;
}

export interface SetServer {
  readonly id: string;
  readonly url: string;
  readonly key?: (() => string | undefined) | undefined;
  readonly keyName?: string | undefined;
}

/** A server that somebody runs and has set by its URL. */
export function setServer(
  { id, url, key, keyName }: SetServer,
  options: LocalOptions,
): ComputeProvider {
  const about = `a model server at ${new URL(url).host}`;
  return openAiServer({ ...options, id, type: "local", about, url, key, keyName, modelOf });
}

export interface Discovery {
  /** Those that were found, whether or not they are up at the moment. */
  list(): readonly ComputeProvider[];
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Looks at each place again and again.
 * @param own where this program itself listens, as URLs; asked for at each look at the list
 */
export function discovery(
  places: readonly Usual[],
  own: () => readonly string[],
  options: LocalOptions,
): Discovery {
  const looked = places.map((place) => ({ place, seller: found(place, own, options) }));
  const known = new Set<ComputeProvider>();
  return {
    list() {
      for (const { place, seller } of looked) {
        if (isOwn(place.url, own())) known.delete(seller);
        else if (seller.health().status === "up") known.add(seller);
      }
      return looked.map(({ seller }) => seller).filter((seller) => known.has(seller));
    },
    async refresh() {
      await Promise.all(looked.map(({ seller }) => seller.refresh()));
    },
    async close() {
      await Promise.all(looked.map(({ seller }) => seller.close()));
    },
  };
}

function found(
  { id, name, url }: Usual,
  own: () => readonly string[],
  options: LocalOptions,
): ComputeProvider {
  const about = `${name}, found at ${new URL(url).host}`;
  const foreign = (headers: Headers) =>
    headers.has(AGENTD) || isOwn(url, own()) ? "another agentd answers here" : undefined;
  return openAiServer({ ...options, id, type: "local", about, url, modelOf, foreign });
}

function modelOf(listed: ListedModel): ModelInfo | undefined {
  const kinds = kindsOf(listed.id);
  if (kinds.length === 0) return undefined;
  // Most servers here can embed with any model; one that cannot says so.
  const all = kinds.includes("embeddings") ? kinds : [...kinds, "embeddings" as const];
  return { ...factsOf(listed), kinds: all, price: FREE };
}
