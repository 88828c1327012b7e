/**
 * Changes of the disk, each in one go: nothing else of this service happens between its first check and its last. What
 * another program does meanwhile is found out, and told as a conflict.
 *
 * Deno can only name what is to be changed by a path. A file's bytes are written through what has been opened and proven
 * to be inside. For the names themselves (make, rename, remove) the last look at the directories and the host's own are
 * microseconds apart. Who may rename in the mounted directory, and meets that moment with a link to the outside, could
 * have an empty file or directory made there; for a rename, whose source is only inside, it has to be the moment between
 * the two look-ups of one call. Where nobody else can rename in it, nothing of the kind can be.
 */
import fs from "node:fs";
import { mustMatch, refusal } from "../../fs/tree.ts";
import {
  type Disk,
  isSame,
  isUnchanged,
  moving,
  mustBeSteady,
  type Names,
  type Passed,
  provenThere,
  versionOf,
} from "./disk.ts";
import {
  type HeldFile,
  holdFile,
  makeFile,
  readChunk,
  removeBin,
  removeQuietly,
  writeChunk,
} from "./held_file.ts";
import { hosted } from "./host_error.ts";
import type { Issued } from "./issued.ts";
import { type Found, ownName, type Place, type Places } from "./place.ts";

/** A file's or directory's permissions where it takes over from none; the process's mask takes its part off. */
const FILE_PERMISSIONS = 0o666;
const PERMISSIONS = 0o777;

/** The name under which a file is to be changed. */
export interface Goal {
  readonly place: Place;
  /** What stands there now; undefined if nothing does. */
  readonly info: Deno.FileInfo | undefined;
  /** Directories that have to be made first, outermost first. */
  readonly missing: readonly Names[];
}

/** Where data waits to take a file's place. */
export interface Draft {
  readonly held: HeldFile;
  /** Undefined once it has the goal's name: that one is not ours to remove. */
  names: Names | undefined;
  /** Directories that were made for it, outermost first. */
  readonly made: readonly Names[];
}

export interface Changes {
  /** What a path names right now. @throws FileError `not_found` for a hidden name, `not_directory`, `is_directory` */
  goal(called: Names): Goal;
  /** An empty file beside the goal, whose directories are made. */
  draft(goal: Goal): Draft;
  drop(draft: Draft): void;
  /** The draft becomes the file. */
  replace(called: Names, draft: Draft, match: string | undefined): void;
  /** Data goes into a file that is there, from `offset` on or, without one, to its end. The file stays the same one. */
  splice(
    called: Names,
    data: Iterable<Uint8Array>,
    offset: number | undefined,
    match: string | undefined,
  ): void;
  /** Removes the entry: a file, a link (never what it leads to), or an empty directory. */
  remove(called: Names, match: string | undefined): void;
}

export interface ChangeDeps {
  readonly disk: Disk;
  readonly places: Places;
  readonly issued: Issued;
  /** Told after each change. */
  told(names: Names, type: "created" | "modified" | "deleted", version: string | undefined): void;
}

