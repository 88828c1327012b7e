/** All who run containers for a runtime, as its settings say: the Docker engine here. */
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import type { ContainerProvider, ContainerProviders } from "../../core/containers.ts";
import { docker } from "./docker.ts";
import { isReference } from "./images.ts";

/** With a shell, small, and known to work; the first that is there is taken where a request names none. */
export const DEFAULT_IMAGES = [
  "python:3.13-slim",
  "node:24-slim",
  "debian:13-slim",
  "alpine:3.22",
  "busybox:1.37",
] as const;
/** Fetches repositories. */
export const GIT_IMAGE = "alpine/git:2.49.1";

/** Containers that wait for sessions. */
export const DEFAULT_SPARES = 2;
const MAX_SPARES = 32;

const amount = z.int().nonnegative();
const image = z.string().refine(isReference, "a name of an image: NAME:TAG");
/** As the engine names them; nothing that its client could take for more than a name. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);

/** Settings as they are written down. */
export const containerSettings = z.strictObject({
  docker: z.strictObject({
    enabled: z.boolean().default(true),
    /** What a session costs for each second that it lives; 0: free. */
    price_micro_usd_per_second: amount.default(0),
    price_micro_usd_per_session: amount.default(0),
    /** Of the engine, such as `runsc`. */
    runtime: name.exactOptional(),
    /** For sessions that may have one. */
    network: name.refine(
      (network) => !["host", "none"].includes(network),
      "a network of the engine that is neither the host's own nor none",
    ).default("bridge"),
    /** How many containers are kept ready for sessions like those that were last begun; 0: none. */
    spares: amount.max(MAX_SPARES).default(DEFAULT_SPARES),
  }).prefault({}),
  /** What agents may use where their policy names no images; the first that is there is taken where a request names none. */
  images: z.array(
    image.refine(
      (name) => !name.includes("@"),
      "a name with its tag, not a digest: policies know images by these",
    ),
  )
    .min(1).max(64).default([...DEFAULT_IMAGES]),
  /** Has git, sh and tar. */
  git_image: image.default(GIT_IMAGE),
});
export type ContainerSettings = z.input<typeof containerSettings>;

export interface ContainerProvidersOptions extends ContainerSettings {
  /** Tells this runtime's containers from those of others on the same engine: 1 to 128 of letters, digits, "_", "." and "-". */
  readonly home: string;
  /** What Docker's client is started with besides this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Begins to look at the engine at once, in the background.
 * @throws FileError `invalid_request` for settings that cannot be
 */
export function containerProviders(options: ContainerProvidersOptions): ContainerProviders {
  const { home, env, ...written } = options;
  const { docker: engine, images, git_image } = settingsOf(written);
  const all: readonly ContainerProvider[] = engine.enabled
    ? [docker({
      home,
      images,
      gitImage: git_image,
      price: {
        micro_usd_per_second: engine.price_micro_usd_per_second,
        micro_usd_per_session: engine.price_micro_usd_per_session,
      },
      network: engine.network,
      spares: engine.spares,
      ...(engine.runtime === undefined ? {} : { runtime: engine.runtime }),
      ...(env && { env }),
    })]
    : [];
  return {
    list: () => all,
    get: (id) => all.find((one) => one.id === id),
    async refresh() {
      await Promise.all(all.map((one) => one.refresh()));
    },
    async close() {
      await Promise.all(all.map((one) => one.close()));
    },
  };
}

/** A word that is not known is a mistake that somebody wants to hear of. */
function settingsOf(written: ContainerSettings): z.output<typeof containerSettings> {
  const { data, error } = containerSettings.safeParse(written);
  if (data) return data;
  const { path, message } = error.issues[0]!;
  const what = z.core.toDotPath(["containers", ...path]);
  throw new FileError("invalid_request", "set up", what, { detail: message.slice(0, 500) });
}
