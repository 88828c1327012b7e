/** Tries points at which something dies, one after the other, until a run comes to its end without dying. */
import {
  type Deaths,
  type HostMortal,
  type MakeWorkload,
  type Mortal,
  through,
  throughHost,
  type When,
} from "../../conformance/crash.ts";

export interface Some {
  /** The first point that is tried; by default 1. */
  readonly from?: number;
  /** Every so manyth; by default every one. */
  readonly stride?: number;
  /** Deaths of earlier lives. */
  readonly before?: Deaths;
}

function pointed(where: string, error: unknown): Error {
  return new Error(`${where}: ${(error as Error).message}`, { cause: error });
}

/**
 * The runtime dies at touches of its storage: before each, and, where the touch changes rows, also after it. Answers how many points were tried. Rejects
 * naming the point after which the end was wrong.
 */
export async function storagePoints(
  make: MakeWorkload,
  mortal: Mortal,
  { from = 1, stride = 1, before = [] }: Some = {},
): Promise<number> {
  async function dies(at: number, when: When) {
    const deaths = [...before, { at, when }];
    try {
      return await through(make(), deaths, mortal);
    } catch (error) {
      const where = deaths.map(({ at, when }) => `${when} touch ${at}`).join(", then ");
      throw pointed(where, error);
    }
  }
  let tried = 0;
  for (let at = from;; at += stride) {
    const { died, wrote } = await dies(at, "before");
    if (!died) return tried;
    tried++;
    if (!wrote) continue;
    await dies(at, "after");
    tried++;
  }
}

/** The runtime dies, and once more while it recovers. */
export async function secondPoints(
  make: MakeWorkload,
  mortal: Mortal,
  { first, second }: { readonly first: number; readonly second: number },
): Promise<number> {
  let tried = 0;
  for (let at = Math.ceil(first / 3);; at += first) {
    const when = at % 2 ? "before" : "after";
    if (!(await through(make(), [{ at, when }], mortal)).died) return tried;
    const before = [{ at, when }] as const;
    tried += await storagePoints(make, mortal, { from: 1 + at % second, stride: second, before });
  }
}

/** The host of the agents dies at messages, before and after each has arrived. */
export async function hostPoints(
  make: MakeWorkload,
  mortal: HostMortal,
  { from = 1, stride = 1 }: Some = {},
): Promise<number> {
  let tried = 0;
  for (const when of ["before", "after"] as const) {
    for (let at = from;; at += stride) {
      try {
        if (!await throughHost(make(), at, when, mortal)) break;
      } catch (error) {
        throw pointed(`${when} message ${at}`, error);
      }
      tried++;
    }
  }
  return tried;
}