export function openChanges({ disk, places, issued, told }: ChangeDeps): Changes {
  function goal(called: Names): Goal {
    disk.mustStand();
    let place = places.top;
    const missing: Names[] = [];
    for (const [i, name] of called.entries()) {
      const found = places.step(place, name);
      if (found.kind === "barred") throw refusal("not_found", "no file of that name can be here");
      place = found.place;
      if (i === called.length - 1) return { place, info: fileOf(found), missing };
      if (found.kind === "file") throw refusal("not_directory", "a file has nothing below it");
      if (found.kind === "free") missing.push(place.real);
    }
    throw refusal("is_directory", "a directory has no bytes of its own");
  }

  function draft({ place, info, missing }: Goal): Draft {
    const made = makeDirectories(missing);
    const names = [...place.real.slice(0, -1), ownName("tmp")];
    const permissions = info ? (info.mode ?? FILE_PERMISSIONS) & PERMISSIONS : FILE_PERMISSIONS;
    try {
      return { held: makeFile(disk, names, permissions), names, made };
    } catch (error) {
      removeDirectories(made);
      throw error;
    }
  }

  function drop({ held, names, made }: Draft): void {
    fs.closeSync(held.fd);
    if (!names) return;
    removeQuietly(disk, names);
    removeDirectories(made);
  }

  /** Outermost first. */
  function makeDirectories(missing: readonly Names[]): Names[] {
    const made: Names[] = [];
    try {
      for (const names of missing) {
        mustBeSteady(disk.pass(names.slice(0, -1)));
        hosted(() => fs.mkdirSync(disk.path(names)));
        made.push(names);
      }
      return made;
    } catch (error) {
      removeDirectories(made);
      throw error;
    }
  }

  /** As far as nothing is in them by now. */
  function removeDirectories(made: readonly Names[]): void {
    try {
      for (const names of made.toReversed()) {
        mustBeSteady(disk.pass(names.slice(0, -1)));
        hosted(() => fs.rmdirSync(disk.path(names)));
      }
    } catch {
      // Somebody uses it, or it has gone.
    }
  }

  function replace(called: Names, from: Draft, match: string | undefined): void {
    const { place, info } = goal(called);
    const old = info && writable(place.real);
    mustMatch(match, old && versionOf(old));
    const passed = disk.pass(place.real.slice(0, -1));
    if (old) {
      takeOver(from.held.fd, old);
      // A loss of power must leave the old content or the new.
      hosted(() => fs.fsyncSync(from.held.fd));
      issued.keep(versionOf(old));
    }
    move(from, place.real, passed);
    told(place.real, old ? "modified" : "created", issued.give(from.held.fd));
    fs.closeSync(from.held.fd);
  }

  /** A file that could be written in its place: who may only rename it away does not get around its permissions. */
  function writable(names: Names): fs.Stats {
    const { fd, info } = holdFile(disk, names, "write");
    fs.closeSync(fd);
    return info;
  }

  /** Within one directory, so that what is not in it cannot be moved, and not into another one. */
  function move(from: Draft, to: Names, passed: readonly Passed[]): void {
    const here = from.names?.slice(0, -1).join("/");
    if (!from.names || here !== to.slice(0, -1).join("/")) throw moving();
    mustBeSteady(passed);
    hosted(() => fs.renameSync(disk.path(from.names!), disk.path(to)));
    from.names = undefined;
    landed(to, from.held, passed);
  }

  /** @throws FileError `conflict` unless what we hold stands under that name */
  function landed(names: Names, { info }: HeldFile, passed: readonly Passed[]): void {
    const now = disk.look(names);
    mustBeUnchanged(passed);
    if (!now || !isSame(now, info)) throw moving();
    disk.mustStand();
  }

  function splice(
    called: Names,
    data: Iterable<Uint8Array>,
    offset: number | undefined,
    match: string | undefined,
  ): void {
    const { place } = goal(called);
    const file = holdFile(disk, place.real, offset === undefined ? "append" : "write");
    try {
      mustMatch(match, versionOf(file.info));
      if (file.info.nlink > 1) {
        throw refusal(
          "conflict",
          "the file has another name, which may be outside, and its bytes are that one's too; write it whole",
        );
      }
      mustBegin(offset, file.info.size);
      let at = offset;
      for (const chunk of data) {
        writeChunk(file.fd, chunk, at);
        if (at !== undefined) at += chunk.length;
      }
      told(place.real, "modified", issued.give(file.fd, versionOf(file.info)));
    } finally {
      fs.closeSync(file.fd);
    }
  }

  function remove(called: Names, match: string | undefined): void {
    disk.mustStand();
    const found = entryOf(called);
    mustMatch(match, versionOf(found.info));
    const { entry, real } = found.place;
    const isLink = entry.join("/") !== real.join("/");
    const passed = disk.pass(entry.slice(0, -1));
    mustBeSteady(passed);
    if (found.kind === "directory" && !isLink) hosted(() => fs.rmdirSync(disk.path(entry)));
    else if (passed.length === 0) hosted(() => fs.unlinkSync(disk.path(entry)));
    else unlink(entry, passed);
    if (isLink) return told(entry, "deleted", undefined);
    issued.keep(versionOf(found.info));
    if (found.kind === "file") told(real, "deleted", undefined);
  }

  function entryOf(called: Names): Found & { kind: "file" | "directory" } {
    let found: Found = { kind: "barred" };
    let place = places.top;
    for (const name of called) {
      found = places.step(place, name);
      if (found.kind !== "file" && found.kind !== "directory") throw refusal("not_found");
      place = found.place;
    }
    if (found.kind !== "file" && found.kind !== "directory") throw refusal("not_found");
    return found;
  }

  /**
   * By way of a directory that is here and nowhere else: were another in the place of the parent, the file would not come
   * into it, and what is not in it is not removed.
   */
  function unlink(entry: Names, passed: readonly Passed[]): void {
    const before = disk.look(entry);
    if (!before) throw refusal("not_found");
    const bin = [...entry.slice(0, -1), ownName("d")];
    const binned = [...bin, "x"];
    hosted(() => fs.mkdirSync(disk.path(bin)));
    try {
      // It is here, and not where a link led for the moment of its making.
      const made = disk.look(bin);
      if (!made || !provenThere(disk, bin, made, passed)) throw moving();
      mustBeUnchanged(passed);
      hosted(() => fs.renameSync(disk.path(entry), disk.path(binned)));
      const now = disk.look(binned);
      mustBeUnchanged(passed);
      if (!now || !isSame(now, before)) throw moving();
      hosted(() => fs.unlinkSync(disk.path(binned)));
    } finally {
      removeBin(disk, bin);
    }
  }

  return { goal, draft, drop, replace, splice, remove };
}

function fileOf(found: Found): Deno.FileInfo | undefined {
  if (found.kind === "directory") {
    throw refusal("is_directory", "a directory has no bytes of its own");
  }
  return found.kind === "file" ? found.info : undefined;
}

/** @throws FileError `range_not_satisfiable` for a part that would leave a hole */
export function mustBegin(offset: number | undefined, size: number): void {
  if (offset === undefined || offset <= size) return;
  throw refusal("range_not_satisfiable", "a part begins within the file or at its end", {
    offset,
    size,
  });
}

/** What has just been done was done where it was meant. */
function mustBeUnchanged(passed: readonly Passed[]): void {
  if (!passed.every(isUnchanged)) throw moving();
}

/** The draft looks as the file did. Who may not give it the same owner leaves it as it is. */
function takeOver(fd: number, { mode, uid, gid }: fs.Stats): void {
  hosted(() => fs.fchmodSync(fd, mode & PERMISSIONS));
  const own = fs.fstatSync(fd);
  if (own.uid === uid && own.gid === gid) return;
  try {
    fs.fchownSync(fd, uid, gid);
  } catch {
    // Only the superuser gives files away.
  }
}

/** All of a draft. */
export function* chunksOfDraft({ held }: Draft): Generator<Uint8Array> {
  for (let at = 0;;) {
    const chunk = readChunk(held.fd, at);
    if (!chunk) return;
    yield chunk;
    at += chunk.length;
  }
}
