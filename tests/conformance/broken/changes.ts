/** Stores broken on purpose in what a write is: each with the laws that it breaks, and it breaks no others. */
import { FileError } from "../../../src/fs/error.ts";
import { type FileService, MATCH_NONE } from "../../../src/fs/file.ts";
import { memoryFiles } from "../../../src/fs/memory.ts";
import { readBytes, readText, writeBytes } from "../../../src/fs/use.ts";
import { type Broken, forgets, handles, lists, options, type Spoil, stats } from "./spoil.ts";

const decoder = new TextDecoder();

const encoder = new TextEncoder();

async function contentOf(files: FileService, path: string): Promise<Uint8Array> {
  return await readBytes(files, path).catch(() => new Uint8Array());
}

/** What is written goes straight to the file. */
const writesThrough: Spoil = handles("write", (handle, { files, path, options }) => {
  let all: number[] = [];
  return {
    async write(data) {
      all = [...all, ...data];
      await writeBytes(files, path, Uint8Array.from(all), options);
    },
    close: () => all.length ? Promise.resolve() : handle.close(),
  };
});

/** The end of the file is looked for at open. */
const appendsByOffset: Spoil = (files) => ({
  ...files,
  async open(path, mode, options = {}) {
    if (mode !== "append") return await files.open(path, mode, options);
    const offset = (await contentOf(files, path)).length;
    return await files.open(path, "write", { offset, ...options });
  },
});

/** The version is looked at once, at open. */
const matchesAtOpen: Spoil = (files) => ({
  ...files,
  async open(path, mode, { match, ...options } = {}) {
    const version = await files.stat(path).then((stat) => stat.version, () => undefined);
    const fits = match === undefined || match === version ||
      (match === MATCH_NONE ? version === undefined : match === "*any*" && version !== undefined);
    if (!fits) throw new FileError("precondition_failed", "open", path);
    return await files.open(path, mode, options);
  },
});

/** Says that bad data is bad, and commits what came before it. */
const forgivesBadData: Spoil = handles("write", (handle) => ({
  write(data) {
    if (ArrayBuffer.isView(data)) return handle.write(data);
    return Promise.reject(new FileError("invalid_request", "write", ""));
  },
}));

/** Removed files stay in the listing. */
function listsTheDead(): Spoil {
  return (files) => {
    const dead = new Map<string, Set<string>>();
    const split = (path: string) => {
      const at = path.lastIndexOf("/");
      return [path.slice(0, at), path.slice(at + 1)] as const;
    };
    return {
      ...files,
      async remove(path, options) {
        await files.remove(path, options);
        const [dir, name] = split(path);
        dead.set(dir, (dead.get(dir) ?? new Set()).add(name));
      },
      async list(path, page) {
        const ghosts = [...dead.get(path) ?? []].map((name) => ({ name, dir: false }));
        return [...await files.list(path, page), ...ghosts];
      },
    };
  };
}

/** Removing a directory removes what is in it. */
const removesTrees: Spoil = (files) => ({
  ...files,
  async remove(path, options) {
    if (!(await files.stat(path)).dir) return await files.remove(path, options);
    for (const { name } of await files.list(path)) await files.remove(`${path}/${name}`);
  },
});

/** A directory has to be there before a file can be written into it. */
const needsDirectories: Spoil = (files) => ({
  ...files,
  async open(path, mode, options) {
    const dir = path.slice(0, path.lastIndexOf("/"));
    if (mode === "write" && dir.split("/").length > 2) await files.stat(dir);
    return await files.open(path, mode, options);
  },
});

/** The version is made from the content alone. */
const hashesContent: Spoil = (files) => ({
  ...files,
  async stat(path) {
    const stat = await files.stat(path);
    return stat.dir ? stat : { ...stat, version: `v${(await readText(files, path)).slice(0, 9)}` };
  },
});

