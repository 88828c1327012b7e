/**
 * What runs in the worker: the files of one directory, and nothing else. Its only permission is that directory, so that
 * whatever is wrong with a path ends at Deno's own check.
 */
import { codeOf, FileError } from "../../fs/error.ts";
import type { FileHandle } from "../../fs/file.ts";
import { type DirectoryFiles, directoryFiles } from "./files.ts";
import {
  type Aborted,
  type Answer,
  type Asked,
  type Fault,
  MAX_HANDLES,
  type Question,
} from "./protocol.ts";

interface Port {
  onmessage: ((event: { readonly data: Asked | Aborted }) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
}

interface Held {
  readonly abort: AbortController;
  handle?: FileHandle;
}

const port = globalThis as unknown as Port;
const handles = new Map<number, Held>();
let directory: DirectoryFiles | undefined;

port.onmessage = ({ data }) => {
  if ("aborted" in data) handles.get(data.aborted)?.abort.abort();
  else answer(data);
};

async function answer({ id, question }: Asked): Promise<void> {
  try {
    const ok = await serve(question);
    // What is read was copied for its reader, so it can go without another copy.
    const transfer = question.op === "read" && ok ? [(ok as Uint8Array<ArrayBuffer>).buffer] : [];
    port.postMessage({ id, ok }, transfer);
  } catch (error) {
    port.postMessage({ id, fault: faultOf(error, question) }, []);
  }
}

function serve(question: Question): unknown {
  switch (question.op) {
    case "begin":
      directory = directoryFiles(question);
      return;
    case "stat":
      return files().stat(question.path);
    case "list":
      return files().list(question.path, question.page);
    case "remove": {
      const { path, match } = question;
      return files().remove(path, match === undefined ? {} : { match });
    }
    case "open":
      return open(question);
    case "read":
      return held(question.handle).read();
    case "write":
      return held(question.handle).write(question.data as Uint8Array);
    case "close":
      return held(question.handle).close().finally(() => handles.delete(question.handle));
    case "end":
      return end();
  }
}

function files() {
  if (!directory) throw new FileError("internal", "open", "/", { detail: "nothing was begun" });
  return directory.files;
}

async function open(question: Question & { op: "open" }): Promise<void> {
  const { path, mode, options, aborted } = question;
  if (liveHandles() >= MAX_HANDLES) {
    throw new FileError("rate_limited", "open", path, {
      detail: `at most ${MAX_HANDLES} handles of a directory are open at a time; close some`,
      extra: { limit: MAX_HANDLES },
    });
  }
  const held: Held = { abort: new AbortController() };
  if (aborted) held.abort.abort();
  handles.set(question.handle, held);
  try {
    held.handle = await files().open(path, mode, { ...options, signal: held.abort.signal });
  } catch (error) {
    handles.delete(question.handle);
    throw error;
  }
}

/** Who aborts holds nothing of the host any more, though it may still ask what has become of it. */
function liveHandles(): number {
  let live = 0;
  for (const { abort } of handles.values()) if (!abort.signal.aborted) live++;
  return live;
}

function held(handle: number): FileHandle {
  const found = handles.get(handle)?.handle;
  if (!found) throw new FileError("invalid_request", "use", "", { detail: "no such handle" });
  return found;
}

async function end(): Promise<void> {
  const all = [...handles.values()];
  for (const { abort } of all) abort.abort();
  await Promise.allSettled(all.map(({ handle }) => handle?.close()));
  handles.clear();
  directory?.close();
}

/** No stack and no host path crosses. */
function faultOf(error: unknown, question: Question): Fault {
  const told = error as Partial<FileError>;
  const path = "path" in question ? String(question.path) : "";
  return {
    code: codeOf(error),
    op: told.op ?? question.op,
    path: told.path ?? path,
    detail: told.name === "FileError" ? told.detail : undefined,
    extra: told.name === "FileError" ? told.extra : undefined,
  };
}
