/** The Docker engine of this machine as a provider of containers, spoken to by its own client. */
import { FileError } from "../../fs/error.ts";
import { type ContainerPrice, type ContainerProvider, fullImage } from "../../core/containers.ts";
import { dockerCli } from "./cli.ts";
import { clonesOf } from "./clone.ts";
import { type House, sessionContainer } from "./container.ts";
import { engineOf } from "./engine.ts";
import { every, type Repetition } from "./every.ts";
import { execIn, signalIn } from "./exec.ts";
import { filesIn } from "./files.ts";
import { pullImage } from "./images.ts";
import { sessionsOf } from "./sessions.ts";
import { sparesOf } from "./spares.ts";
import { usageOf } from "./usage.ts";

export const DOCKER = "docker";
const SWEEP_MS = 60_000;

export interface DockerOptions {
  /** Tells this runtime's containers from those of others on the same engine. */
  readonly home: string;
  /** What an empty `allowed_images` allows. */
  readonly images: readonly string[];
  /** Fetches repositories: has git, sh and tar. */
  readonly gitImage: string;
  /** Default: free. */
  readonly price?: ContainerPrice;
  /** For sessions that may have one. Default `bridge`. */
  readonly network?: string;
  /** Default: the engine's. */
  readonly runtime?: string;
  /** How many containers wait for sessions, at the most. Default: none. */
  readonly spares?: number;
  /** What the client is started with besides this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the URLs of repositories. Default: `https` alone. */
  readonly protocols?: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/**
 * Looks at the engine at once, in the background. Sweeps every minute from the first `sweep` on, which waits until all who live on hold what is theirs.
 * @throws FileError `invalid_request` for a home that can be no label
 */
export function docker(options: DockerOptions): ContainerProvider {
  const { images, gitImage, spares = 0, env = {}, protocols = ["https"] } = options;
  const { now = Date.now } = options;
  const price = options.price ?? { micro_usd_per_second: 0, micro_usd_per_session: 0 };
  const house = houseOf(options);
  const cli = dockerCli({ env });
  const engine = engineOf(cli, now);
  const clones = clonesOf(cli, house, { gitImage, protocols }, now);
  const ahead = sparesOf(cli, house, { most: spares }, now);
  const sessions = sessionsOf(cli, house, clones.isBusy, now, ahead);
  let sweeps: Repetition | undefined;
  let closing: Promise<void> | undefined;

  /** Those that are there first, so that the first is one that can be used. */
  function defaultImages(): readonly string[] {
    const there = new Set(engine.images().map(({ name }) => name));
    const isThere = (name: string) => Number(there.has(fullImage(name)));
    return [...images].sort((a, b) => isThere(b) - isThere(a));
  }

  async function end(): Promise<void> {
    sweeps?.stop();
    await clones.idle();
    // An engine that is gone has ended them all.
    await sessions.close().catch(() => {});
    await engine.close();
  }

  return {
    id: DOCKER,
    info() {
      const version = engine.version();
      return {
        id: DOCKER,
        type: "local",
        about: "containers of the Docker engine on this machine",
        price,
        default_images: defaultImages(),
        // By its digest it is in no list of those that are there.
        ...(gitImage.includes("@") ? {} : { git_image: gitImage }),
        ...(version === undefined ? {} : { engine: version }),
      };
    },
    health: engine.health,
    images: engine.images,
    hold: sessions.hold,
    release: sessions.release,
    start: (spec, signal) => engine.using(sessions.start(spec, signal)),
    state: (session) => engine.using(sessions.state(session)),
    clone: (session, repo, signal) => engine.using(clones.clone(session, repo, signal)),
    exec: (session, spec, how) =>
      engine.using(execIn(cli, sessionContainer(session), session, spec, how)),
    signal: (session, execId, name) =>
      engine.using(signalIn(cli, sessionContainer(session), execId, name)),
    files: (session) => filesIn(cli, sessionContainer(session)),
    usage: (session) => engine.using(usageOf(cli, sessionContainer(session))),
    stop: (session) => engine.using(sessions.stop(session)),
    async sweep() {
      if (closing === undefined) sweeps ??= every(SWEEP_MS, () => sessions.sweep(true));
      return await engine.using(sessions.sweep(false));
    },
    async pull(image, tell, signal) {
      await engine.using(pullImage(cli, image, tell, signal));
      await engine.look();
    },
    refresh: engine.look,
    close: () => closing ??= end(),
  };
}

function houseOf({ home, network = "bridge", runtime }: DockerOptions): House {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(home)) return { home, network, runtime };
  const detail = 'a home is told by 1 to 128 of letters, digits, "_", "." and "-"';
  throw new FileError("invalid_request", "set up", DOCKER, { detail });
}
