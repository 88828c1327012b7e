/** A service as a declared tree: directories, files, and directories whose children come from data. Nobody else takes paths apart. */
import { FileError, retold } from "./error.ts";
import {
  type Entry,
  type FileHandle,
  type FileService,
  MAX_LIST,
  type Mode,
  type OpenOptions,
  type Page,
  type Stat,
} from "./file.ts";
import { checkOptions, openRow } from "./handle.ts";
import { byteOrder, isDirPath, segmentFault, segments } from "./path.ts";
import { type FileRow, type Info, may, mustMatch, provides, refusal, type Viewer } from "./row.ts";

export {
  type Body,
  type FileRow,
  type Info,
  matches,
  MAX_WRITE_BYTES,
  mustMatch,
  refusal,
  type Viewer,
  type WatchEvent,
  type WriteOptions,
  type Writer,
} from "./row.ts";

/** What a walk is for; it decides what `each` may answer for names that do not exist yet. */
export type Op = Mode | "stat" | "list" | "remove";

export interface Use {
  readonly op: Op;
  /** False: the name is used as a directory on the way to another. */
  readonly last: boolean;
}

/** A page as rows get it: the limit is always there, from 1 to `MAX_LIST`. */
export interface Paging {
  readonly after?: string;
  readonly limit: number;
}

/** The children of a directory, from data. */
export interface Rows {
  /** Behind `after`, at most `limit`, in one fixed order (byte order, where nothing else is said). */
  list(page: Paging): Promise<readonly Entry[]> | readonly Entry[];
  /**
   * The child of that name. For `write` and `append` it may be a node that does not exist yet: a file
   * whose `stat` gives undefined, or, with `last` false, a directory which the write will make.
   */
  get(name: string, use: Use): Promise<Node | undefined> | Node | undefined;
}

export interface FileNode {
  readonly dir: false;
  readonly row: FileRow;
}

export interface DirNode extends Rows {
  readonly dir: true;
  /** Of a directory row, `read` is never asked. */
  readonly row: FileRow;
}

export type Node = FileNode | DirNode;

export function file(row: FileRow): Node {
  return { dir: false, row };
}

/**
 * A directory with fixed children, listed in byte order.
 * @throws FileError `invalid_path` for a name that cannot be a segment
 */
export function dir(children: Readonly<Record<string, Node>>, row: FileRow = {}): Node {
  const nodes = new Map(Object.entries(children).sort(([a], [b]) => byteOrder(a, b)));
  for (const name of nodes.keys()) {
    const detail = segmentFault(name);
    if (detail) throw new FileError("invalid_path", "declare", name, { detail });
  }
  return {
    dir: true,
    row,
    get: (name) => nodes.get(name),
    async list({ after, limit }) {
      const entries: Entry[] = [];
      for (const [name, node] of nodes) {
        if (after !== undefined && byteOrder(name, after) <= 0) continue;
        if (entries.length === limit) break;
        const info = await infoOf(node.row);
        if (info) entries.push({ name, dir: node.dir, ...sizeAndTime(info) });
      }
      return entries;
    },
  };
}

/** A directory whose children come from data. */
export function each(rows: Rows, row: FileRow = {}): Node {
  return { dir: true, row, get: rows.get.bind(rows), list: rows.list.bind(rows) };
}

/** The tree as files, as `viewer` may use it. Without a viewer, only what everybody may. */
export function tree(root: Node, viewer?: Viewer): FileService {
  return {
    open: (path, mode, options = {}) =>
      told("open", path, () => open(root, viewer, path, mode, options)),
    stat: (path) => told("stat", path, () => stat(root, viewer, path)),
    list: (path, page = {}) => told("list", path, () => list(root, path, page)),
    remove: (path, options = {}) =>
      told("remove", path, () => remove(root, viewer, path, options.match)),
  };
}

const MODES: readonly Mode[] = ["read", "write", "append", "call", "watch"];

async function told<T>(op: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw retold(error, op, path);
  }
}

/** The one walk: what open, stat, list and remove see is what it finds. */
async function walk(root: Node, path: string, op: Op): Promise<Node> {
  const names = segments(path);
  let node = root;
  for (const [i, name] of names.entries()) {
    if (!node.dir) throw await asDirectory(node.row);
    const next = await node.get(name, { op, last: i === names.length - 1 });
    if (!next) throw refusal("not_found");
    node = next;
  }
  if (isDirPath(path) && !node.dir) throw await asDirectory(node.row);
  return node;
}

/** Why a file cannot stand where a directory was asked for. */
async function asDirectory(row: FileRow): Promise<FileError> {
  return await infoOf(row)
    ? refusal("not_directory", "a file has nothing below it")
    : refusal("not_found");
}

