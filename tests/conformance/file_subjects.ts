/** Those who must keep the laws of files: memory, memory in a namespace, a subtree of it, and a declared tree with a stream and a call. */
import type { Feature, FileSubject } from "../../conformance/files.ts";
import type { Subject } from "../../conformance/law.ts";
import { FILE_FEATURES } from "../../conformance/memory.ts";
import { feed } from "../../src/fs/feed.ts";
import type { FileService, StreamEvent } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { namespace, subtree } from "../../src/fs/namespace.ts";
import { dir, file, type Node, tree, type WatchEvent } from "../../src/fs/tree.ts";
import { writeText } from "../../src/fs/use.ts";

export const MAX_BYTES = 400_000;

export const STORE = FILE_FEATURES;
/** What the declared tree can do. */
export const ACTS: readonly Feature[] = ["stream", "gap", "call"];

export function memory(): FileService {
  let clock = 0;
  return memoryFiles({ now: () => ++clock, maxBytes: MAX_BYTES });
}

/** A file of events, the oldest of which can be forgotten. */
export function streamFile() {
  const told = feed();
  let events: StreamEvent[] = [];
  let seq = 0;
  const since = (after: number) => events.filter((event) => event.seq > after);

  async function* watch(
    { after, tail = 0, signal }: { after?: number; tail?: number; signal: AbortSignal },
  ): AsyncGenerator<WatchEvent> {
    const live = told.listen(signal);
    const first = (events[0]?.seq ?? seq + 1) - 1;
    if (after !== undefined && after < first) {
      yield { seq: first, type: "gap", from: after + 1, to: first };
    }
    yield* after === undefined ? (tail ? events.slice(-tail) : []) : since(after);
    yield* live;
  }

  const node: Node = file({
    kind: "stream",
    type: "application/x-ndjson",
    read: ({ after = 0 }) => since(after).map((event) => JSON.stringify(event) + "\n").join(""),
    watch,
  });
  return {
    node,
    emit() {
      const event = { seq: ++seq, type: "tick" };
      events.push(event);
      told.tell(event);
      return Promise.resolve();
    },
    forget() {
      events = events.slice(1);
      return Promise.resolve();
    },
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Answers in capitals, in two chunks, and counts. */
export function callFile() {
  let count = 0;
  const node: Node = file({
    async call(request) {
      count++;
      const answer = encoder.encode(decoder.decode(request).toUpperCase());
      await Promise.resolve();
      return (async function* () {
        yield answer.slice(0, 1);
        yield answer.slice(1);
      })();
    },
  });
  return {
    node,
    performed: () => Promise.resolve(count),
    request: (n: number) => encoder.encode(`question ${n}`),
    answer: (n: number) => encoder.encode(`QUESTION ${n}`),
  };
}

/** A declared tree with a stream, a call, odd names, and rows that only some may use. */
export function acting(
  wrap: (files: FileService) => FileService = (files) => files,
  at = "",
): FileSubject {
  const stream = streamFile();
  const call = callFile();
  const root = dir({
    ["__proto__"]: file({ read: () => "a name like another" }),
    ops: dir({
      stop: file({ write: () => {}, only: { write: ["operator"] } }),
      note: file({
        read: () => "",
        write: () => {},
        only: { write: ["operator"], read: ["agent"] },
      }),
      nobody: file({ read: () => "", only: { read: [] } }),
      gone: file({ stat: () => undefined, read: () => "" }),
    }),
    inbox: dir({ "1.json": file({ read: () => "{}" }) }, { call: () => "", append: () => {} }),
    trace: stream.node,
    ask: call.node,
  });
  return {
    files: wrap(tree(root, "agent")),
    stream: { ...stream, path: `${at}/trace` },
    call: { ...call, path: `${at}/ask` },
  };
}

/** Memory with a few files beside the scratch directory, seen through `wrap`, which shows it below `at`. */
export async function storing(
  wrap: (files: FileService) => FileService = (files) => files,
  at = "",
  below = "",
): Promise<FileSubject> {
  const files = memory();
  for (const path of ["/a", "/b/c", "/b/d/e"]) await writeText(files, below + path, path);
  return { files: wrap(files), scratch: { dir: `${at}/scratch`, maxBytes: MAX_BYTES } };
}

export function subject(
  name: string,
  make: () => FileSubject | Promise<FileSubject>,
): Subject<FileSubject> {
  return {
    name,
    open: async () => ({ subject: await make(), close: () => Promise.resolve() }),
  };
}

function mountedAt(...paths: string[]) {
  return (service: FileService) => {
    const mounts = paths.map((path, i) => ({ path, service: i ? memory() : service }));
    return namespace(() => mounts);
  };
}

const subtreeOf = (files: FileService) => subtree(files, "/some/where");

/** Each with what it can do. */
export const fileSubjects: readonly [Subject<FileSubject>, readonly Feature[]][] = [
  [subject("memory", () => storing()), STORE],
  [subject("namespace", () => storing(mountedAt("/a/m", "/a/n", "/b"), "/a/m")), STORE],
  [subject("namespace over /", () => storing(mountedAt("/", "/b/x", "/z/y"))), STORE],
  [subject("subtree", () => storing(subtreeOf, "", "/some/where")), STORE],
  [subject("tree", () => acting()), ACTS],
  [subject("tree in a namespace", () => acting(mountedAt("/t/u", "/v"), "/t/u")), ACTS],
];
