/** `providers/<id>/`: who can be asked: what it is, what models it has, and whether it is up. */
import type { ComputeProvider, ComputeProviders, ModelInfo } from "../../core/compute.ts";
import { isFree } from "../../core/price.ts";
import type { Node } from "../../fs/tree.ts";
import { sellersDir, told } from "../common/told.ts";

export function providersDir(providers: ComputeProviders): Node {
  const about = "who can be asked; what is found on this machine comes and goes";
  return sellersDir<ComputeProvider>(providers, filesOf, about);
}

function filesOf(provider: ComputeProvider) {
  return {
    info: told("what it is, and how fast it was", () => provider.info()),
    models: told(
      "[{ id, kinds, price, context_tokens?, max_output_tokens?, tools?, rank? }]; prices are " +
        "micro-USD for a million tokens, null if not known",
      () => provider.models().map(shown),
    ),
    health: told("{ status: up, down or unknown, checked_at, error? }", () => provider.health()),
  };
}

function shown(model: ModelInfo) {
  return { ...model, price: model.price ?? null, free: isFree(model.price) };
}
