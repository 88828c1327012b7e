/** From name to name: what of the disk a path may lead to. Hidden names, special files and links that lead out are not there. */
import type { Disk, Names } from "./disk.ts";
import type { IsHidden } from "./hidden.ts";

/** Links to directories on one path; more than a few are a circle, and every walk over it has to come to an end. */
const MAX_LINKS = 4;
/** Names of our own making, in the middle of a change; nobody else sees them. */
const OWN = /^\.agentd-[0-9a-f]{32}(?:\.tmp|\.d)$/;

export interface Place {
  /** As its caller names it. */
  readonly called: Names;
  /** The directory entry: the same as `real`, or a link that leads there. */
  readonly entry: Names;
  /** Where it is, with no link on the way. */
  readonly real: Names;
  /** Links to directories that were followed. */
  readonly links: number;
}

export type Found =
  | { readonly kind: "file" | "directory"; readonly place: Place; readonly info: Deno.FileInfo }
  /** Nothing is there, and something may be made. */
  | { readonly kind: "free"; readonly place: Place }
  /** Whatever is there is not to be seen, and its name not to be used. */
  | { readonly kind: "barred" };

export interface Places {
  readonly top: Place;
  /** What the directory at `place` has under that name. */
  step(place: Place, name: string): Found;
  isHidden(names: Names): boolean;
}

export function openPlaces(disk: Disk, isHiddenName: IsHidden): Places {
  const isHidden = (names: Names) => names.some(isOwn) || isHiddenName(names);
  const barred: Found = { kind: "barred" };

  function found(place: Place, info: Deno.FileInfo): Found {
    if (info.isDirectory) return { kind: "directory", place, info };
    return info.isFile ? { kind: "file", place, info } : barred;
  }

  function step(from: Place, name: string): Found {
    const called = [...from.called, name];
    const entry = [...from.real, name];
    if (isHidden(called) || isHidden(entry)) return barred;
    const info = disk.look(entry);
    if (!info) {
      return { kind: "free", place: { called, entry, real: entry, links: from.links } };
    }
    if (!info.isSymlink) return found({ called, entry, real: entry, links: from.links }, info);
    return follow(from, called, entry);
  }

  /** A link, to where it ends; one that ends nowhere, outside, or at what is hidden is not there. */
  function follow(from: Place, called: Names, entry: Names): Found {
    const real = disk.target(entry);
    const end = real && !isHidden(real) ? disk.look(real) : undefined;
    if (!real || !end) return barred;
    if (!end.isDirectory) return found({ called, entry, real, links: from.links }, end);
    if (from.links === MAX_LINKS) return barred;
    return found({ called, entry, real, links: from.links + 1 }, end);
  }

  return { top: { called: [], entry: [], real: [], links: 0 }, step, isHidden };
}

export function isOwn(name: string): boolean {
  return OWN.test(name);
}

/** A name that nobody can foresee, for what is to be renamed (`tmp`) or holds what is to be removed (`d`). */
export function ownName(ending: "tmp" | "d"): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `.agentd-${hex}.${ending}`;
}
