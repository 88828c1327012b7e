/** What can be asked: every model of every provider, and which of them a request names. */
import type {
  ComputeKind,
  ComputeProvider,
  ComputeProviders,
  ModelInfo,
  ProviderInfo,
} from "../../core/compute.ts";
import { globMatches, isPattern } from "../common/glob.ts";

/** One model at one provider. */
export interface Offer {
  readonly provider: ComputeProvider;
  readonly info: ProviderInfo;
  readonly model: ModelInfo;
}

export function offersOf(providers: ComputeProviders): Offer[] {
  return providers.list().flatMap(offersAt);
}

export function offersAt(provider: ComputeProvider): Offer[] {
  const info = provider.info();
  return provider.models().map((model) => ({ provider, info, model }));
}

/** `<provider>/<model>` */
export function fullName({ provider, model }: Offer): string {
  return `${provider.id}/${model.id}`;
}

/** Does `name` mean this offer: the model's name, `<provider>/<model>`, or a pattern of one of them? */
export function isNamed(offer: Offer, name: string): boolean {
  const { provider, info, model } = offer;
  if (!isPattern(name)) return name === model.id || name === fullName(offer);
  // A pattern names no model: who is chosen by name only needs at least its own to be in it.
  if (info.by_name_only && !name.startsWith(`${provider.id}/`)) return false;
  return globMatches(name, model.id) || globMatches(name, fullName(offer));
}

export function has({ model }: Offer, kind: ComputeKind): boolean {
  return model.kinds.includes(kind);
}

export function isDown({ provider }: Pick<Offer, "provider">): boolean {
  return provider.health().status === "down";
}

/** `ollama (connection refused)` */
export function whyDown(provider: ComputeProvider): string {
  const { error } = provider.health();
  return error === undefined ? provider.id : `${provider.id} (${error})`;
}
