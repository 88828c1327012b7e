/** `providers/<id>/`: who runs containers: what it is and costs, which images are there, and whether it is up. */
import type { ContainerProvider, ContainerProviders } from "../../core/containers.ts";
import type { Node } from "../../fs/tree.ts";
import { sellersDir, told } from "../common/told.ts";

export function providersDir(providers: ContainerProviders): Node {
  return sellersDir<ContainerProvider>(providers, filesOf, "who runs containers");
}

function filesOf(provider: ContainerProvider) {
  return {
    info: told("what it is, what it costs, and its default images", () => provider.info()),
    images: told(
      "[{ name, id, size_bytes, created_at }]: the images that are there",
      () => provider.images(),
    ),
    health: told("{ status: up, down or unknown, checked_at, error? }", () => provider.health()),
  };
}
