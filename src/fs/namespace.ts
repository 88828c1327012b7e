/** Authority as a file tree: services mounted on paths, looked up anew at every operation. What is not mounted cannot be reached. */
import { FileError, hasCode, retold } from "./error.ts";
import type { Entry, FileHandle, FileService, Mode, OpenOptions, Page, Stat } from "./file.ts";
import { guarded } from "./guard.ts";
import { allowed, demand, type Hit, type Mount, type Table, tableOf } from "./mount.ts";
import { byteOrder, isDirPath, joinPath, segments } from "./path.ts";
import { refusal } from "./row.ts";
import { pagingOf } from "./tree.ts";

export { type Mount, mountPath, RESERVED } from "./mount.ts";

/** Calls the listener after every change of the table or of an access; the answer ends that. */
export type Changed = (listener: () => void) => () => void;

/**
 * The mounts as one tree. Every operation, and every verb of an open handle, looks at the table again.
 * Handles that wait (a watch, a call) end at once when access is taken only if `changed` is given.
 */
export function namespace(mounts: () => readonly Mount[], changed?: Changed): FileService {
  const table = () => tableOf(mounts());
  const view = (path: string) => viewOf(table(), path);
  return {
    open: (path, mode, options = {}) =>
      told("open", path, () => open(table, path, mode, options, changed)),
    stat: (path) => told("stat", path, () => stat(view(path))),
    list: (path, page = {}) => told("list", path, () => list(view(path), page)),
    remove: (path, options = {}) => told("remove", path, () => remove(view(path), options)),
  };
}

/**
 * The files below `path` of a service, as a service. Nothing outside can be named through it.
 * @throws FileError `invalid_path`
 */
export function subtree(service: FileService, path: string): FileService {
  const base = joinPath(segments(path));
  const mounts = [{ path: "/", service: rebased(service, base) }];
  return namespace(() => mounts);
}

/** Puts `base` before paths which the namespace around it has checked. */
function rebased(service: FileService, base: string): FileService {
  if (base === "/") return service;
  const at = (path: string) => path === "/" ? base : base + path;
  return {
    open: (path, mode, options) => service.open(at(path), mode, options),
    stat: (path) => service.stat(at(path)),
    list: (path, page) => service.list(at(path), page),
    remove: (path, options) => service.remove(at(path), options),
  };
}

/** A path as the table has it now. */
interface View {
  readonly names: readonly string[];
  /** The path ends in `/`: only a directory will do. */
  readonly asDir: boolean;
  readonly table: Table;
  readonly hit: Hit | undefined;
  /** Names of the mount points below. If there are any, this is a directory, whatever the service says. */
  readonly points: readonly string[];
}

function viewOf(table: Table, path: string): View {
  const names = segments(path);
  return {
    names,
    asDir: isDirPath(path),
    table,
    hit: table.find(names),
    points: table.below(names),
  };
}

async function told<T>(op: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw retold(error, op, path);
  }
}

/** The mount to ask, or why there is none. */
function served({ hit, names, points }: View): Hit {
  if (hit) return hit;
  if (points.length || names.length === 0) {
    throw refusal("is_directory", "it holds mounts and nothing else");
  }
  throw refusal("not_found", "nothing is mounted there");
}

async function open(
  table: () => Table,
  path: string,
  mode: Mode,
  options: OpenOptions,
  changed: Changed | undefined,
): Promise<FileHandle> {
  const view = viewOf(table(), path);
  const hit = served(view);
  demand(hit, mode);
  await mustBeDirectory(view, hit);
  if (view.points.length && !(await own(hit))?.dir) {
    throw refusal("is_directory", "it holds mounts");
  }

  /** Why the handle no longer stands, if it does not. */
  function fault(): FileError | undefined {
    try {
      const last = table();
      // The same table finds the same; what its mounts allow may be another thing by now.
      const now = last === view.table ? hit : last.find(view.names);
      if (!now) return refusal("not_found", "it has been unmounted");
      if (now.mount.service !== hit.mount.service || now.inner !== hit.inner) {
        return refusal("not_found", "something else has been mounted there");
      }
      demand(now, mode);
    } catch (error) {
      return retold(error, mode, path);
    }
  }

  return await guarded({
    path,
    mode,
    options,
    fault,
    changed,
    open: (inner) => hit.mount.service.open(innerPath(view, hit), mode, inner),
  });
}

