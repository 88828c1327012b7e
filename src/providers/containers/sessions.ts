/** The containers of sessions: made once, found again, kept while somebody holds them, and removed when nobody does. */
import { FileError } from "../../fs/error.ts";
import type { SessionSpec, SessionState } from "../../core/containers.ts";
import type { DockerCli } from "./cli.ts";
import { type FoundImage, type House, runArguments, sessionContainer } from "./container.ts";
import { engineFailure } from "./failure.ts";
import { findImage } from "./images.ts";
import { lanes } from "./lanes.ts";
import { type Listed, listed, look, remove } from "./listed.ts";
import { runContainer } from "./run.ts";
import { type Spares, sparesOf, tellTaken } from "./spares.ts";
import { unless } from "./unless.ts";

/** A start that takes longer has failed; the usual one takes a fifth of a second. */
const START_MS = 120_000;
const TELL_MS = 30_000;
/** For how long a session is spared by the sweeps of every minute once it was let go: whoever ends the runtime lets go of what shall live on. */
export const SPARED_MS = 60_000;

export interface Sessions {
  hold(session: string): void;
  release(session: string): void;
  start(spec: SessionSpec, signal: AbortSignal): Promise<void>;
  state(session: string): Promise<SessionState>;
  stop(session: string): Promise<void>;
  /** @param spares sessions that were let go a moment ago stay */
  sweep(spares: boolean): Promise<number>;
  /** Ends those that shall not outlive the runtime. */
  close(): Promise<void>;
}

/**
 * @param isBusy whether a container that is no session's is in use now
 * @param now milliseconds since the Unix epoch
 */
export function sessionsOf(
  cli: DockerCli,
  house: House,
  isBusy: (container: string) => boolean,
  now: () => number,
  ahead: Spares = sparesOf(cli, house, { most: 0 }, now),
): Sessions {
  const held = new Map<string, number>();
  const letGo = new Map<string, number>();
  const lane = lanes();

  const isHeld = ({ name, role, session }: Listed) => {
    if (role === "clone") return isBusy(name);
    return role === "spare" ? ahead.isOurs(name) : held.has(session);
  };
  const isSpared = ({ session }: Listed) => now() - (letGo.get(session) ?? -Infinity) < SPARED_MS;

  /** One that waits for it, or one that is made. */
  async function begin(name: string, spec: SessionSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const alike = ahead.like(spec);
    const image = findImage(cli, spec.image);
    const isNew = await alike.take(name, image) ||
      await made(cli, house, name, await image, spec, signal, now);
    // Whoever aborted wants none, but one of an earlier life is not for this call to end.
    if (signal.aborted && isNew) await remove(cli, name).catch(() => {});
    signal.throwIfAborted();
    alike.prepare(await image);
  }

  return {
    hold(session) {
      held.set(session, (held.get(session) ?? 0) + 1);
      letGo.delete(session);
    },

    release(session) {
      const more = (held.get(session) ?? 1) - 1;
      if (more > 0) return void held.set(session, more);
      held.delete(session);
      letGo.set(session, now());
    },

    async start(spec, signal) {
      const name = sessionContainer(spec.session_id);
      signal.throwIfAborted();
      await unless(signal, lane.run(name, () => begin(name, spec, signal)));
    },

    async state(session) {
      const found = await look(cli, sessionContainer(session));
      return found?.isRunning && found.home === house.home ? "running" : "absent";
    },

    async stop(session) {
      const name = sessionContainer(session);
      await lane.run(name, async () => {
        const found = await look(cli, name);
        if (found?.home === house.home) await remove(cli, name);
      });
      letGo.delete(session);
    },

    async sweep(spares) {
      const isOrphan = (one: Listed) => !isHeld(one) && !(spares && isSpared(one));
      let removed = 0;
      for (const one of (await listed(cli, house)).filter(isOrphan)) {
        await lane.run(one.name, async () => {
          // Somebody may have taken hold of it in the meantime.
          if (!isOrphan(one)) return;
          await remove(cli, one.name);
          removed++;
        });
      }
      for (const [session, at] of letGo) if (now() - at >= SPARED_MS) letGo.delete(session);
      return removed;
    },

    async close() {
      await lane.idle();
      await ahead.close();
      const all = await listed(cli, house);
      const over = all.filter(({ ends, role }) => ends || role === "spare");
      await Promise.all(over.map(({ name }) => remove(cli, name)));
    },
  };
}

/** False: it was there. */
async function made(
  cli: DockerCli,
  house: House,
  name: string,
  image: FoundImage,
  spec: SessionSpec,
  signal: AbortSignal,
  now: () => number,
): Promise<boolean> {
  const args = runArguments(house, {
    name,
    role: "session",
    image,
    spec,
    limits: spec.limits,
    ends: spec.ends_with_runtime,
    now: now(),
  });
  const run = async () => {
    signal.throwIfAborted();
    return await runContainer(cli, args, START_MS);
  };
  let ended = await run();
  if (isTaken(ended.stderr)) {
    if (await isTakenUp(cli, house, name)) return false;
    ended = await run();
  }
  if (ended.code === 0) return true;
  // The engine has made a container before it finds that it cannot start it.
  await remove(cli, name).catch(() => {});
  throw engineFailure("start", spec.session_id, ended);
}

function isTaken(stderr: string): boolean {
  return /Conflict\. The container name .* is already in use/i.test(stderr);
}

/** One that runs is the session's of an earlier life; a dead one makes room. */
async function isTakenUp(cli: DockerCli, house: House, name: string): Promise<boolean> {
  const found = await look(cli, name);
  if (found === undefined) return false;
  if (found.home !== house.home) {
    const detail = "another runtime on this engine has a session of this name";
    throw new FileError("conflict", "start", name, { detail });
  }
  // Between its two steps, its being taken may have come to an end with an earlier life.
  if (found.wasSpare) await cli.run(tellTaken(name), { withinMs: TELL_MS });
  if (found.isRunning) return true;
  await remove(cli, name);
  return false;
}
