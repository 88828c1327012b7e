/** Streams and calls broken on purpose: each with the laws that it breaks, and it breaks no others. */
import type { FileSubject } from "../../../conformance/files.ts";
import { FileError } from "../../../src/fs/error.ts";
import type { FileHandle, FileService } from "../../../src/fs/file.ts";
import { call as callFile } from "../../../src/fs/use.ts";
import { acting } from "../file_subjects.ts";
import { forgets, handles, options, type Spoil, stats } from "./spoil.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Spoils the events of a watch; undefined: it is not told. */
function events(spoil: (event: Record<string, unknown>) => object | undefined): Spoil {
  return handles("watch", (handle) => ({
    async read() {
      while (true) {
        const chunk = await handle.read();
        if (!chunk) return undefined;
        const event = spoil(JSON.parse(decoder.decode(chunk)));
        if (event) return encoder.encode(JSON.stringify(event));
      }
    },
  }));
}

type Ask = (request: string) => Promise<Uint8Array>;
type Change = (handle: FileHandle, text: () => string, ask: Ask) => Partial<FileHandle>;

/** Changes the handle of the call; its request is what was written so far, and `ask` performs. */
function calls(change: Change): Spoil {
  return (files: FileService) => ({
    ...files,
    async open(path, mode, options = {}) {
      if (mode !== "call" || !path.endsWith("/ask")) return await files.open(path, mode, options);
      const handle = await files.open(path, mode, options);
      let text = "";
      const noting: FileHandle = {
        ...handle,
        async write(data) {
          await handle.write(data);
          text += decoder.decode(data);
        },
      };
      const ask: Ask = (request) => callFile(files, path, request);
      return { ...noting, ...change(noting, () => text, ask) };
    },
  });
}

/** One request for everybody. */
function sharesRequests(): Spoil {
  let shared = "";
  return calls((handle) => {
    let given = false;
    return {
      async write(data) {
        if (!ArrayBuffer.isView(data)) return await handle.write(data);
        shared += decoder.decode(data);
      },
      async read() {
        if (!given) await handle.write(encoder.encode(shared));
        given = true;
        return await handle.read();
      },
    };
  });
}

/** Leaves without performing, whatever was written. */
function leavesAtClose(): Spoil {
  return (files) => ({
    ...files,
    async open(path, mode, options = {}) {
      if (mode !== "call") return await files.open(path, mode, options);
      const leave = new AbortController();
      options.signal?.addEventListener("abort", () => leave.abort());
      const handle = await files.open(path, mode, { ...options, signal: leave.signal });
      return {
        ...handle,
        close() {
          leave.abort();
          return handle.close().catch(() => {});
        },
      };
    },
  });
}

/** Name, the laws that it breaks, the subject. */
export const brokenActs: readonly [string, string, () => FileSubject][] = [
  [
    "gives the last event twice",
    "F31 F33",
    () => acting(options((o) => o.after ? { ...o, after: o.after - 1 } : o)),
  ],
  [
    "skips an event",
    "F31 F33",
    () => acting(events((e) => (e.seq as number) === 3 ? undefined : e)),
  ],
  ["forgets where one was", "F31 F33", () => acting(forgets("watch", "after"))],
  [
    "begins with everything",
    "F31",
    () =>
      acting(
        options((o, mode) =>
          mode === "watch" && o.after === undefined && o.tail === undefined ? { ...o, after: 0 } : o
        ),
      ),
  ],
  [
    "gives another tail",
    "F31",
    () => acting(options((o) => o.tail! > 1 ? { ...o, tail: o.tail! + 1 } : o)),
  ],
  [
    "numbers backwards",
    "F31 F33",
    () => acting(events((e) => ({ ...e, seq: 100 - (e.seq as number) }))),
  ],
  ["numbers nothing", "F31 F33", () => acting(events(({ seq: _, ...e }) => e))],
  [
    "passes for a value",
    "F32",
    () => acting(stats((stat) => stat.kind === "stream" ? { ...stat, kind: "value" } : stat)),
  ],
  [
    "reads nothing new",
    "F32",
    () => acting(options((o, mode) => mode === "read" ? { ...o, length: 5 } : o)),
  ],
  ["is silent about a gap", "F33", () => acting(events((e) => e.type === "gap" ? undefined : e))],
  [
    "tells another gap",
    "F33",
    () => acting(events((e) => e.type === "gap" ? { ...e, from: (e.from as number) + 1 } : e)),
  ],
  [
    "always tells a gap",
    "F31 F33",
    () => acting(events((e) => e.seq === 3 ? { ...e, type: "gap", from: 1, to: 2 } : e)),
  ],
  ["shares requests", "F34 F35", () => acting(sharesRequests())],
  [
    "hides the call",
    "F4 F34",
    () =>
      acting(stats((stat) => ({ ...stat, modes: stat.modes.filter((mode) => mode !== "call") }))),
  ],
  ["answers the last part", "F34 F35", () =>
    acting(calls((handle) => {
      let last: Uint8Array | undefined;
      return {
        async write(data) {
          if (!ArrayBuffer.isView(data)) await handle.write(data);
          last = data.slice();
        },
        async read() {
          if (last) await handle.write(last);
          last = undefined;
          return await handle.read();
        },
        async close() {
          if (last) await handle.write(last);
          await handle.close();
        },
      };
    }))],
  ["performs at write", "F35 F36", () =>
    acting(calls((handle, _, ask) => ({
      async write(data) {
        await handle.write(data);
        await ask(decoder.decode(data));
      },
    })))],
  ["performs again at close", "F35 F36", () =>
    acting(calls((handle, text, ask) => ({
      async close() {
        await handle.close();
        if (text().includes("question")) await ask(text());
      },
    })))],
  ["performs nothing at close", "F35", () => acting(leavesAtClose())],
  ["performs for nothing", "F35", () =>
    acting(calls((handle, text, ask) => ({
      async close() {
        await handle.close();
        if (!text()) await ask("");
      },
    })))],
  ["takes more after the answer", "F35", () =>
    acting(calls((handle) => ({
      write: (data) =>
        handle.write(data).catch((error) => {
          if (!ArrayBuffer.isView(data)) throw error;
        }),
    })))],
  ["performs what was given up", "F36", () => acting(forgets("call", "signal"))],
  ["performs half a request", "F36", () =>
    acting(calls((handle) => ({
      write: (data) =>
        ArrayBuffer.isView(data)
          ? handle.write(data)
          : Promise.reject(new FileError("invalid_request", "write", "/ask")),
    })))],
];
