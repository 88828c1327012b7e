/** A disk that keeps what was flushed and may keep any part of what was not: made of a recording, up to the moment at which the power goes. */
import type { Chance } from "../sim/chance.ts";
import type { Op } from "./recording.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/**
 * What becomes of writes that were not flushed: `lost` all of them; `cut` those after some moment, with the last one torn between two sectors; `scattered`: any
 * of their sectors, as a disk that orders writes as it likes; `kept` none is lost.
 */
export const WAYS = ["lost", "cut", "scattered", "kept"] as const;
export type Way = typeof WAYS[number];

/** Files by name. */
export type Image = ReadonlyMap<string, Uint8Array>;

type Write = Extract<Op, { op: "write" }>;
type Change = Write | Extract<Op, { op: "truncate" }>;
/** A name that comes, with its file, or goes. */
interface Entry {
  readonly file: string;
  readonly body: Body | undefined;
}

/** A file, whatever it is called. */
interface Body {
  flushed: Uint8Array;
  changes: Change[];
}

export interface Disk {
  /** The next thing that was done. */
  take(op: Op): void;
  /** Lines that were said so far. */
  readonly said: readonly string[];
  /** What is found after the power has gone now. */
  image(way: Way, chance: Chance): Image;
}

export function makeDisk(): Disk {
  const said: string[] = [];
  /** Names as the program sees them, and as they were flushed. */
  const names = new Map<string, Body>();
  let flushed = new Map<string, Body>();
  let entries: Entry[] = [];

  function bodyOf(file: string): Body {
    const body = names.get(file);
    if (!body) throw new Error(`${file} is changed and was never made`);
    return body;
  }

  return {
    said,
    take(op) {
      switch (op.op) {
        case "said":
          said.push(op.line);
          return;
        case "create": {
          if (names.has(op.file)) return;
          const body: Body = { flushed: new Uint8Array(), changes: [] };
          names.set(op.file, body);
          entries.push({ file: op.file, body });
          return;
        }
        case "remove":
          names.delete(op.file);
          entries.push({ file: op.file, body: undefined });
          return;
        case "sync": {
          const body = bodyOf(op.file);
          body.flushed = changed(body.flushed, body.changes);
          body.changes = [];
          return;
        }
        case "sync_dir":
          flushed = new Map(names);
          entries = [];
          return;
        default:
          bodyOf(op.file).changes.push(op);
      }
    },
    image(way, chance) {
      const found = new Map(flushed);
      // Names come and go in their order, as a file system's journal has them.
      const kept = way === "kept"
        ? entries.length
        : way === "lost"
        ? 0
        : chance.below(entries.length + 1);
      for (const { file, body } of entries.slice(0, kept)) {
        if (body) found.set(file, body);
        else found.delete(file);
      }
      const image = new Map<string, Uint8Array>();
      for (const [file, { flushed, changes }] of found) {
        image.set(file, changed(flushed, survivors(changes, way, chance)));
      }
      return image;
    },
  };
}

/** What is left of changes that were not flushed. */
function survivors(changes: readonly Change[], way: Way, chance: Chance): Change[] {
  if (way === "lost" || changes.length === 0) return [];
  if (way === "kept") return [...changes];
  if (way === "cut") {
    const whole = chance.below(changes.length);
    return [...changes.slice(0, whole), ...torn(changes[whole]!, chance)];
  }
  const parts = changes.flatMap((change): Change[] =>
    change.op === "truncate" ? [change] : sectors(change)
  );
  return parts.filter(() => chance.percent(50));
}

/** The first sectors of a write. */
function torn(change: Change, chance: Chance): Change[] {
  if (change.op === "truncate") return [];
  const all = sectors(change);
  return all.slice(0, chance.below(all.length));
}

/** A write as the sectors of the disk take it. */
function sectors(write: Write): Write[] {
  const parts: Write[] = [];
  for (let from = 0; from < write.bytes.length;) {
    const at = write.at + from;
    const to = Math.min(from + SECTOR_BYTES - at % SECTOR_BYTES, write.bytes.length);
    parts.push({ ...write, at, bytes: write.bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}

function changed(before: Uint8Array, changes: readonly Change[]): Uint8Array {
  let size = before.length;
  let most = size;
  for (const change of changes) {
    size = change.op === "truncate" ? change.size : Math.max(size, change.at + change.bytes.length);
    most = Math.max(most, size);
  }
  const after = new Uint8Array(most);
  after.set(before);
  for (const change of changes) {
    if (change.op === "truncate") after.fill(0, change.size);
    else after.set(change.bytes, change.at);
  }
  return after.slice(0, size);
}
