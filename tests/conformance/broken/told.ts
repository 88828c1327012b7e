/** Ways to spoil what a service's files tell and are told, path by path. */
import { hasCode } from "../../../src/fs/error.ts";
import type { FileHandle, FileService, Mode, OpenOptions } from "../../../src/fs/file.ts";
import type { Spoil } from "./spoil.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// deno-lint-ignore no-explicit-any -- whatever the files hold is there to be spoilt
export type Loose = any;

/** Spoils handles of paths that match. */
export function at(
  where: RegExp,
  mode: Mode,
  spoil: (handle: FileHandle, files: FileService, path: string) => Partial<FileHandle>,
): Spoil {
  return (files) => ({
    ...files,
    async open(path: string, opened: Mode, options?: OpenOptions) {
      const handle = await files.open(path, opened, options);
      if (opened !== mode || !where.test(path)) return handle;
      return { ...handle, ...spoil(handle, files, path) };
    },
  });
}

/** Another value than the file's, or the call's answer. */
export function told(where: RegExp, mode: "read" | "call", change: (value: Loose) => Loose): Spoil {
  return at(where, mode, (handle) => {
    let isRead = false;
    return {
      async read() {
        if (isRead) return undefined;
        isRead = true;
        return encoder.encode(JSON.stringify(change(JSON.parse(await whole(handle)))));
      },
    };
  });
}

async function whole(handle: FileHandle): Promise<string> {
  let text = "";
  for (let chunk = await handle.read(); chunk; chunk = await handle.read()) {
    text += decoder.decode(chunk);
  }
  return text;
}

/** Another request than the one that was written. */
export function asked(
  where: RegExp,
  mode: "write" | "call",
  change: (value: Loose) => Loose,
): Spoil {
  return at(where, mode, (handle) => ({
    write: (data) => handle.write(encoder.encode(JSON.stringify(change(parsed(data))))),
  }));
}

function parsed(data: Uint8Array): Loose {
  return JSON.parse(decoder.decode(data));
}

/** Other events than a stream's, or none, to those who watch. */
export function watched(where: RegExp, change: (event: Loose) => Loose | undefined): Spoil {
  return at(where, "watch", (handle) => ({
    async read() {
      for (let chunk = await handle.read(); chunk; chunk = await handle.read()) {
        const event = change(parsed(chunk));
        if (event !== undefined) return encoder.encode(JSON.stringify(event));
      }
      return undefined;
    },
  }));
}

/** After a refusal, does this. */
export function refused(
  where: RegExp,
  mode: "write" | "call",
  then: (files: FileService, path: string, sent: string) => Promise<unknown>,
): Spoil {
  return at(where, mode, (handle, files, path) => {
    let sent = "";
    async function trying<T>(run: () => Promise<T>): Promise<T> {
      try {
        return await run();
      } catch (error) {
        await then(files, path, sent);
        throw error;
      }
    }
    return {
      write(data) {
        sent += decoder.decode(data);
        return handle.write(data);
      },
      read: () => trying(() => handle.read()),
      close: () => trying(() => handle.close()),
    };
  });
}

export function both(...spoils: readonly Spoil[]): Spoil {
  return (files) => spoils.reduce((spoilt, spoil) => spoil(spoilt), files);
}

/** Files of the agent before, where there are none of its own. */
export function showsEverything(): Spoil {
  let before: FileService | undefined;
  return (files) => {
    const other = before;
    // Two agents are of one world, and the next one of another.
    before = other ? undefined : files;
    async function or<T>(run: (files: FileService) => Promise<T>): Promise<T> {
      try {
        return await run(files);
      } catch (error) {
        if (!other || !hasCode(error, "not_found")) throw error;
        return await run(other);
      }
    }
    return {
      ...files,
      open: (path, mode, options) => or((files) => files.open(path, mode, options)),
      stat: (path) => or((files) => files.stat(path)),
    };
  };
}

/** A value without some of its fields. */
export function without(...names: readonly string[]): (value: Loose) => Loose {
  return (value) =>
    Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}
