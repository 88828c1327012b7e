/** The router: who answers a request, and who does where that one fails; or why nobody may or can. */
import type { ComputeProviders, ComputeRequest } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";
import { refusal } from "../../fs/tree.ts";
import type { FileError } from "../../fs/error.ts";
import type { Size } from "./estimate.ts";
import {
  fullName,
  has,
  isDown,
  isNamed,
  type Offer,
  offersAt,
  offersOf,
  whyDown,
} from "./offers.ts";
import { type ComputePolicy, forbids } from "./policy.ts";
import { byPreference } from "./prefer.ts";
import { mediaParts, urlOf } from "./request.ts";

/** Models that a refusal names. */
const MAX_TOLD = 50;
const ADVICE = "start a model server on this machine (Ollama, llama.cpp, LM Studio, vLLM), give " +
  "the URL of one, or the key of a cloud provider";

export interface Choice {
  readonly first: Offer;
  /** Asked where the first fails before its first word. */
  readonly fallback: Offer | undefined;
}

export interface Asked {
  readonly request: ComputeRequest;
  readonly size: Size;
  readonly policy: ComputePolicy;
}

/**
 * @throws FileError `permission_denied` with the rule that forbids it, `not_supported` for a kind or an input that no model has,
 * `not_found` with the models that there are, `provider_unavailable` when nobody who has it is up
 */
export function choose(providers: ComputeProviders, asked: Asked): Choice {
  const { request, policy } = asked;
  const all = offersOf(providers);
  const named = all.filter((offer) => isNamed(offer, request.model));
  const allowed = allowedOf(named, asked);
  mustBeAKind(all, request);
  if (named.length === 0) throw unknown(providers, all, asked);
  const able = ableOf(allowed, request);
  const up = able.filter((offer) => !isDown(offer));
  const first = preferred(up, asked);
  const fallback = fallbackOf(providers, first ?? able[0]!, asked);
  if (first) return { first, fallback };
  if (fallback && !isDown(fallback)) return { first: fallback, fallback: undefined };
  throw nobodyUp(able, policy);
}

function preferred(offers: readonly Offer[], { request, size, policy }: Asked): Offer | undefined {
  const wantsTools = request.kind === "chat" && toolsOf(request.input).length > 0;
  return byPreference(offers, { prefer: policy.prefer, size, wantsTools })[0];
}

function toolsOf(input: Json): readonly Json[] {
  return (input as { tools?: Json[] }).tools ?? [];
}

function allowedOf(named: readonly Offer[], { request, policy }: Asked): Offer[] {
  const rules = named.map(({ provider, model }) => forbids(policy, provider.id, model.id));
  const allowed = named.filter((_, i) => rules[i] === undefined);
  if (allowed.length > 0) return allowed;
  // Of a model that is forbidden, it is not told whether there is one.
  const why = rules[0] ?? forbids(policy, undefined, request.model);
  if (why === undefined) return [];
  throw refusal("permission_denied", `${why}; an operator changes it in /compute/policy`);
}

function mustBeAKind(all: readonly Offer[], { kind }: ComputeRequest): void {
  if (all.length === 0 || all.some((offer) => has(offer, kind))) return;
  const kinds = [...new Set(all.flatMap(({ model }) => model.kinds))].sort();
  throw refusal("not_supported", `no provider has ${kind}; there is ${kinds.join(", ")}`);
}

