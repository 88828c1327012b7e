/** The table a namespace is made of: which mount serves a path, and which mount points stand below it. */
import { FileError } from "./error.ts";
import type { FileService } from "./file.ts";
import { byteOrder, joinPath, segments } from "./path.ts";
import { refusal } from "./row.ts";
import type { Op } from "./tree.ts";

export interface Mount {
  /** Where it stands, absolute. `/` is what nothing else is mounted over. */
  readonly path: string;
  /** The same object from one look at the table to the next: another one counts as another mount. */
  readonly service: FileService;
  /** May this be done to `path`, which is the path within the service? False is `permission_denied`. Absent: everything may. */
  allows?(op: Op, path: string): boolean | FileError;
}

/** First segments that are short names of the control plane (`POST /agents/<id>/send`). */
export const RESERVED: readonly string[] = [
  "send",
  "tick",
  "hibernate",
  "wake",
  "pause",
  "resume",
  "stream",
];

/** A mount that serves a path, and the path within its service. */
export interface Hit {
  readonly mount: Mount;
  readonly inner: string;
}

export interface Table {
  /** The longest mount point that is `names` or above it. */
  find(names: readonly string[]): Hit | undefined;
  /** The next segment of every mount point below `names`, in byte order, each once. */
  below(names: readonly string[]): string[];
}

/**
 * A mount path in its one form, without a last `/`.
 * @throws FileError `invalid_path`; `invalid_request` for a short name of the control plane
 */
export function mountPath(path: string): string {
  return joinPath(mountNames(path));
}

function mountNames(path: string): string[] {
  const names = segments(path, "mount");
  if (names.length === 1 && RESERVED.includes(names[0]!)) {
    const detail = "the control plane has a route of that name; mount it elsewhere";
    throw new FileError("invalid_request", "mount", path, { detail });
  }
  return names;
}

/** @throws FileError for a path that cannot be mounted, `already_exists` for two mounts on one path */
export function tableOf(mounts: readonly Mount[]): Table {
  const made = tables.get(mounts);
  if (made && isUnchanged(made.from, mounts)) return made.table;
  const from = mounts.map((mount) => ({ mount, path: mount.path }));
  const table = makeTable(mounts);
  tables.set(mounts, { from, table });
  return table;
}

interface Made {
  readonly from: readonly { readonly mount: Mount; readonly path: string }[];
  readonly table: Table;
}

/** A table is made once a list; but whether the list has been changed in place is looked at every time. */
const tables = new WeakMap<readonly Mount[], Made>();

function isUnchanged(from: Made["from"], mounts: readonly Mount[]): boolean {
  return from.length === mounts.length &&
    from.every(({ mount, path }, i) => mount === mounts[i] && path === mount.path);
}

function makeTable(mounts: readonly Mount[]): Table {
  const points = mounts.map((mount) => ({ mount, names: mountNames(mount.path) }));
  points.sort((a, b) => b.names.length - a.names.length);
  const paths = new Set<string>();
  for (const { names, mount } of points) {
    const path = joinPath(names);
    if (paths.has(path)) throw new FileError("already_exists", "mount", mount.path);
    paths.add(path);
  }
  return {
    find(names) {
      const point = points.find((point) => isPrefix(point.names, names));
      return point &&
        { mount: point.mount, inner: joinPath(names.slice(point.names.length)) };
    },
    below(names) {
      const next = points
        .filter((point) => point.names.length > names.length && isPrefix(names, point.names))
        .map((point) => point.names[names.length]!);
      return [...new Set(next)].sort(byteOrder);
    },
  };
}

function isPrefix(short: readonly string[], long: readonly string[]): boolean {
  return short.length <= long.length && short.every((name, i) => name === long[i]);
}

/** @throws FileError what the mount's access says against it */
export function demand({ mount, inner }: Hit, op: Op): void {
  const answer = mount.allows?.(op, inner) ?? true;
  if (answer === false) throw refusal("permission_denied", `this mount does not allow ${op}`);
  if (answer !== true) throw answer;
}

export function allowed({ mount, inner }: Hit, op: Op): boolean {
  return (mount.allows?.(op, inner) ?? true) === true;
}