/** With the last `/`, as far as the service's root leaves room for one. */
function innerPath(view: View, { inner }: Hit): string {
  return view.asDir && inner !== "/" ? `${inner}/` : inner;
}

/** The last `/` of a mount point is lost on its service, so it is checked here. */
async function mustBeDirectory(view: View, hit: Hit): Promise<void> {
  if (!view.asDir || hit.inner !== "/" || view.points.length) return;
  const { dir } = await hit.mount.service.stat("/");
  if (!dir) throw refusal("not_directory", "a file has nothing below it");
}

/** What the service itself has there; undefined where it has nothing. */
async function own({ mount, inner }: Hit): Promise<Stat | undefined> {
  try {
    return await mount.service.stat(inner);
  } catch (error) {
    if (hasCode(error, "not_found") || hasCode(error, "not_directory")) return undefined;
    throw error;
  }
}

async function stat(view: View): Promise<Stat> {
  const { hit, points } = view;
  const name = view.names.at(-1) ?? "";
  const bare: Stat = { name, dir: true, modes: [], kind: "value" };
  if (isBare(view)) return bare;
  if (hit && points.length && !allowed(hit, "stat")) return bare;
  const there = served(view);
  demand(there, "stat");
  await mustBeDirectory(view, there);
  const stat = points.length
    ? await own(there)
    : await there.mount.service.stat(innerPath(view, there));
  if (points.length && !stat?.dir) return bare;
  return { ...stat!, name, modes: stat!.modes.filter((mode) => allowed(there, mode)) };
}

/** A directory that is there only because something is mounted below it, or because it is the root. */
function isBare({ hit, points, names }: View): boolean {
  return !hit && (points.length > 0 || names.length === 0);
}

async function list(view: View, page: Page): Promise<Entry[]> {
  const { after, limit } = pagingOf(page);
  const entries = await ownEntries(view, { limit, ...(after === undefined ? {} : { after }) });
  if (!view.points.length) return entries;
  const mounted = new Set(view.points);
  const names = view.points.filter((name) => after === undefined || byteOrder(name, after) > 0);
  const merged = [
    ...entries.filter(({ name }) => !mounted.has(name)),
    ...names.map((name) => ({ name, dir: true })),
  ].sort((a, b) => byteOrder(a.name, b.name)).slice(0, limit);
  return await Promise.all(
    merged.map((entry) => mounted.has(entry.name) ? pointEntry(view, entry) : entry),
  );
}

/** The service's part of a listing. Where mounts stand, whatever it lacks or denies is no error. */
async function ownEntries(view: View, page: Page): Promise<Entry[]> {
  if (isBare(view)) return [];
  const hit = served(view);
  if (view.points.length && (!allowed(hit, "list") || !(await own(hit))?.dir)) return [];
  demand(hit, "list");
  await mustBeDirectory(view, hit);
  return await hit.mount.service.list(innerPath(view, hit), page);
}

/** The row of a mount point. A mount that cannot be asked, or may not be, still shows. */
async function pointEntry(view: View, bare: Entry): Promise<Entry> {
  const names = [...view.names, bare.name];
  const hit = view.table.find(names);
  if (!hit || hit.inner !== "/" || view.table.below(names).length) return bare;
  try {
    const { dir, size, modified } = await hit.mount.service.stat("/");
    if (!allowed(hit, "stat")) return { name: bare.name, dir };
    return {
      name: bare.name,
      dir,
      ...(size === undefined ? {} : { size }),
      ...(modified === undefined ? {} : { modified }),
    };
  } catch {
    return bare;
  }
}

async function remove(view: View, options: { readonly match?: string }): Promise<void> {
  if (view.points.length) throw refusal("conflict", "something is mounted below it");
  if (isBare(view)) throw refusal("not_supported", "the root stays");
  const hit = served(view);
  demand(hit, "remove");
  await mustBeDirectory(view, hit);
  await hit.mount.service.remove(innerPath(view, hit), options);
}