function unknown(providers: ComputeProviders, all: readonly Offer[], asked: Asked): FileError {
  const { request, policy } = asked;
  const down = providers.list().filter((provider) => isDown({ provider }));
  const isAnyUp = providers.list().some((provider) =>
    !isDown({ provider }) && !provider.info().by_name_only
  );
  const models = modelsFor(all.filter((offer) => !isDown(offer)), asked);
  const there = models.length > 0 ? `there is ${listed(models)}` : `there is no model`;
  const lost = down.length > 0 ? `; down: ${down.map(whyDown).join(", ")}` : "";
  const extra = { models: models.slice(0, MAX_TOLD) };
  const what = `no provider has the model ${JSON.stringify(request.model)}`;
  if (down.length > 0 && !isAnyUp) {
    return refusal(
      "provider_unavailable",
      `${what}${lost}; start one of them, or ${ADVICE}`,
      extra,
    );
  }
  const unseen = providers.list().filter((provider) => provider.health().status === "unknown");
  if (unseen.length > 0) {
    const names = unseen.map(({ id }) => id).join(", ");
    const detail = `${what} so far; not looked at yet: ${names}; ask again in a moment`;
    return refusal("provider_unavailable", detail, { ...extra, retryable: true });
  }
  const advice = isAnyUp ? "" : `; ${ADVICE}`;
  const rule = policy.blocked_models.length > 0 ? " that the policy allows" : "";
  return refusal("not_found", `${what}${rule}; ${there}${lost}${advice}`, extra);
}

function modelsFor(all: readonly Offer[], { request, policy }: Asked): string[] {
  const names = all
    .filter((offer) => has(offer, request.kind))
    .filter(({ provider, model }) => forbids(policy, provider.id, model.id) === undefined)
    .map(({ model }) => model.id);
  return [...new Set(names)];
}

function listed(names: readonly string[]): string {
  const more = names.length > MAX_TOLD ? ` and ${names.length - MAX_TOLD} more` : "";
  return names.slice(0, MAX_TOLD).join(", ") + more;
}

/** Those that have the kind, and take what the messages hold. */
function ableOf(offers: readonly Offer[], request: ComputeRequest): Offer[] {
  const { kind } = request;
  const ofKind = offers.filter((offer) => has(offer, kind));
  if (ofKind.length === 0) {
    const kinds = [...new Set(offers.flatMap(({ model }) => model.kinds))].join(", ");
    throw refusal("not_supported", `${request.model} has no ${kind}; it has ${kinds}`);
  }
  const media = mediaParts(request);
  if (media.length === 0) return ofKind;
  const able = ofKind.filter((offer) => has(offer, "image_analyze"));
  const what = media[0]!.type;
  if (able.length === 0) {
    throw refusal("not_supported", `${request.model} takes text and no part of type ${what}`);
  }
  if (media.some((part) => !/^(?:data:|https?:)/i.test(urlOf(part) ?? "data:"))) {
    throw refusal("not_supported", `a part of type ${what} is given by data URL, not by path`);
  }
  return able;
}

/** The policy's fallback for this request: the same model there, or the one it names, or the best it has. */
function fallbackOf(
  providers: ComputeProviders,
  first: Offer,
  asked: Asked,
): Offer | undefined {
  const { request, policy } = asked;
  const name = policy.fallback_provider;
  if (name === undefined) return undefined;
  const slash = name.indexOf("/");
  const whole = providers.get(name);
  const provider = whole ?? (slash < 0 ? undefined : providers.get(name.slice(0, slash)));
  if (!provider) return undefined;
  const model = whole ? undefined : name.slice(slash + 1);
  const others = offersAt(provider).filter((offer) =>
    fullName(offer) !== fullName(first) &&
    (model === undefined || offer.model.id === model) &&
    has(offer, request.kind) &&
    (mediaParts(request).length === 0 || has(offer, "image_analyze")) &&
    forbids(policy, provider.id, offer.model.id) === undefined
  );
  return others.find((offer) => offer.model.id === first.model.id) ?? preferred(others, asked);
}

function nobodyUp(able: readonly Offer[], { fallback_provider }: ComputePolicy): FileError {
  const down = [...new Set(able.map(({ provider }) => provider))];
  const names = [...new Set(able.map(({ model }) => model.id))].join(", ");
  const fallback = fallback_provider === undefined
    ? "or let the policy name a fallback_provider"
    : `its fallback ${fallback_provider} cannot answer either`;
  return refusal(
    "provider_unavailable",
    `nobody who has ${names} is up: ${down.map(whyDown).join(", ")}; start it, name another ` +
      `model, ${fallback}`,
  );
}
