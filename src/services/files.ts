/** `/files/…`: the agent's own files and directories, any bytes, in chunks. */
import { key, nameOfKey } from "../core/keys.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import type { Entry } from "../fs/file.ts";
import { each, type FileRow, type Node, type Paging, refusal, tree } from "../fs/tree.ts";
import { changesBelow, changesOf } from "./common/changes.ts";
import { fits, folderOf } from "./content/entry.ts";
import { headOf } from "./content/head.ts";
import { guessedType } from "./content/media_type.ts";
import { readContent } from "./content/read.ts";
import { removeFile } from "./content/store.ts";
import { openFileWriter } from "./content/writer.ts";

type Names = readonly string[];

/** Heads are read so many at a time: those of small files hold the file. */
const LIST_BATCH = 64;
const FOLDER_MARK = "!";

export const files: ServiceFactory = (view) => tree(folder(view, []), view.viewer);

function folder(view: AgentView, names: Names): Node {
  const { rows } = view;
  return each({
    list: (page) => entries(view, names, page),
    async get(name, { op, last }) {
      const path = [...names, name];
      if (fits(path)) {
        if (await rows.get(key.folder(path))) return folder(view, path);
        if (await rows.get(key.file(path))) return leaf(view, path);
      }
      if (op !== "write" && op !== "append") return undefined;
      return last ? leaf(view, path) : folder(view, path);
    },
  }, {
    about: "files and directories; writing makes the directories, which go with their last file",
    async stat() {
      if (names.length === 0) return {};
      const value = await rows.get(key.folder(names));
      return value && { modified: folderOf(value).modified };
    },
    watch: ({ signal }) => changesBelow(rows, key.below(names), nameBelow(names), signal),
    async remove() {
      if (names.length === 0) throw refusal("not_supported", "the root stays");
      if (!await rows.get(key.folder(names))) throw refusal("not_found");
      throw refusal("conflict", "it is not empty; remove what is in it, and it goes with the last");
    },
  });
}

function leaf(view: AgentView, names: Names): Node {
  const { rows } = view;
  const at = key.file(names);
  const head = async () => {
    const value = fits(names) ? await rows.get(at) : undefined;
    return value && headOf(value);
  };
  const row: FileRow = {
    ranges: true,
    parts: true,
    async stat() {
      const found = await head();
      if (!found) return undefined;
      const { size, modified, version } = found;
      return { size, modified, version, type: found.type ?? guessedType(names.at(-1)!) };
    },
    async read({ offset, length }) {
      const found = await head();
      if (!found) throw refusal("not_found");
      return readContent(rows, found, offset, length);
    },
    writer: (mode, o) => openFileWriter(view, names, mode, o),
    watch: ({ signal }) => changesOf(rows, at, signal),
    remove: ({ match }) => rows.change((txn) => removeFile(txn, names, match, view.now())),
  };
  return { dir: false, row };
}

/** One page of a directory, in byte order. */
async function entries(view: AgentView, names: Names, { after, limit }: Paging): Promise<Entry[]> {
  const prefix = key.entries(names);
  const found: Entry[] = [];
  let behind = after === undefined ? undefined : key.folder([...names, after]);
  while (found.length < limit) {
    const rows = await view.rows.list({
      prefix,
      limit: Math.min(LIST_BATCH, limit - found.length),
      ...(behind === undefined ? {} : { after: behind }),
    });
    if (rows.length === 0) break;
    for (const row of rows) found.push(entry(row.key.slice(prefix.length), row.value));
    behind = rows.at(-1)!.key;
  }
  return found;
}

function entry(part: string, value: Uint8Array): Entry {
  if (part.endsWith(FOLDER_MARK)) {
    const name = nameOfKey(part.slice(0, -FOLDER_MARK.length));
    return { name, dir: true, modified: folderOf(value).modified };
  }
  const { size, modified } = headOf(value);
  return { name: nameOfKey(part), dir: false, size, modified };
}

/** The path of a file from a directory on, told from its key; undefined for a directory's own row. */
function nameBelow(names: Names): (at: string) => string | undefined {
  const prefix = key.below(names);
  return (at) => {
    if (at.endsWith(FOLDER_MARK)) return undefined;
    const parts = at.slice(prefix.length).split("/").filter((part) => part !== "");
    return parts.map(nameOfKey).join("/");
  };
}
