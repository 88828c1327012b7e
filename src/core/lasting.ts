/** An agent's files for callers who keep them longer than the agent stays in memory: each use finds the agent of that moment, and keeps it there while it lasts. */
import type { FileHandle, FileService, OpenOptions } from "../fs/file.ts";

/** The agent's files as they are now; it stays in memory until `release`. */
export interface Held {
  readonly files: FileService;
  release(): void;
}

/** @param hold rejects with `not_found` once the agent is gone */
export function lastingFiles(hold: () => Promise<Held>): FileService {
  async function use<T>(run: (files: FileService) => Promise<T>): Promise<T> {
    const held = await hold();
    try {
      return await run(held.files);
    } finally {
      held.release();
    }
  }
  return {
    stat: (path) => use((files) => files.stat(path)),
    list: (path, page) => use((files) => files.list(path, page)),
    remove: (path, options) => use((files) => files.remove(path, options)),
    async open(path, mode, options) {
      const held = await hold();
      try {
        const handle = await held.files.open(path, mode, options);
        return heldHandle(handle, held, options?.signal);
      } catch (error) {
        held.release();
        throw error;
      }
    },
  };
}

/** Lets go at its close, or when its caller has left. */
function heldHandle(
  handle: FileHandle,
  held: Held,
  signal: OpenOptions["signal"],
): FileHandle {
  let holds = true;
  const letGo = () => {
    if (!holds) return;
    holds = false;
    signal?.removeEventListener("abort", letGo);
    held.release();
  };
  signal?.addEventListener("abort", letGo);
  if (signal?.aborted) letGo();
  return {
    read: () => handle.read(),
    write: (data) => handle.write(data),
    async close() {
      try {
        await handle.close();
      } finally {
        letGo();
      }
    },
  };
}
