/** Where a session runs, and of which image: what the policy allows and what is there; or why not, and what to do. */
import {
  type ContainerProvider,
  type ContainerProviders,
  type ContainerRequest,
  fullImage,
} from "../../core/containers.ts";
import { refusal } from "../../fs/tree.ts";
import { globMatches } from "../common/glob.ts";
import { listed } from "../common/policy.ts";
import { type ContainerPolicy, forbids, mustAllow } from "./policy.ts";

export interface Place {
  readonly provider: ContainerProvider;
  /** With its tag, as the provider has it. */
  readonly image: string;
}

type Asked = Pick<ContainerRequest, "kind" | "image" | "provider" | "repo">;

/** @throws FileError `not_supported`, `permission_denied`, `not_found` (the provider), `provider_unavailable`; nothing has begun then */
export async function choose(
  providers: ContainerProviders,
  asked: Asked,
  policy: ContainerPolicy,
): Promise<Place> {
  if (asked.kind.startsWith("custom:")) {
    throw refusal("not_supported", `no provider has sessions of kind ${asked.kind}`);
  }
  const [first, ...others] = candidates(providers, asked, policy);
  try {
    return await placeAt(first!, asked, policy);
  } catch (error) {
    // The refusal of the one that is preferred is told, where no other takes it.
    for (const other of others) {
      const place = await placeAt(other, asked, policy).catch(() => undefined);
      if (place) return place;
    }
    throw error;
  }
}

/** At least one, the preferred first. */
function candidates(
  providers: ContainerProviders,
  { provider: wanted }: Asked,
  policy: ContainerPolicy,
): readonly ContainerProvider[] {
  const all = providers.list();
  if (all.length === 0) {
    throw refusal(
      "provider_unavailable",
      "this runtime has nobody who runs containers; an operator installs Docker and starts it, " +
        "then agentd doctor tells what is missing",
    );
  }
  const named = wanted === undefined ? all : all.filter(({ id }) => id === wanted);
  if (named.length === 0) {
    const ids = listed(all.map(({ id }) => id));
    throw refusal("not_found", `there is no provider ${JSON.stringify(wanted)}; there is ${ids}`);
  }
  const allowed = named.filter(({ id }) =>
    policy.allowed_providers.some((pattern) => globMatches(pattern, id))
  );
  const names = listed(named.map(({ id }) => id));
  mustAllow(
    allowed.length > 0,
    `${names} is not among the allowed_providers (${listed(policy.allowed_providers)})`,
  );
  return allowed.toSorted((a, b) => rank(a, policy) - rank(b, policy));
}

function rank(provider: ContainerProvider, { prefer }: ContainerPolicy): number {
  const { type, price } = provider.info();
  if (prefer === "local") return type === "local" ? 0 : 1;
  return price.micro_usd_per_session + 60 * price.micro_usd_per_second;
}

async function placeAt(
  provider: ContainerProvider,
  { image, repo }: Asked,
  policy: ContainerPolicy,
): Promise<Place> {
  const info = provider.info();
  if (image !== undefined) {
    const why = forbids(policy, info, image);
    mustAllow(why === undefined, why ?? "");
  }
  const wanted = image === undefined
    ? info.default_images.filter((name) => forbids(policy, info, name) === undefined)
    : [image];
  mustAllow(wanted.length > 0, "none of the default images is allowed: say which image is meant");
  // What the policy says of images is about those that an agent's code runs in.
  const needed = repo && info.git_image !== undefined ? [wanted, [info.git_image]] : [wanted];
  const find = () => needed.map((names) => thereAt(provider, names));
  let found = find();
  if (found.includes(undefined)) {
    // It may have come since somebody looked.
    await provider.refresh();
    found = find();
  }
  const absent = found.indexOf(undefined);
  if (absent < 0) return { provider, image: found[0]! };
  const { status, error } = provider.health();
  if (status !== "up") {
    throw refusal(
      "provider_unavailable",
      `${provider.id} is ${status}${error === undefined ? "" : `: ${error}`}`,
    );
  }
  const name = needed[absent]![0]!;
  throw refusal(
    "provider_unavailable",
    `the image ${name}${absent > 0 ? ", which fetches repositories," : ""} is not at ` +
      `${provider.id}; an operator fetches it by: agentd images pull ${name}`,
    { image: name },
  );
}

/** An image is known by its name alone: what it is called in the policy is what is run. */
function thereAt(provider: ContainerProvider, wanted: readonly string[]): string | undefined {
  if (provider.health().status === "down") return undefined;
  const there = new Set(provider.images().map(({ name }) => fullImage(name)));
  return wanted.map(fullImage).find((name) => there.has(name));
}
