/** Versions that have been told. The host tells the time of a change in milliseconds and gives a removed file's number to the next, so two of our changes could look alike; they do not. */
import fs from "node:fs";
import { versionOf } from "./disk.ts";
import { hosted } from "./host_error.ts";

/** So many of the last ones are remembered; they are milliseconds old when they could come again. */
const MAX_KEPT = 10_000;
const MS = 1000;

export interface Issued {
  /** The version of an open file that was just changed, another than every one before: its time is moved on if need be. */
  give(fd: number, before?: string): string;
  /** What this was must not come again. */
  keep(version: string): void;
}

export function openIssued(): Issued {
  const kept = new Set<string>();

  function keep(version: string): void {
    kept.add(version);
    if (kept.size > MAX_KEPT) kept.delete(kept.values().next().value!);
  }

  return {
    keep,
    give(fd, before) {
      let version = versionOf(hosted(() => fs.fstatSync(fd)));
      while (version === before || kept.has(version)) {
        const { atimeMs, mtimeMs } = fs.fstatSync(fd);
        // Half a millisecond more, so that no rounding takes it back to the one before.
        const next = (Math.trunc(mtimeMs) + 1.5) / MS;
        hosted(() => fs.futimesSync(fd, atimeMs / MS, next));
        version = versionOf(fs.fstatSync(fd));
      }
      keep(version);
      return version;
    },
  };
}
