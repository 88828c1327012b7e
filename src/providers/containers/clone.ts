/** Repositories for sessions: each is fetched in a container of its own, which alone has a network and the credential, and only its files go over. */
import { FileError, hasCode } from "../../fs/error.ts";
import type { CloneSpec, SessionSpec } from "../../core/containers.ts";
import { type DockerCli, type DockerProcess, type Ended, firstOf } from "./cli.ts";
import { cloneContainer, type House, runArguments, sessionContainer } from "./container.ts";
import { engineFailure } from "./failure.ts";
import {
  FETCH,
  fetchFailure,
  type Fetching,
  fetching,
  PACK,
  UNPACK,
  unpackFailure,
} from "./fetching.ts";
import { findImage } from "./images.ts";
import { lossOf, remove } from "./listed.ts";
import { runContainer } from "./run.ts";
import { unless } from "./unless.ts";

const START_MS = 120_000;
/** What git needs besides the files, which lie in memory too. */
const GIT_MEMORY_MB = 128;

export interface Clones {
  clone(session: SessionSpec, repo: CloneSpec, signal: AbortSignal): Promise<void>;
  /** Is the container of this name fetching something? */
  isBusy(container: string): boolean;
  /** When all have put their containers away. */
  idle(): Promise<void>;
}

/**
 * @param gitImage has git, sh and tar
 * @param protocols of a repository's URL: `https`
 */
export function clonesOf(
  cli: DockerCli,
  house: House,
  { gitImage, protocols }: { readonly gitImage: string; readonly protocols: readonly string[] },
  now: () => number,
): Clones {
  const busy = new Map<string, Promise<void>>();

  async function cloning(
    name: string,
    spec: SessionSpec,
    repo: CloneSpec,
    signal: AbortSignal,
  ): Promise<void> {
    const told = fetching(repo, protocols);
    const image = await gitImageOf(cli, gitImage);
    const args = runArguments(house, {
      name,
      role: "clone",
      image,
      spec: { ...spec, allow_root: false },
      limits: {
        ...spec.limits,
        max_memory_mb: spec.limits.max_memory_mb + GIT_MEMORY_MB,
        allow_network: true,
      },
      ends: true,
      now: now(),
    });
    signal.throwIfAborted();
    try {
      // What an earlier life has left of that name holds nothing that anybody needs.
      await remove(cli, name);
      const made = await runContainer(cli, args, START_MS);
      if (made.code !== 0) throw engineFailure("clone", repo.url, made);
      await fetchIn(cli, name, repo, told, signal);
      await carry(cli, name, spec, repo, told, signal);
    } finally {
      await remove(cli, name).catch(() => {});
    }
  }

  return {
    async clone(session, repo, signal) {
      signal.throwIfAborted();
      const name = cloneContainer(session.session_id);
      if (busy.has(name)) {
        const detail = "a repository is being put into this session already";
        throw new FileError("conflict", "clone", repo.url, { detail });
      }
      const work = cloning(name, session, repo, signal).finally(() => busy.delete(name));
      busy.set(name, work);
      await unless(signal, work);
    },
    isBusy: (container) => busy.has(container),
    async idle() {
      await Promise.allSettled(busy.values());
    },
  };
}

async function gitImageOf(cli: DockerCli, name: string) {
  try {
    return await findImage(cli, name);
  } catch (error) {
    if (!hasCode(error, "not_found")) throw error;
    throw new FileError("not_found", "clone", name, {
      detail:
        `repositories are fetched with this image, and it is not there; an operator gets it with: agentd images pull ${name}`,
    });
  }
}

async function fetchIn(
  cli: DockerCli,
  name: string,
  repo: CloneSpec,
  { stdin }: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const args = ["exec", "--interactive", name, "sh", "-c", FETCH];
  const ended = await cli.run(args, { stdin, signal });
  if (ended.code === 0) return;
  throw await lost(cli, name, ended) ?? fetchFailure(repo, ended);
}

/** From one container into the other, through here and no faster than the other takes it. */
async function carry(
  cli: DockerCli,
  name: string,
  spec: SessionSpec,
  repo: CloneSpec,
  { dir }: Fetching,
  signal: AbortSignal,
): Promise<void> {
  const session = sessionContainer(spec.session_id);
  const from = cli.open(["exec", name, "sh", "-c", PACK, "sh", dir]);
  const to = cli.open(["exec", "--interactive", session, ...UNPACK]);
  const kill = () => [from, to].forEach((process) => process.kill());
  signal.addEventListener("abort", kill, { once: true });
  try {
    const [packed, unpacked] = await piped(from, to);
    signal.throwIfAborted();
    if (unpacked.code !== 0) {
      throw await lost(cli, session, unpacked) ?? unpackFailure(repo, spec.image, unpacked);
    }
    if (packed.code !== 0) throw await lost(cli, name, packed) ?? fetchFailure(repo, packed);
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

async function piped(from: DockerProcess, to: DockerProcess): Promise<[Ended, Ended]> {
  const [packed, unpacked] = await Promise.all([
    from.ended,
    to.ended,
    from.stdin.close().catch(() => {}),
    // The engine says there, of all places, that there is no such program; and its client dies of a reader that has gone.
    firstOf(to.stdout, 0),
    // How it came to an end is told by the exit codes.
    from.stdout.pipeTo(to.stdin).catch(() => {}),
  ]);
  return [packed, unpacked];
}

/** Undefined: the container is there, so that it was the command that failed. */
async function lost(
  cli: DockerCli,
  container: string,
  { code, stderr }: Ended,
): Promise<FileError | undefined> {
  const isEngine =
    /Error response from daemon|Cannot connect to the Docker daemon|error during connect/i;
  if (code !== 137 && !isEngine.test(stderr)) return undefined;
  const loss = await lossOf(cli, container);
  return code === 137 && loss.code === "provider_unavailable" ? undefined : loss;
}