async function infoOf(row: FileRow): Promise<Info | undefined> {
  return row.stat ? await row.stat() : {};
}

async function mustExist(row: FileRow): Promise<Info> {
  const info = await infoOf(row);
  if (!info) throw refusal("not_found");
  return info;
}

async function open(
  root: Node,
  viewer: Viewer | undefined,
  path: string,
  mode: Mode,
  options: OpenOptions,
): Promise<FileHandle> {
  if (!MODES.includes(mode)) {
    throw refusal("invalid_request", `a mode is one of ${MODES.join(", ")}`);
  }
  checkOptions(options);
  const { dir, row } = await walk(root, path, mode);
  await mayOpen(dir, row, mode, viewer);
  const { match } = options;
  const makes = mode === "write" || mode === "append";
  if (match !== undefined || !makes) {
    const info = makes ? await infoOf(row) : await mustExist(row);
    mustMatch(match, info && (info.version ?? ""));
  }
  return await openRow(row, mode, path, options);
}

/** `permission_denied` when another viewer could, `is_directory` or `not_supported` when nobody can. */
async function mayOpen(dir: boolean, row: FileRow, mode: Mode, viewer: Viewer | undefined) {
  const has = provides(row, mode) && !(dir && mode === "read");
  if (has && may(row, mode, viewer)) return;
  await mustExist(row);
  if (has && row.only?.[mode]?.length) throw refusal("permission_denied", `not yours to ${mode}`);
  throw refusal(dir ? "is_directory" : "not_supported", takenBy(dir, row, viewer));
}

/** Of what can only be called, what a call is: who looks at it has no other way to find out. */
function takenBy(dir: boolean, row: FileRow, viewer: Viewer | undefined): string {
  const modes = modesOf(dir, row, viewer).join(", ");
  if (modes === "call" && row.about) return `it takes call: ${row.about}`;
  return modes ? `it takes ${modes}` : dir ? "list it" : "it takes no open";
}

function modesOf(dir: boolean, row: FileRow, viewer: Viewer | undefined): Mode[] {
  return MODES.filter((mode) =>
    provides(row, mode) && may(row, mode, viewer) && !(dir && mode === "read")
  );
}

async function stat(root: Node, viewer: Viewer | undefined, path: string): Promise<Stat> {
  const { dir, row } = await walk(root, path, "stat");
  const info = await mustExist(row);
  const type = info.type ?? row.type;
  return {
    name: segments(path).at(-1) ?? "",
    dir,
    modes: modesOf(dir, row, viewer),
    kind: row.kind ?? (isCallOnly(row) ? "call" : "value"),
    ...sizeAndTime(info),
    ...(info.version === undefined ? {} : { version: info.version }),
    ...(type === undefined ? {} : { type }),
    ...(row.about === undefined ? {} : { about: row.about }),
    ...(row.whole ? { whole: true } : {}),
  };
}

function isCallOnly(row: FileRow): boolean {
  return MODES.every((mode) => provides(row, mode) === (mode === "call"));
}

function sizeAndTime({ size, modified }: Info): { size?: number; modified?: number } {
  return {
    ...(size === undefined ? {} : { size }),
    ...(modified === undefined ? {} : { modified }),
  };
}

async function list(root: Node, path: string, page: Page): Promise<Entry[]> {
  const paging = pagingOf(page);
  const node = await walk(root, path, "list");
  await mustExist(node.row);
  if (!node.dir) throw refusal("not_directory", "only a directory can be listed");
  return (await node.list(paging)).slice(0, paging.limit);
}

/** @throws FileError `invalid_request` unless the limit is a positive integer */
export function pagingOf({ after, limit = MAX_LIST }: Page): Paging {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw refusal("invalid_request", `a limit is an integer from 1 to ${MAX_LIST}, not ${limit}`);
  }
  return { limit: Math.min(limit, MAX_LIST), ...(after === undefined ? {} : { after }) };
}

async function remove(
  root: Node,
  viewer: Viewer | undefined,
  path: string,
  match: string | undefined,
): Promise<void> {
  const { row } = await walk(root, path, "remove");
  const info = await mustExist(row);
  if (!row.remove) throw refusal("not_supported", "it cannot be removed");
  if (!may(row, "remove", viewer)) {
    throw row.only?.remove?.length
      ? refusal("permission_denied", "not yours to remove")
      : refusal("not_supported", "it cannot be removed");
  }
  mustMatch(match, info.version ?? "");
  await row.remove(match === undefined ? {} : { match });
}
