/** `ctx.env`: the agent's files with text and JSON helpers, dead as soon as the hook has ended. */
import { FileError } from "../fs/error.ts";
import type { FileHandle, FileService, OpenOptions } from "../fs/file.ts";
import * as use from "../fs/use.ts";
import type { AgentEnv } from "../core/agent.ts";
import type { Json } from "../core/envelope.ts";
import type { HookLife } from "./life.ts";
import { jsonCopy } from "./plain.ts";

type Data = string | Uint8Array | Json;

const encoder = new TextEncoder();

export function agentEnv(port: FileService, life: HookLife): AgentEnv {
  const { call, effect } = life;
  const within = (options?: OpenOptions) => ({ ...options, signal: signalWithin(life, options) });
  return {
    read: (path, options) => call("read", () => use.readText(port, path, within(options))),
    readJson: <T>(path: string, options?: OpenOptions) =>
      call("read", () => use.readJson<T>(port, path, within(options))),
    readBytes: (path, options) => call("read", () => use.readBytes(port, path, within(options))),
    write: (path, data, options) =>
      effect("write", () => {
        const { bytes, type } = encoded(data, "write", path);
        return use.writeBytes(port, path, bytes, { ...type, ...within(options) });
      }),
    append: (path, data, options) =>
      effect("append", () => {
        const { bytes, type } = encoded(data, "append", path);
        return use.appendBytes(port, path, bytes, { ...type, ...within(options) });
      }),
    call: <T>(path: string, request: Data = "", options?: OpenOptions) =>
      call("call", async () => {
        const { bytes, type } = encoded(request, "call", path);
        const opened = { ...type, ...within(options) };
        return parsedAnswer(await use.callText(port, path, bytes, opened)) as T;
      }),
    list: (path, page) => call("list", () => port.list(path, page)),
    stat: (path) => call("stat", () => port.stat(path)),
    remove: (path, options) => effect("remove", () => port.remove(path, options)),
    watch: (path, options) => watch(port, life, path, within(options)),
    files: mortal(port, life),
  };
}

/** The namespace itself, for who wants handles. */
function mortal(port: FileService, life: HookLife): FileService {
  const { call, effect } = life;
  const handle = (inner: FileHandle): FileHandle => ({
    read: () => call("read", () => inner.read()),
    write: (data) => effect("write", () => inner.write(data)),
    close: () => effect("close", () => inner.close()),
  });
  return {
    open: (path, mode, options) =>
      call("open", async () => {
        const signal = signalWithin(life, options);
        return handle(await port.open(path, mode, { ...options, signal }));
      }),
    stat: (path) => call("stat", () => port.stat(path)),
    list: (path, page) => call("list", () => port.list(path, page)),
    remove: (path, options) => effect("remove", () => port.remove(path, options)),
  };
}

/**
 * The watch stands from the call on, not from the loop on, so that nothing in between is missed. It ends, and does not fail, when the hook does.
 */
function watch<T>(
  port: FileService,
  life: HookLife,
  path: string,
  options: OpenOptions,
): AsyncIterable<T> {
  const tooLate = life.signal.aborted;
  const opening = life.call("watch", () => use.watch<T>(port, path, options));
  async function* events(): AsyncGenerator<T, void> {
    try {
      const source = await opening;
      for (;;) {
        const next = await life.call("watch", () => source.next());
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      if (tooLate || !life.signal.aborted) throw error;
    } finally {
      // A source that still waits for an event returns when its signal aborts, which this must not wait for.
      opening.then((source) => source.return()).catch(() => {});
    }
  }
  return { [Symbol.asyncIterator]: events };
}

function signalWithin(life: HookLife, options?: OpenOptions): AbortSignal {
  return options?.signal ? AbortSignal.any([life.signal, options.signal]) : life.signal;
}

/** Text and bytes as they are, all else as JSON. */
function encoded(
  data: Data,
  op: string,
  path: string,
): { bytes: Uint8Array; type?: { type: string } } {
  if (typeof data === "string") return { bytes: encoder.encode(data) };
  if (ArrayBuffer.isView(data)) return { bytes: data };
  if (data === undefined) {
    throw new FileError("invalid_request", op, path, { detail: "there is no data" });
  }
  const bytes = encoder.encode(JSON.stringify(jsonCopy(data, op)));
  return { bytes, type: { type: "application/json" } };
}

/** Most calls answer JSON; one that answers plain text gives it as a string, and an empty answer is null. */
function parsedAnswer(text: string): Json {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
