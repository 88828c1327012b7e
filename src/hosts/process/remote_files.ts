/** The namespace as an agent's process has it: a handle is the number of the call that opened it. */
import { FileError } from "../../fs/error.ts";
import type { FileHandle, FileService, OpenOptions } from "../../fs/file.ts";

/** Bytes as they are, JSON as its value, nothing as undefined. */
export type Answer = unknown;

/** Sends a call and waits for its answer. `begun` learns the call's number as soon as it is on its way. */
export type Ask = (
  op: string,
  args: { readonly [name: string]: unknown },
  body?: Uint8Array,
  begun?: (id: number) => void,
) => Promise<Answer>;

/** A larger write goes in several calls. */
const WRITE_BYTES = 1024 * 1024;

/** @param cancel ends an open call or the handle that it gave */
export function remoteFiles(ask: Ask, cancel: (id: number) => void): FileService {
  return {
    async open(path, mode, { signal, ...options }: OpenOptions = {}) {
      if (signal?.aborted) {
        const detail = "the signal had aborted before";
        throw new FileError("interrupted", "open", String(path), { detail });
      }
      let id = 0;
      const abort = () => cancel(id);
      const begun = (given: number) => {
        id = given;
        signal?.addEventListener("abort", abort, { once: true });
        if (signal?.aborted) abort();
      };
      const letGo = () => signal?.removeEventListener("abort", abort);
      try {
        await ask("open", { path, mode, options }, undefined, begun);
      } catch (error) {
        letGo();
        throw error;
      }
      return remoteHandle(ask, id, letGo);
    },
    stat: (path) => ask("stat", { path }) as ReturnType<FileService["stat"]>,
    list: (path, page) => ask("list", { path, options: page }) as ReturnType<FileService["list"]>,
    async remove(path, options) {
      await ask("remove", { path, options });
    },
  };
}

/** Calls arrive in the order in which they were made; only a write of several calls needs a line here. */
function remoteHandle(ask: Ask, handle: number, letGo: () => void): FileHandle {
  let line: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;

  async function write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at === 0 || at < bytes.length; at += WRITE_BYTES) {
      await ask("write", { handle }, bytes.subarray(at, at + WRITE_BYTES));
    }
  }

  async function close(): Promise<void> {
    try {
      await line;
      await ask("close", { handle });
    } finally {
      letGo();
    }
  }

  return {
    read: () => ask("read", { handle }) as Promise<Uint8Array | undefined>,
    write(data) {
      // The caller may use its buffer again at once.
      const bytes = data.slice();
      const turn = line.then(() => write(bytes));
      line = turn.catch(() => {});
      return turn;
    },
    close: () => closing ??= close(),
  };
}
