/** Entries of directories: a directory's row counts them, so that it goes with the last one, and a name is a file or a directory and never both. */
import { decodeJson, encodeJson } from "../../core/code.ts";
import { key } from "../../core/keys.ts";
import { MAX_KEY_BYTES } from "../../core/storage.ts";
import type { Txn } from "../../core/view.ts";
import { refusal } from "../../fs/tree.ts";

/** Row of a directory. `size` stands there for all that add up rows of files. */
export interface Folder {
  readonly size: 0;
  readonly children: number;
  /** When an entry came or went; milliseconds since the Unix epoch. */
  readonly modified: number;
}

type Names = readonly string[];
/** Writes what has been checked, without waiting: a refusal leaves nothing half done in a tick that goes on. */
export type Apply = () => void;

export function folderOf(value: Uint8Array): Folder {
  return decodeJson<Folder>(value);
}

/** Keys have a limit, so names that are escaped, or very long, cannot be nested without end. */
export function fits(names: Names): boolean {
  return key.folder(names).length <= MAX_KEY_BYTES;
}

/**
 * Makes room for a new file: the directories above it, counted.
 * A row that must be absent is removed all the same: the commit checks rows that were read and written, so that whoever makes
 * one in the meantime is not overlooked.
 * @throws FileError `is_directory`, `not_directory`
 */
export async function claim(txn: Txn, names: Names, now: number): Promise<Apply> {
  const absent = [key.folder(names)];
  const folders: [string, Folder][] = [];
  if (await txn.get(key.folder(names))) {
    throw refusal("is_directory", "a directory has no bytes of its own");
  }
  for (let depth = names.length - 1; depth > 0; depth--) {
    const above = names.slice(0, depth);
    const at = key.folder(above);
    const row = await txn.get(at);
    const children = row ? folderOf(row).children + 1 : 1;
    folders.push([at, { size: 0, children, modified: now }]);
    if (row) break;
    if (await txn.get(key.file(above))) {
      throw refusal("not_directory", "a file has nothing below it");
    }
    absent.push(key.file(above));
  }
  return () => {
    for (const at of absent) txn.remove(at);
    for (const [at, folder] of folders) txn.put(at, encodeJson(folder));
  };
}

/** Takes a file's entry away, and the directories that are empty without it. */
export async function release(txn: Txn, names: Names, now: number): Promise<Apply> {
  const gone: string[] = [];
  let kept: [string, Folder] | undefined;
  for (let depth = names.length - 1; depth > 0; depth--) {
    const at = key.folder(names.slice(0, depth));
    const row = await txn.get(at);
    if (!row) break;
    const children = folderOf(row).children - 1;
    if (children > 0) {
      kept = [at, { size: 0, children, modified: now }];
      break;
    }
    gone.push(at);
  }
  return () => {
    for (const at of gone) txn.remove(at);
    if (kept) txn.put(kept[0], encodeJson(kept[1]));
  };
}
