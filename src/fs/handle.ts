/** What every handle of a declared row keeps: one verb at a time, nothing after close, errors by the caller's path. */
import { retold } from "./error.ts";
import type { FileHandle, Mode, OpenOptions } from "./file.ts";
import { type Life, lifeWithin, type Verbs } from "./life.ts";
import { openRead, openWatch } from "./reading.ts";
import { type FileRow, refusal } from "./row.ts";
import { openCall, openWrite } from "./writing.ts";

/** Opens a mode that the row has. */
export async function openRow(
  row: FileRow,
  mode: Mode,
  path: string,
  options: OpenOptions,
): Promise<FileHandle> {
  const life = lifeWithin(options.signal);
  try {
    return handle(path, mode, await verbsOf(row, mode, options, life), life);
  } catch (error) {
    life.end();
    throw error;
  }
}

/** @throws FileError `invalid_request` for a number that is none */
export function checkOptions(options: OpenOptions): void {
  for (const name of ["offset", "length", "after", "to", "tail"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      throw refusal("invalid_request", `${name} is an integer from 0, not ${value}`);
    }
  }
  if (options.match === "") throw refusal("invalid_request", "match is a version, not empty");
}

function verbsOf(row: FileRow, mode: Mode, options: OpenOptions, life: Life): Promise<Verbs> {
  if (mode === "watch") return openWatch(row, options, life);
  if (mode === "read") return openRead(row, options, life);
  if (mode === "call") return openCall(row, options, life);
  return openWrite(row, mode, options, life);
}

/** `invalid_request`: a verb of another mode, or any verb after close. */
function handle(path: string, mode: Mode, verbs: Verbs, life: Life): FileHandle {
  let line: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;

  async function told<T>(op: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw retold(asAbort(error, life), op, path);
    }
  }

  function verb<T>(op: "read" | "write", run: (() => Promise<T>) | undefined): Promise<T> {
    return told(op, () => {
      if (!run) throw refusal("invalid_request", `it was opened to ${mode}`);
      if (closing) throw refusal("invalid_request", "the handle is closed");
      const turn = line.then(run);
      line = turn.catch(() => {});
      return turn;
    });
  }

  return {
    read: () => verb("read", verbs.read),
    write: (data) => verb("write", verbs.write && taking(verbs.write, data)),
    close() {
      if (!closing) {
        verbs.leave?.();
        const before = line;
        closing = told(mode, () => before.then(verbs.close)).finally(life.end);
      }
      return closing;
    },
  };
}

/** The caller may use its buffer again at once, so the bytes are copied before anything waits. */
function taking(write: NonNullable<Verbs["write"]>, data: Uint8Array) {
  const copy = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    : undefined;
  return () => write(copy);
}

/** A platform's own abort error, thrown because the caller's signal aborted, is `interrupted`. */
function asAbort(error: unknown, life: Life): unknown {
  const foreign = (error as { name?: unknown } | undefined)?.name !== "FileError";
  return foreign && life.interrupted() ? refusal("interrupted", "the signal aborted") : error;
}
