/** Files in memory: directories, versions, parts, watches. What every other service of files is compared with. */
import { type Feed, feed } from "./feed.ts";
import type { Entry, FileService } from "./file.ts";
import { byteOrder, joinPath } from "./path.ts";
import {
  each,
  type FileRow,
  mustMatch,
  type Node,
  type Paging,
  refusal,
  tree,
  type WatchEvent,
} from "./tree.ts";

export interface MemoryOptions {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Most bytes that one write takes; the kit's limit if absent. */
  readonly maxBytes?: number;
}

interface Leaf {
  readonly bytes: Uint8Array;
  readonly version: string;
  readonly modified: number;
  readonly type: string | undefined;
}

type Folder = Map<string, Leaf | Folder>;
type Names = readonly string[];

function isFolder(found: Leaf | Folder | undefined): found is Folder {
  return found instanceof Map;
}

/** An empty file system. A directory is there as long as something is in it; writing makes it. */
export function memoryFiles({ now, maxBytes }: MemoryOptions): FileService {
  const root: Folder = new Map();
  const feeds = new Map<string, Feed>();
  let versions = 0;

  function find(names: Names): Leaf | Folder | undefined {
    let found: Leaf | Folder | undefined = root;
    for (const name of names) found = isFolder(found) ? found.get(name) : undefined;
    return found;
  }

  /** The directory of a file to be, made where it is missing. */
  function folderFor(names: Names): Folder {
    let folder = root;
    for (const name of names) {
      const next = folder.get(name) ?? new Map();
      if (!isFolder(next)) throw refusal("not_directory", "a file has nothing below it");
      folder.set(name, next);
      folder = next;
    }
    return folder;
  }

  /** Checks and changes in one go, without waiting in between: that is what makes it a commit. */
  function commit(
    names: Names,
    o: { match?: string; type?: string },
    change: (old: Uint8Array) => Uint8Array,
  ): void {
    const old = find(names);
    if (isFolder(old)) throw refusal("is_directory", "a directory has no bytes of its own");
    mustMatch(o.match, old?.version);
    const bytes = change(old?.bytes ?? new Uint8Array());
    const leaf = { bytes, version: `${++versions}`, modified: now(), type: o.type ?? old?.type };
    folderFor(names.slice(0, -1)).set(names.at(-1)!, leaf);
    tell(names, { type: old ? "modified" : "created", version: leaf.version });
  }

  function remove(names: Names, match: string | undefined): void {
    const old = find(names);
    if (isFolder(old)) throw refusal("conflict", "it is not empty; remove what is in it first");
    if (!old) throw refusal("not_found");
    mustMatch(match, old.version);
    for (let depth = names.length; depth > 0; depth--) {
      const folder = find(names.slice(0, depth - 1)) as Folder;
      folder.delete(names[depth - 1]!);
      if (folder.size > 0) break;
    }
    tell(names, { type: "deleted" });
  }

  /** Watchers of the file hear of it, and those of every directory above it, who are told where. */
  function tell(names: Names, event: WatchEvent): void {
    for (let depth = 0; depth < names.length; depth++) {
      const name = names.slice(depth).join("/");
      feeds.get(joinPath(names.slice(0, depth)))?.tell({ ...event, name });
    }
    feeds.get(joinPath(names))?.tell(event);
  }

  async function* watch(names: Names, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const path = joinPath(names);
    const mine = feeds.get(path) ?? feed();
    feeds.set(path, mine);
    try {
      yield* mine.listen(signal);
    } finally {
      if (mine.listeners === 0 && feeds.get(path) === mine) feeds.delete(path);
    }
  }

  function list(names: Names, { after, limit }: Paging): Entry[] {
    const found = find(names);
    if (!isFolder(found)) return [];
    return [...found]
      .filter(([name]) => after === undefined || byteOrder(name, after) > 0)
      .sort(([a], [b]) => byteOrder(a, b))
      .slice(0, limit)
      .map(([name, child]) =>
        isFolder(child) ? { name, dir: true } : {
          name,
          dir: false,
          size: child.bytes.length,
          modified: child.modified,
        }
      );
  }

  function folderNode(names: Names): Node {
    return each({
      list: (page) => list(names, page),
      get(name, { op, last }) {
        const path = [...names, name];
        const found = find(path);
        if (found) return isFolder(found) ? folderNode(path) : fileNode(path);
        if (op !== "write" && op !== "append") return undefined;
        return last ? fileNode(path) : folderNode(path);
      },
    }, {
      about: "a directory of files",
      watch: ({ signal }) => watch(names, signal),
      remove: ({ match }) => remove(names, match),
    });
  }

  function fileNode(names: Names): Node {
    const leaf = () => {
      const found = find(names);
      return isFolder(found) ? undefined : found;
    };
    const row: FileRow = {
      parts: true,
      ...(maxBytes === undefined ? {} : { maxBytes }),
      stat() {
        const found = leaf();
        return found && { ...found, size: found.bytes.length };
      },
      read() {
        const found = leaf();
        if (!found) throw refusal("not_found");
        return found.bytes;
      },
      write: (data, o) =>
        commit(names, o, (old) => o.offset === undefined ? data : spliced(old, o.offset, data)),
      append: (data, o) => commit(names, o, (old) => spliced(old, old.length, data)),
      watch: ({ signal }) => watch(names, signal),
      remove: ({ match }) => remove(names, match),
    };
    return { dir: false, row };
  }

  return tree(folderNode([]));
}

/** `old` with `data` from `offset` on; what lies behind it stays. */
function spliced(old: Uint8Array, offset: number, data: Uint8Array): Uint8Array {
  if (offset > old.length) {
    throw refusal("range_not_satisfiable", "a part begins within the file or at its end", {
      offset,
      size: old.length,
    });
  }
  const bytes = new Uint8Array(Math.max(old.length, offset + data.length));
  bytes.set(old);
  bytes.set(data, offset);
  return bytes;
}
