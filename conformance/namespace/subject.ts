/** What the laws of namespaces need: the two functions that make one. They bring their own services. */
import type { FileService } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import type { Changed, Mount } from "../../src/fs/namespace.ts";
import { writeText } from "../../src/fs/use.ts";

export interface NamespaceSubject {
  namespace(mounts: () => readonly Mount[], changed?: Changed): FileService;
  subtree(service: FileService, path: string): FileService;
}

/** Files with these contents. */
export async function filled(contents: Readonly<Record<string, string>>): Promise<FileService> {
  const files = memoryFiles({ now: () => 0 });
  for (const [path, text] of Object.entries(contents)) await writeText(files, path, text);
  return files;
}

/** A table that can be changed, and tells who asked to be told. */
export function tableOf(...first: Mount[]): {
  readonly mounts: () => readonly Mount[];
  readonly changed: Changed;
  set(...mounts: Mount[]): void;
} {
  let mounts: readonly Mount[] = first;
  const listeners = new Set<() => void>();
  return {
    mounts: () => mounts,
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(...next) {
      mounts = next;
      for (const listener of listeners) listener();
    },
  };
}

export async function namesIn(files: FileService, path: string): Promise<string[]> {
  return (await files.list(path)).map(({ name }) => name);
}
