/** `providers/<id>/`: who can be asked: what it is, what models it has, and whether it is up. */
import type { ComputeProvider, ComputeProviders, ModelInfo } from "../../core/compute.ts";
import { isFree } from "../../core/price.ts";
import { byteOrder, segmentFault } from "../../fs/path.ts";
import { dir, each, file, type Node } from "../../fs/tree.ts";
import { JSON_TYPE } from "../common/json.ts";

export function providersDir(providers: ComputeProviders): Node {
  return each({
    list: ({ after, limit }) =>
      providers.list()
        .map(({ id }) => id)
        .filter((id) => segmentFault(id) === undefined)
        .filter((id) => after === undefined || byteOrder(id, after) > 0)
        .sort(byteOrder)
        .slice(0, limit)
        .map((name) => ({ name, dir: true })),
    get(name) {
      const found = providers.get(name);
      return found && seller(found);
    },
  }, { about: "who can be asked; what is found on this machine comes and goes" });
}

function seller(provider: ComputeProvider): Node {
  return dir({
    info: told("what it is, and how fast it was", () => provider.info()),
    models: told(
      "[{ id, kinds, price, context_tokens?, max_output_tokens?, tools?, rank? }]; prices are " +
        "micro-USD for a million tokens, null if not known",
      () => provider.models().map(shown),
    ),
    health: told("{ status: up, down or unknown, checked_at, error? }", () => provider.health()),
  });
}

function shown(model: ModelInfo) {
  return { ...model, price: model.price ?? null, free: isFree(model.price) };
}

function told(about: string, value: () => unknown): Node {
  return file({ type: JSON_TYPE, about, read: () => JSON.stringify(value()) });
}
