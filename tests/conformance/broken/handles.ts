/** Stores broken on purpose in their handles and watches: each with the laws that it breaks, and it breaks no others. */
import { FileError } from "../../../src/fs/error.ts";
import { type Broken, forgets, handles, type Spoil } from "./spoil.ts";

const decoder = new TextDecoder();

const encoder = new TextEncoder();

/** One place in the file for everybody who reads it. */
function sharesReaders(): Spoil {
  const ends = new Set<string>();
  return handles("read", (handle, { path }) => ({
    async read() {
      if (ends.has(path)) return undefined;
      ends.add(path);
      return await handle.read();
    },
    async close() {
      ends.delete(path);
      await handle.close();
    },
  }));
}

/** The file's own bytes are handed out. */
function handsOutBytes(): Spoil {
  const kept = new Map<string, Uint8Array | undefined>();
  return handles("read", (handle, { files, path }) => ({
    async read() {
      const chunk = await handle.read();
      const { version } = await files.stat(path);
      if (chunk && !kept.has(`${path} ${version}`)) kept.set(`${path} ${version}`, chunk);
      return chunk && kept.get(`${path} ${version}`);
    },
  }));
}

/** Bytes are taken only when their turn comes. */
const takesBytesLate: Spoil = handles("write", (handle) => ({
  async write(data) {
    await Promise.resolve();
    await handle.write(data);
  },
}));

/** Every second write overtakes the one before. */
const overtakes: Spoil = handles("write", (handle) => {
  let turn = 0;
  let last: Promise<void> = Promise.resolve();
  return {
    write(data) {
      const copy = ArrayBuffer.isView(data) ? data.slice() : data;
      const before = turn++ % 2 ? Promise.resolve() : Promise.resolve().then(() => {});
      const mine = before.then(() => handle.write(copy));
      last = Promise.all([last, mine]).then(() => {});
      last.catch(() => {});
      return mine;
    },
    close: () => last.catch(() => {}).then(() => handle.close()),
  };
});

/** The first event is lost to who reads late. */
const losesTheFirst: Spoil = handles("watch", (handle) => {
  let first = true;
  return {
    async read() {
      const lost = first;
      first = false;
      const event = await handle.read();
      return lost && event ? await handle.read() : event;
    },
  };
});

/** An abort is heard only at the next event, and that event is still told. */
function waitsForOneMore(end: "signal" | "close"): Spoil {
  return (files) => ({
    ...files,
    async open(path, mode, options = {}) {
      if (mode !== "watch" || options.signal?.aborted) {
        return await files.open(path, mode, options);
      }
      const { signal, ...rest } = options;
      const handle = await files.open(path, mode, end === "signal" ? rest : options);
      let reading: Promise<unknown> = Promise.resolve();
      return {
        ...handle,
        read() {
          if (signal?.aborted) return Promise.resolve(undefined);
          const read = handle.read();
          reading = read.catch(() => {});
          return read;
        },
        close: end === "close" ? () => reading.then(() => handle.close()) : handle.close,
      };
    },
  });
}

export const brokenHandles: readonly Broken[] = [
  ["reads after close", "F24", () =>
    handles("read", (handle) => {
      let closed = false;
      return {
        read: () => closed ? Promise.resolve(undefined) : handle.read(),
        close: () => {
          closed = true;
          return handle.close();
        },
      };
    })],
  ["lets a reader write", "F24", () => handles("read", () => ({ write: () => Promise.resolve() }))],
  ["opens in any mode", "F24", () => (files) => ({
    ...files,
    open: (path, mode, options) =>
      files.open(path, mode as string === "truncate" ? "write" : mode, options),
  })],
  ["shares readers", "F25", sharesReaders],
  ["hands out its bytes", "F17 F25", handsOutBytes],
  ["takes bytes late", "F25 F27", () => takesBytesLate],
  [
    "passes an abort for the end",
    "F26",
    () =>
      handles("read", (handle, { options: { signal } }) => ({
        read: () => signal?.aborted ? Promise.resolve(undefined) : handle.read(),
      })),
  ],
  ["does not hear an aborted read", "F26", () => forgets("read", "signal")],
  ["lets writes overtake", "F27", () => overtakes],
  ["loses the first event", "F28 F29 F30", () => losesTheFirst],
  ["waits for one more event", "F28", () => waitsForOneMore("signal")],
  ["closes after one more event", "F29", () => waitsForOneMore("close")],
  ["rejects when it ends", "F28 F29", () =>
    handles("watch", (handle, { path }) => ({
      async read() {
        const event = await handle.read();
        if (!event) throw new FileError("interrupted", "read", path);
        return event;
      },
    }))],
  ["calls it a change", "F28 F30", () =>
    handles("watch", (handle) => ({
      async read() {
        const event = await handle.read();
        return event && encoder.encode(decoder.decode(event).replace("created", "modified"));
      },
    }))],
  ["tells whole paths", "F30", () =>
    handles("watch", (handle) => ({
      async read() {
        const event = await handle.read();
        return event && encoder.encode(decoder.decode(event).replace('"name":"', '"name":"/'));
      },
    }))],
];
