/** A directory's files, asked of its worker: a worker is started when it is first needed, and another one when it has ended. */
import { FileError, retold } from "../../fs/error.ts";
import type {
  Entry,
  FileHandle,
  FileService,
  Mode,
  OpenOptions,
  Page,
  Stat,
} from "../../fs/file.ts";
import { type Begin, MAX_MESSAGE_BYTES } from "./protocol.ts";
import { openSession, type Session } from "./session.ts";

export interface WorkerFiles {
  readonly files: FileService;
  /** Ends the worker; every handle is lost, and what was not closed is discarded. */
  close(): Promise<void>;
}

/** `start` makes a worker; the first message it gets is `begin`. */
export function workerFiles(start: () => Worker, begin: Begin): WorkerFiles {
  let session: Session | undefined;
  let ending: Promise<void> | undefined;
  let numbers = 0;
  /** Handles that nobody can close any more, because nobody has them. */
  const forgotten = new FinalizationRegistry<() => void>((close) => close());

  function current(op: string, path: string): Session {
    if (ending) {
      throw new FileError("not_found", op, path, { detail: "the directory is no longer mounted" });
    }
    if (!session || session.over) session = openSession(start, begin);
    return session;
  }

  async function openHandle(
    path: string,
    mode: Mode,
    { signal, ...options }: OpenOptions,
  ): Promise<FileHandle> {
    const mine = current("open", path);
    const number = ++numbers;
    const token = {};
    const abort = () => mine.abort(number);
    const leave = () => {
      signal?.removeEventListener("abort", abort);
      forgotten.unregister(token);
    };
    signal?.addEventListener("abort", abort);
    try {
      const aborted = signal?.aborted ?? false;
      await mine.ask({ op: "open", path, mode, options, aborted, handle: number });
    } catch (error) {
      leave();
      throw error;
    }
    const handle = handleOver(mine, number, path, mode, leave);
    forgotten.register(handle, () => {
      abort();
      leave();
      mine.ask({ op: "close", handle: number }).catch(() => {});
    }, token);
    return handle;
  }

  return {
    files: {
      open: (path, mode, options = {}) => told("open", path, () => openHandle(path, mode, options)),
      stat: (path) =>
        told(
          "stat",
          path,
          async () => await current("stat", path).ask({ op: "stat", path }) as Stat,
        ),
      list: (path, { after, limit }: Page = {}) =>
        told("list", path, async () => {
          const page = {
            ...(after === undefined ? {} : { after }),
            ...(limit === undefined ? {} : { limit }),
          };
          return await current("list", path).ask({ op: "list", path, page }) as Entry[];
        }),
      remove: (path, { match } = {}) =>
        told("remove", path, async () => {
          await current("remove", path).ask({ op: "remove", path, match });
        }),
    },
    close() {
      ending ??= session?.end() ?? Promise.resolve();
      return ending;
    },
  };
}

async function told<T>(op: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw retold(error, op, path);
  }
}

/** The worker's handle of that number. Its verbs are the worker's; here is only that nothing follows a close. */
function handleOver(
  session: Session,
  handle: number,
  path: string,
  mode: Mode,
  leave: () => void,
): FileHandle {
  let closing: Promise<void> | undefined;
  /** Writes, one behind the other: the next is sent when the last has been taken. */
  let line: Promise<unknown> = Promise.resolve();

  function mustBeOpen(): void {
    if (closing) {
      throw new FileError("invalid_request", mode, path, { detail: "the handle is closed" });
    }
  }

  async function send(data: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
    if (!data || data.length <= MAX_MESSAGE_BYTES) {
      await session.ask({ op: "write", handle, data }, data ? [data.buffer] : []);
      return;
    }
    for (let at = 0; at < data.length; at += MAX_MESSAGE_BYTES) {
      const part = data.slice(at, at + MAX_MESSAGE_BYTES);
      await session.ask({ op: "write", handle, data: part }, [part.buffer]);
    }
  }

  /** A worker that has ended holds nothing that would have to be closed; but it has not written either. */
  async function close(): Promise<void> {
    await line.catch(() => {});
    const commits = mode !== "read" && mode !== "watch";
    if (!session.over || commits) await session.ask({ op: "close", handle });
  }

  return {
    read: () =>
      told("read", path, async () => {
        mustBeOpen();
        return await session.ask({ op: "read", handle }) as Uint8Array | undefined;
      }),
    write: (data) =>
      told("write", path, () => {
        mustBeOpen();
        // The caller may use its buffer again at once.
        const copy = ArrayBuffer.isView(data)
          ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
          : undefined;
        const sent = line.then(() => send(copy));
        line = sent.catch(() => {});
        return sent;
      }),
    close() {
      closing ??= told(mode, path, close).finally(leave);
      return closing;
    },
  };
}
