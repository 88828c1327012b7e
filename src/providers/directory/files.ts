/**
 * A directory of the host as files: the tree that is walked, over one disk. It runs where only this directory can be reached.
 *
 * What stands there is a file or a directory of its own, or a link to one within. Everything else is not there: links that
 * lead out, devices, fifos, sockets, hidden names.
 *
 * What it cannot see: a hard link is the file itself, under another name. Whoever may make one in here to a file outside,
 * or gives a hidden file a name that is not hidden, lets it be read. It is not changed by that way: a whole write puts a
 * new file in its place, a part or an append is refused. Names are compared as the host does: where it takes `F` and `f`
 * for one name, so do we; hidden names are hidden in every case.
 */
import fs from "node:fs";
import type { FileService } from "../../fs/file.ts";
import {
  each,
  type FileRow,
  type Info,
  type Node,
  refusal,
  tree,
  type Use,
} from "../../fs/tree.ts";
import { openChanges } from "./change.ts";
import { type Disk, lookSurely, type Names, openDisk, versionOf } from "./disk.ts";
import { chunksOf, holdFile, removeBin, removeQuietly } from "./held_file.ts";
import { hiddenBy } from "./hidden.ts";
import { refused } from "./host_error.ts";
import { openIssued } from "./issued.ts";
import { openListing } from "./listing.ts";
import { openObservers } from "./observe.ts";
import { type Found, openPlaces, type Place } from "./place.ts";
import { stage } from "./stage.ts";

export interface DirectoryOptions {
  /** The host's path, absolute and real. */
  readonly root: string;
  readonly writable: boolean;
  /** Patterns of names that are not there. */
  readonly hidden: readonly string[];
}

export interface DirectoryFiles {
  readonly files: FileService;
  /** Ends watches. */
  close(): void;
}

const ABOUT = "of a directory of the host";
const ABOUT_WRITE =
  `${ABOUT}; a change takes effect when it is closed, is no part of a tick, and stays when the tick fails`;

/** What lies about of our own making for so long was left by a program that was ended in the middle. */
const LEFTOVER_MS = 24 * 60 * 60 * 1000;
/** Directories of which it is remembered how many names could not be told. */
const MAX_REMEMBERED = 1000;

/** @throws FileError `not_found`, `not_directory`, `permission_denied`, `invalid_request` for patterns that are none */
export function directoryFiles({ root, writable, hidden }: DirectoryOptions): DirectoryFiles {
  const disk = openDisk(root);
  const places = openPlaces(disk, hiddenBy(hidden));
  const observers = openObservers(disk, places);
  const listing = openListing(disk, places);
  const issued = openIssued();
  const changes = openChanges({ disk, places, issued, told: observers.told });
  /** Names that could not be told, by directory, as of its last listing. */
  const unnamed = new Map<string, number>();

  /** The node at `called`, if it is there, or may be made. */
  function nodeOf(found: Found, { op, last }: Use): Node | undefined {
    const makes = writable && (op === "write" || op === "append");
    if (found.kind === "file") return fileNode(found.place);
    if (found.kind === "directory") return folderNode(found.place);
    if (found.kind === "barred" || !makes) return undefined;
    return last ? fileNode(found.place) : folderNode(found.place);
  }

  function folderNode(place: Place): Node {
    const key = place.real.join("/");
    return each({
      get: (name, use) =>
        told(() => {
          disk.mustStand();
          return nodeOf(places.step(place, name), use);
        }),
      list: (page) =>
        told(() => {
          const left = (name: string) => sweep(disk, [...place.real, name]);
          const { entries, unnamed } = listing.list(place, page, writable ? left : ignore);
          remember(key, unnamed);
          return entries;
        }),
    }, {
      get about() {
        return aboutFolder(key);
      },
      stat: () => told(() => infoOf(disk, place.real, (info) => info.isDirectory)),
      watch: ({ signal }) => told(() => observers.watch(place.real, true, signal)),
      ...(writable && place.called.length > 0 ? { remove: removing(place) } : {}),
    });
  }

  function remember(key: string, count: number): void {
    unnamed.delete(key);
    if (count > 0) unnamed.set(key, count);
    if (unnamed.size > MAX_REMEMBERED) unnamed.delete(unnamed.keys().next().value!);
  }

  function aboutFolder(key: string): string {
    const count = unnamed.get(key);
    const lost = count
      ? `; ${count} more whose names are not UTF-8 or have control characters cannot be named`
      : "";
    return `files ${writable ? ABOUT_WRITE : ABOUT}${lost}`;
  }

  function fileNode(place: Place): Node {
    const row: FileRow = {
      about: `a file ${writable ? ABOUT_WRITE : ABOUT}`,
      ranges: true,
      parts: writable,
      stat: () => told(() => infoOf(disk, place.real, (info) => info.isFile)),
      read: ({ offset = 0, length, signal }) =>
        told(() => {
          const { fd, info } = holdFile(disk, place.real, "read");
          if (offset > info.size) {
            fs.closeSync(fd);
            throw beyond(offset, info.size);
          }
          return chunksOf(fd, { offset, ...(length === undefined ? {} : { length }) }, signal);
        }),
      watch: ({ signal }) => told(() => observers.watch(place.real, false, signal)),
      ...(writable
        ? {
          writer: (mode, { match, offset }) =>
            told(() =>
              stage(changes, place.called, mode, {
                ...(match === undefined ? {} : { match }),
                ...(offset === undefined ? {} : { offset }),
              })
            ),
          remove: removing(place),
        }
        : {}),
    };
    return { dir: false, row };
  }

  function removing(place: Place) {
    return ({ match }: { readonly match?: string }) =>
      told(() => changes.remove(place.called, match));
  }

  return { files: tree(folderNode(places.top)), close: observers.close };
}

function ignore(): void {}

/** What the host throws is told without the host's words. */
function told<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refused(error);
  }
}

function infoOf(
  disk: Disk,
  names: Names,
  fits: (info: Deno.FileInfo) => boolean,
): Info | undefined {
  disk.mustStand();
  const info = lookSurely(disk, names);
  if (!info || !fits(info)) return undefined;
  const modified = info.mtime?.getTime();
  return info.isFile ? { size: info.size, modified, version: versionOf(info) } : { modified };
}

function beyond(offset: number, size: number) {
  return refusal("range_not_satisfiable", `offset ${offset} is beyond the end, ${size}`, {
    offset,
    size,
  });
}

/** Removes a draft that was left behind, and an empty bin. */
function sweep(disk: Disk, names: Names): void {
  const info = disk.look(names);
  if (!info?.mtime || Date.now() - info.mtime.getTime() < LEFTOVER_MS) return;
  if (info.isFile) removeQuietly(disk, names);
  else removeBin(disk, names);
}
