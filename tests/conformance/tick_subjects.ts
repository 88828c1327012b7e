/** The worlds of this machine in which the laws of ticks are tried. */
import type { Subject } from "../../conformance/law.ts";
import { memoryTicks, memoryWorld } from "../../conformance/memory.ts";
import {
  type Ground,
  type TickSubject,
  tickSubject,
  type WorldOptions,
} from "../../conformance/ticks.ts";
import { type LocalBackend, openLocal } from "../../src/backends/local/sqlite.ts";

/** Rows in a directory that is gone afterwards. */
export async function sqliteGround(): Promise<Ground> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-ticks-" });
  let backend: LocalBackend | undefined;
  return {
    open: async ({ now, timer }) => backend = await openLocal(dir, { now, timer }),
    close: async () => await backend?.close(),
    remove: () => Deno.remove(dir, { recursive: true }),
  };
}

export function sqliteTicks(
  name = "sqlite",
  parts: Partial<WorldOptions> = {},
): Subject<TickSubject> {
  return tickSubject(name, { ...memoryWorld(), ground: sqliteGround, ...parts });
}

export const tickSubjects: readonly Subject<TickSubject>[] = [memoryTicks(), sqliteTicks()];
