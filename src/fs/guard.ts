/** A handle that asks before every verb whether it may still be held, and discards what it holds when it may not. */
import { type FileError, retold } from "./error.ts";
import type { FileHandle, Mode, OpenOptions } from "./file.ts";
import { ENDED, lifeWithin } from "./life.ts";
import { refusal } from "./row.ts";

export interface Guarded {
  readonly path: string;
  readonly mode: Mode;
  readonly options: OpenOptions;
  /** Why it may no longer be held; undefined while it may. */
  fault(): FileError | undefined;
  /** Tells when `fault` may have changed, so that a verb which waits need not wait to its end. */
  readonly changed: ((listener: () => void) => () => void) | undefined;
  /** Opens the inner handle, with a signal that aborts when it is taken away. */
  open(options: OpenOptions): Promise<FileHandle>;
}

export async function guarded(guard: Guarded): Promise<FileHandle> {
  const { path, mode, options, changed } = guard;
  /** The inner handle's life: it ends by the caller's signal, or because the handle was taken. */
  const inner = lifeWithin(options.signal);
  const held = lifeWithin();
  let taken: FileError | undefined;
  let told = false;
  let closing: Promise<void> | undefined;

  function look(): void {
    taken ??= guard.fault();
    if (taken) take();
  }
  function take(): void {
    ignore();
    inner.end();
    held.end();
    opened?.close().catch(() => {});
  }
  function refuse(): never {
    told = true;
    throw taken!;
  }

  let opened: FileHandle | undefined;
  let ignore = () => {};
  ignore = changed?.(look) ?? ignore;
  try {
    opened = await guard.open({ ...options, signal: inner.signal });
  } catch (error) {
    ignore();
    inner.end();
    throw taken ?? error;
  }
  const handle = opened;
  look();
  if (taken) throw taken;

  async function verb<T>(op: string, run: () => Promise<T>): Promise<T> {
    try {
      if (closing) throw refusal("invalid_request", "the handle is closed");
      look();
      const done = await held.during(run);
      // What came in while it waited is not for who may no longer have it.
      look();
      if (done === ENDED || taken) return refuse();
      return done;
    } catch (error) {
      if (taken) told = true;
      throw retold(taken ?? error, op, path);
    }
  }

  /** Whether a commit that was under way took place is the inner handle's to say. */
  async function close(): Promise<void> {
    look();
    const takenBefore = taken;
    const commits = mode !== "read" && mode !== "watch";
    try {
      await handle.close();
      if (takenBefore && commits && !told) throw takenBefore;
    } catch (error) {
      if (!taken) throw retold(error, mode, path);
      if (commits && !told) throw retold(taken, mode, path);
    } finally {
      ignore();
      inner.end();
      held.end();
    }
  }

  return {
    read: () => verb("read", () => handle.read()),
    write: (data) => verb("write", () => handle.write(data)),
    close: () => closing ??= close(),
  };
}
