/** How the engine is: looked at in the background, never on a caller's way, and again as soon as somebody asks for it who finds it down. */
import { hasCode } from "../../fs/error.ts";
import { isoTime } from "../../core/id.ts";
import type { ContainerHealth, ImageInfo } from "../../core/containers.ts";
import type { DockerCli } from "./cli.ts";
import { listImages } from "./images.ts";
import { plain } from "./words.ts";

/** What was seen is good for so long. */
export const FRESH_MS = 30_000;
/** One that is down is looked at again sooner. */
export const DOWN_MS = 1_000;
const LOOK_MS = 10_000;

export interface Engine {
  health(): ContainerHealth;
  images(): readonly ImageInfo[];
  /** `Docker 28.2.2 (linux/amd64)`, once it was asked. */
  version(): string | undefined;
  /** Looks now; its failure is what `health` tells. */
  look(): Promise<void>;
  /** As `work` ends; what it says of the engine is looked into. */
  using<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function engineOf(cli: DockerCli, now: () => number): Engine {
  let health: ContainerHealth = { status: "unknown", checked_at: null };
  let images: readonly ImageInfo[] = [];
  let version: string | undefined;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;
  let isClosed = false;

  async function lookOnce(): Promise<void> {
    const seen = { checked_at: isoTime(now()) };
    try {
      version = await versionOf(cli);
      images = await listImages(cli);
      health = { status: "up", ...seen };
    } catch (error) {
      health = { status: "down", ...seen, error: reason(error) };
    }
    lookedAt = now();
  }

  function look(): Promise<void> {
    if (isClosed) return Promise.resolve();
    const before = looking ?? Promise.resolve();
    const mine: Promise<void> = before.then(lookOnce).finally(() => {
      if (looking === mine) looking = undefined;
    });
    return looking = mine;
  }

  function lookIfOld(): void {
    const good = health.status === "up" ? FRESH_MS : DOWN_MS;
    if (looking === undefined && now() - lookedAt >= good) look();
  }

  look();
  return {
    health() {
      lookIfOld();
      return health;
    },
    images() {
      lookIfOld();
      return images;
    },
    version: () => version,
    look,
    async using(work) {
      try {
        const done = await work;
        if (health.status === "down") lookIfOld();
        return done;
      } catch (error) {
        if (hasCode(error, "provider_unavailable") && looking === undefined) look();
        throw error;
      }
    },
    async close() {
      isClosed = true;
      await looking;
    },
  };
}

async function versionOf(cli: DockerCli): Promise<string> {
  const format = "{{.Server.Version}} ({{.Server.Os}}/{{.Server.Arch}})";
  return `Docker ${
    plain(await cli.ask(["version", "--format", format], "docker", { withinMs: LOOK_MS }), 100)
  }`;
}

/** The sentence alone: where it is shown, it is said what it is about. */
function reason(error: unknown): string {
  const { detail, message } = error as { detail?: string; message?: string };
  return detail ?? plain(message ?? String(error));
}