export const brokenChanges: readonly Broken[] = [
  [
    "does not truncate",
    "F10 F11 F20 F24 F25 F27",
    () => options((options, mode) => mode === "write" ? { offset: 0, ...options } : options),
  ],
  ["writes text", "F10 F14", () =>
    handles("write", (handle) => ({
      write: (data) =>
        ArrayBuffer.isView(data)
          ? handle.write(encoder.encode(decoder.decode(data)))
          : handle.write(data),
    }))],
  ["keeps the last chunk", "F10 F11 F13 F14 F24 F25 F27", () =>
    handles("write", (handle) => {
      let last: Uint8Array | undefined;
      return {
        write(data) {
          last = data?.slice();
          return Promise.resolve();
        },
        async close() {
          if (last) await handle.write(last);
          await handle.close();
        },
      };
    })],
  ["writes through", "F11 F12 F13 F22 F24 F25", () => writesThrough],
  ["commits at each close", "F10 F11 F14", () =>
    handles("write", (handle, { files, path }) => {
      const all: number[] = [];
      let closed = false;
      return {
        async write(data) {
          await handle.write(data);
          all.push(...data);
        },
        async close() {
          if (closed) return await writeBytes(files, path, Uint8Array.from(all));
          closed = true;
          await handle.close();
        },
      };
    })],
  ["does not hear an abort", "F12", () => forgets("write", "signal")],
  ["discards in silence", "F12", () =>
    handles("write", (handle, { options: { signal } }) => ({
      write: (data) => signal?.aborted ? Promise.resolve() : handle.write(data),
      close: () => signal?.aborted ? Promise.resolve() : handle.close(),
    }))],
  ["forgives bad data", "F13", () => forgivesBadData],
  ["takes any size", "F14", () => () => memoryFiles({ now: () => 1 })],
  ["keeps what fitted", "F14", () =>
    handles("write", (handle, { path, files }) => {
      const all: Uint8Array[] = [];
      let full = false;
      return {
        async write(data) {
          try {
            await handle.write(data);
            all.push(data);
          } catch (error) {
            full = (error as FileError).code === "too_large";
            throw error;
          }
        },
        async close() {
          if (full) await writeBytes(files, path, all[0]!.slice(1));
          await handle.close();
        },
      };
    })],
  ["appends by offset", "F15", () => appendsByOffset],
  ["cuts behind a part", "F16", () => (files) => ({
    ...files,
    async open(path, mode, options = {}) {
      const { offset } = options;
      if (mode !== "write" || offset === undefined) return await files.open(path, mode, options);
      const before = (await contentOf(files, path)).slice(0, offset);
      const handle = await files.open(path, "write");
      await handle.write(before);
      return handle;
    },
  })],
  ["fills holes", "F16", () => (files) => ({
    ...files,
    async open(path, mode, options = {}) {
      const size = mode === "write" ? (await contentOf(files, path)).length : 0;
      if (mode === "write" && options.offset! > size) {
        await writeBytes(files, path, new Uint8Array(options.offset! - size), { offset: size });
      }
      return await files.open(path, mode, options);
    },
  })],
  ["reads to the end", "F17", () => forgets("read", "length")],
  ["reads from the start", "F17", () => forgets("read", "offset")],
  ["ends where it cannot begin", "F17", () => (files) => ({
    ...files,
    open: (path, mode, options = {}) =>
      files.open(path, mode, options).catch((error) => {
        if (error.code !== "range_not_satisfiable") throw error;
        return files.open(path, mode, { length: 0 });
      }),
  })],
  ["makes versions of content", "F20 F21 F22 F23", () => hashesContent],
  ["tells no time", "F20", () => stats(({ modified: _, ...stat }) => stat)],
  [
    "lists another size",
    "F20",
    () => lists((entries) => entries.map((e) => e.dir ? e : { ...e, size: 0 })),
  ],
  ["writes whatever the match", "F21 F22", () => forgets("write", "match")],
  ["matches at open", "F22", () => matchesAtOpen],
  ["appends whatever the match", "F23", () => forgets("append", "match")],
  ["removes whatever the match", "F23", () => (files) => ({
    ...files,
    remove: (path) => files.remove(path),
  })],
  ["needs directories", "F1 F7 F18", () => needsDirectories],
  ["reads directories", "F4 F18", () => (files) => ({
    ...files,
    async open(path, mode, options) {
      const dir = mode === "read" && await files.stat(path).then((s) => s.dir, () => false);
      if (!dir) return await files.open(path, mode, options);
      return {
        read: () => Promise.resolve(undefined),
        write: () => Promise.resolve(),
        close: () => Promise.resolve(),
      };
    },
  })],
  ["lists the dead", "F19", listsTheDead],
  ["removes trees", "F19", () => removesTrees],
  ["removes twice", "F19", () => (files) => ({
    ...files,
    remove: (path, options) =>
      files.remove(path, options).catch((error) => {
        if (error.code !== "not_found" || !path.endsWith("gone")) throw error;
      }),
  })],
];
