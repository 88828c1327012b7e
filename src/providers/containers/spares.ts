/** Containers that are made ahead: each waits, has run nothing for anybody, and becomes the container of the next session like the one for which it was made, by its name alone. */
import type { SessionSpec } from "../../core/containers.ts";
import type { DockerCli } from "./cli.ts";
import {
  type FoundImage,
  type House,
  runArguments,
  SPARE_READY,
  spareContainer,
} from "./container.ts";
import { remove } from "./listed.ts";
import { runContainer } from "./run.ts";

/** One that nobody has taken for so long is removed. */
export const KEPT_MS = 300_000;
/** The session that has just begun has its first command before the next container is made. */
const AFTER_MS = 250;
const MAKE_MS = 120_000;
const TAKE_MS = 30_000;

export interface Spares {
  /** Those for sessions like this one. */
  like(spec: SessionSpec): LikeOne;
  /** Does the container of this name wait here, or is it made or taken now? */
  isOurs(container: string): boolean;
  /** When nothing is made or removed any more. */
  idle(): Promise<void>;
  /** Removes them all; none is made from now on. */
  close(): Promise<void>;
}

export interface LikeOne {
  /**
   * Gives a spare of this image to the session whose container has this name. False: there is none, or it could not be had, and nothing of it is left.
   * @param image as it is now: its name may have become another's since
   * @throws FileError `provider_unavailable` if what could not be used cannot be removed either
   */
  take(name: string, image: Promise<FoundImage>): Promise<boolean>;
  /** Makes one for the next, soon and in the background, if there is none. */
  prepare(image: FoundImage): void;
}

interface Spare {
  readonly name: string;
  readonly image: FoundImage;
  readonly spec: SessionSpec;
  /** When it is made, then when it has waited long enough. */
  timer?: ReturnType<typeof setTimeout>;
  /** Of the container, as soon as it can be taken. */
  id?: string;
  isDropped?: boolean;
}

export interface SparesOptions {
  /** Of all together; 0: none. */
  readonly most: number;
  /** Milliseconds from a session's start until the next one is made. */
  readonly afterMs?: number;
  /** Milliseconds. */
  readonly keptMs?: number;
}

/** @param now milliseconds since the Unix epoch */
export function sparesOf(
  cli: DockerCli,
  house: House,
  { most, afterMs = AFTER_MS, keptMs = KEPT_MS }: SparesOptions,
  now: () => number,
): Spares {
  /** By their shape, the one whose shape was used last at the end. */
  const all = new Map<string, Spare>();
  /** Names of all that there may be in the engine. */
  const ours = new Set<string>();
  const works = new Set<Promise<unknown>>();
  let isClosed = false;

  function inBackground(work: Promise<unknown>): void {
    // What cannot be removed now is removed by the next sweep.
    const done: Promise<unknown> = work.catch(() => {}).finally(() => works.delete(done));
    works.add(done);
  }

  function later(spare: Spare, ms: number, then: () => void): void {
    if (ms === 0) return then();
    const timer = setTimeout(then, ms);
    Deno.unrefTimer(timer);
    spare.timer = timer;
  }

  function argumentsOf({ name, image, spec }: Omit<Spare, "id">): string[] {
    return runArguments(house, {
      name,
      role: "spare",
      image,
      spec,
      limits: spec.limits,
      ends: spec.ends_with_runtime,
      now: now(),
    });
  }

  /** All that the engine is told of such a container, but whose it is and which image its name means now. */
  function shapeOf(spec: SessionSpec): string {
    const image = { name: spec.image, id: "", volumes: [], env: [] };
    return argumentsOf({ name: "", image, spec }).join("\0");
  }

  async function make(shape: string, spare: Spare): Promise<void> {
    const { name } = spare;
    try {
      ours.add(name);
      const options = { withinMs: MAKE_MS };
      const made = await runContainer(cli, argumentsOf(spare), MAKE_MS);
      const id = made.stdout.trim();
      const isMade = made.code === 0 && !spare.isDropped &&
        (await cli.run(["exec", id, "sh", "-c", SPARE_READY], options)).code === 0;
      if (isMade && !spare.isDropped) {
        spare.id = id;
        return later(spare, keptMs, () => drop(shape, spare));
      }
    } catch {
      // As with one that cannot be made: sessions begin without.
    }
    await away(shape, spare);
  }

  async function away(shape: string, spare: Spare): Promise<void> {
    if (all.get(shape) === spare) all.delete(shape);
    await removed(spare, spare.name);
  }

  /** Where it cannot be removed it is nobody's, and a sweep finds it. */
  async function removed(spare: Spare, container: string): Promise<void> {
    try {
      await remove(cli, container);
    } finally {
      ours.delete(spare.name);
    }
  }

  /** One that is being made sees it when it is. */
  function drop(shape: string, spare: Spare): void {
    clearTimeout(spare.timer);
    spare.isDropped = true;
    if (all.get(shape) === spare) all.delete(shape);
    if (spare.id !== undefined) inBackground(away(shape, spare));
  }

  function prepare(shape: string, spec: SessionSpec, image: FoundImage): void {
    if (isClosed || most <= 0) return;
    const known = all.get(shape);
    if (known) {
      all.delete(shape);
      all.set(shape, known);
      return;
    }
    for (const [shape, spare] of all) if (all.size >= most) drop(shape, spare);
    const spare: Spare = { name: spareContainer(crypto.randomUUID()), image, spec };
    all.set(shape, spare);
    later(spare, afterMs, () => inBackground(make(shape, spare)));
  }

  async function take(
    shape: string,
    name: string,
    image: Promise<FoundImage>,
  ): Promise<boolean> {
    const spare = all.get(shape);
    if (spare?.id === undefined) return false;
    // At once, so that nobody else takes it.
    all.delete(shape);
    clearTimeout(spare.timer);
    const options = { withinMs: TAKE_MS };
    const [found, renamed, told] = await Promise.allSettled([
      image,
      cli.run(["rename", spare.id, name], options),
      cli.run(tellTaken(spare.id), options),
    ]);
    const isIt = found.status === "fulfilled" && found.value.id === spare.image.id;
    const isDone = [renamed, told].every((one) =>
      one.status === "fulfilled" && one.value.code === 0
    );
    if (isIt && isDone) ours.delete(spare.name);
    // By its identifier, as it may have either name.
    else await removed(spare, spare.id);
    return isIt && isDone;
  }

  return {
    like(spec) {
      const shape = shapeOf(spec);
      return {
        take: (name, image) => take(shape, name, image),
        prepare: (image) => prepare(shape, spec, image),
      };
    },
    isOurs: (container) => ours.has(container),
    async idle() {
      while (works.size > 0) await Promise.all(works);
    },
    async close() {
      isClosed = true;
      for (const [shape, spare] of all) drop(shape, spare);
      await this.idle();
    },
  };
}

/** Says to a container that was a spare that it is a session's; said again, it does nothing. An error where it does not run. */
export function tellTaken(container: string): string[] {
  return ["kill", "--signal=USR1", container];
}
