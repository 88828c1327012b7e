/** An engine of containers in memory, which keeps the contract of `ContainerProvider`: what a program would do is a script; it outlives the runtime that began it. */
import type {
  CloneSpec,
  ContainerFileInfo,
  ContainerFiles,
  ContainerHealth,
  ContainerPrice,
  ContainerProvider,
  ContainerProviders,
  ExecEnd,
  ExecSpec,
  OutputStream,
  SessionSpec,
} from "../../src/core/containers.ts";
import { FileError } from "../../src/fs/error.ts";
import { byteOrder } from "../../src/fs/path.ts";

export const IMAGE = "busybox:1";
const encoder = new TextEncoder();
/** Of a file, at a time. */
const CHUNK_BYTES = 64 * 1024;
/** Chunks that a program may have on their way before it waits. */
const RING = 4;

/** What a program sees of its world. */
export interface Program extends ExecSpec {
  readonly session: string;
  /** As one text. */
  readonly text: string;
  readonly files: Map<string, Uint8Array>;
  /** Makes a link that leads out of the work directory. */
  link(path: string): void;
  /** Resolves when there is such a file. */
  until(path: string): Promise<void>;
  /** Aborts when it is killed, or its container ends. */
  readonly killed: AbortSignal;
  /** Waits while nobody takes it. */
  print(output: string | Uint8Array, stream?: OutputStream): Promise<void>;
}

/** Answers its exit code. */
export type Script = (program: Program) => Promise<number | ExecEnd> | number | ExecEnd;

export interface Scripted extends ContainerProvider {
  readonly started: SessionSpec[];
  readonly stopped: string[];
  readonly cloned: CloneSpec[];
  readonly held: Set<string>;
  readonly signals: string[];
  /** Programs that were begun, by what they were told. */
  readonly begun: string[];
  script: Script;
  status: ContainerHealth["status"];
  images: () => { name: string; id: string; size_bytes: number; created_at: null }[];
  /** Thrown by the next start. */
  refusal: FileError | undefined;
  /** Whether a signal ends what it is sent to. */
  heedsSignals: boolean;
  running(): string[];
  /** The engine loses a container, with all that runs in it. */
  lose(session: string): void;
  filesOf(session: string): Map<string, Uint8Array>;
}

interface Running {
  readonly chunks: {
    readonly stream: OutputStream;
    readonly n: number;
    readonly bytes: Uint8Array;
  }[];
  readonly counts: { stdout: number; stderr: number };
  readonly killed: AbortController;
  end: ExecEnd | undefined;
  /** Resolves at the next change, and is another one then. */
  changed: PromiseWithResolvers<void>;
}

interface Box {
  readonly files: Map<string, Uint8Array>;
  /** Names of links that lead out. */
  readonly links: Set<string>;
  /** Who waits for a file, by its path. */
  readonly awaited: Map<string, PromiseWithResolvers<void>>;
  readonly programs: Map<string, Running>;
}

export function scripted(
  script: Script = () => 0,
  { id = "docker", price }: { id?: string; price?: Partial<ContainerPrice> } = {},
): Scripted {
  const boxes = new Map<string, Box>();

  function boxOf(session: string): Box {
    const box = boxes.get(session);
    if (box) return box;
    throw new FileError("interrupted", "run in", session, { detail: "its container has ended" });
  }
  function change(running: Running): void {
    const { changed } = running;
    running.changed = Promise.withResolvers();
    changed.resolve();
  }
  function begin(session: string, spec: ExecSpec): Running {
    const box = boxOf(session);
    const known = box.programs.get(spec.exec_id);
    if (known) return known;
    const running: Running = {
      chunks: [],
      counts: { stdout: 0, stderr: 0 },
      killed: new AbortController(),
      end: undefined,
      changed: Promise.withResolvers(),
    };
    box.programs.set(spec.exec_id, running);
    const text = [spec.command].flat().join(" ");
    provider.begun.push(text);
    run(running, {
      ...spec,
      session,
      text,
      files: box.files,
      link: (path) => void box.links.add(path),
      until: (path) => orAborted(running.killed.signal, appears(box, path)),
      killed: running.killed.signal,
      async print(output, stream = "stdout") {
        running.killed.signal.throwIfAborted();
        const bytes = typeof output === "string" ? encoder.encode(output) : output;
        running.chunks.push({ stream, n: ++running.counts[stream], bytes });
        change(running);
        while (running.chunks.length >= RING && !running.killed.signal.aborted) {
          await running.changed.promise;
        }
      },
    });
    return running;
  }
  async function run(running: Running, program: Program): Promise<void> {
    let end: ExecEnd;
    try {
      const told = await provider.script(program);
      end = typeof told === "number" ? { exit_code: told, out_of_memory: false } : told;
    } catch (error) {
      if (!running.killed.signal.aborted) throw error;
      end = { exit_code: 137, out_of_memory: false };
    }
    running.end = end;
    change(running);
  }
  function end(session: string): void {
    const box = boxes.get(session);
    boxes.delete(session);
    for (const running of box?.programs.values() ?? []) {
      running.killed.abort();
      change(running);
    }
  }

  const provider: Scripted = {
    id,
    started: [],
    stopped: [],
    cloned: [],
    held: new Set(),
    signals: [],
    begun: [],
    script,
    status: "up",
    refusal: undefined,
    heedsSignals: true,
    images: () => [{ name: IMAGE, id: "sha256:1", size_bytes: 1, created_at: null }],
    running: () => [...boxes.keys()],
    lose: end,
    filesOf: (session) => boxOf(session).files,
    info: () => ({
      id,
      type: "local",
      about: "a script",
      price: { micro_usd_per_session: 0, micro_usd_per_second: 0, ...price },
      default_images: [IMAGE, "python:3"],
    }),
    health: () => ({
      status: provider.status,
      checked_at: null,
      ...(provider.status === "down" ? { error: "the daemon does not answer; start it" } : {}),
    }),
    hold: (session) => void provider.held.add(session),
    release: (session) => void provider.held.delete(session),
    start(spec) {
      const { refusal } = provider;
      provider.refusal = undefined;
      if (refusal) return Promise.reject(refusal);
      provider.started.push(spec);
      if (!boxes.has(spec.session_id)) {
        boxes.set(spec.session_id, {
          files: new Map(),
          links: new Set(),
          awaited: new Map(),
          programs: new Map(),
        });
      }
      return Promise.resolve();
    },
    state: (session) => Promise.resolve(boxes.has(session) ? "running" : "absent"),
    clone(session, repo) {
      provider.cloned.push(repo);
      boxOf(session.session_id).files.set("README", encoder.encode(repo.url));
      return Promise.resolve();
    },
    async exec(session, spec, { from, take, signal }) {
      const running = begin(session, spec);
      const position = from ?? { stdout: 0, stderr: 0 };
      let at = position;
      while (true) {
        signal.throwIfAborted();
        const chunk = running.chunks[0];
        if (chunk && chunk.n > at[chunk.stream]) {
          at = { ...at, [chunk.stream]: chunk.n };
          await orAborted(
            signal,
            take({ stream: chunk.stream, bytes: chunk.bytes, position: at }),
          );
        }
        if (chunk) {
          running.chunks.shift();
          change(running);
        } else if (running.end && boxes.has(session)) return running.end;
        else {
          boxOf(session);
          await orAborted(signal, running.changed.promise);
        }
      }
    },
    signal(session, execId, name) {
      provider.signals.push(`${execId} ${name}`);
      if (provider.heedsSignals) boxOf(session).programs.get(execId)?.killed.abort();
      return Promise.resolve();
    },
    files: (session) => filesOf(() => boxOf(session)),
    usage: () =>
      Promise.resolve({
        cpu_time_ms: 5,
        peak_memory_bytes: 1024,
        disk_writes_bytes: 0,
        network_bytes: 0,
      }),
    stop(session) {
      provider.stopped.push(session);
      end(session);
      return Promise.resolve();
    },
    sweep() {
      const lost = [...boxes.keys()].filter((session) => !provider.held.has(session));
      for (const session of lost) end(session);
      return Promise.resolve(lost.length);
    },
    pull: () => Promise.resolve(),
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return provider;
}

export function running(...providers: readonly ContainerProvider[]): ContainerProviders {
  return {
    list: () => providers,
    get: (id) => providers.find((provider) => provider.id === id),
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

export interface Line extends ContainerProvider {
  /** Whoever speaks over it is heard no more, and hears nothing. */
  cut(): void;
}

/** A runtime's way to an engine, which ends with the runtime. */
export function lineTo(engine: ContainerProvider): Line {
  const over = new AbortController();
  const never = () => new Promise<never>(() => {});
  const until = <T>(run: () => Promise<T>) => over.signal.aborted ? never() : run();
  return {
    ...engine,
    cut: () => over.abort(),
    release: (session) => over.signal.aborted || engine.release(session),
    start: (spec, signal) => until(() => engine.start(spec, signal)),
    signal: (session, exec, name) => until(() => engine.signal(session, exec, name)),
    stop: (session) => until(() => engine.stop(session)),
    exec: (session, spec, options) =>
      until(() =>
        engine.exec(session, spec, {
          ...options,
          take: (output) => until(() => options.take(output)),
          signal: AbortSignal.any([options.signal, over.signal]),
        }).catch((error) => over.signal.aborted ? never() : Promise.reject(error))
      ),
  };
}

async function orAborted(signal: AbortSignal, what: Promise<void>): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const leave = () => aborted.reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    await Promise.race([what, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function appears({ files, awaited }: Box, path: string): Promise<void> {
  if (files.has(path)) return Promise.resolve();
  const waits = awaited.get(path) ?? Promise.withResolvers<void>();
  awaited.set(path, waits);
  return waits.promise;
}

function infoOf(path: string, bytes?: Uint8Array): ContainerFileInfo {
  return {
    name: path.split("/").at(-1)!,
    dir: bytes === undefined,
    size: bytes?.length ?? 0,
    modified: 0,
  };
}

function filesOf(box: () => Box): ContainerFiles {
  const isDir = (path: string) =>
    [...box().files.keys()].some((name) => name.startsWith(`${path}/`));
  /** What is there; no way goes through a link. */
  function at(op: string, path: string): Uint8Array | undefined {
    const { files, links } = box();
    for (const link of links) {
      if (path !== link && !path.startsWith(`${link}/`)) continue;
      const detail = "a link leads out of the work directory";
      throw new FileError("permission_denied", op, path, { detail });
    }
    return files.get(path);
  }
  return {
    stat: (path) =>
      Promise.try(() => {
        const bytes = at("stat", path);
        return bytes ? infoOf(path, bytes) : isDir(path) ? infoOf(path) : undefined;
      }),
    list: (path) =>
      Promise.try(() => {
        at("list", path);
        const prefix = path === "" ? "" : `${path}/`;
        const found = new Map<string, ContainerFileInfo>();
        for (const [name, bytes] of box().files) {
          if (!name.startsWith(prefix)) continue;
          const [first, ...more] = name.slice(prefix.length).split("/") as [string];
          found.set(first, infoOf(first, more.length > 0 ? undefined : bytes));
        }
        return [...found.values()].sort((a, b) => byteOrder(a.name, b.name));
      }),
    async *read(path, { offset, length }) {
      const bytes = at("read", path);
      if (!bytes) throw new FileError("not_found", "read", path);
      const end = Math.min(bytes.length, offset + length);
      for (let from = offset; from < end; from += CHUNK_BYTES) {
        yield bytes.subarray(from, Math.min(from + CHUNK_BYTES, end));
      }
    },
    async write(path, data, { offset } = {}) {
      at("write", path);
      const parts: Uint8Array[] = [];
      for await (const part of data instanceof Uint8Array ? [data] : data) {
        parts.push(part.slice());
      }
      const { files, awaited } = box();
      files.set(path, written(at("write", path), parts, offset));
      awaited.get(path)?.resolve();
    },
    remove: (path) =>
      Promise.try(() => {
        const { files, links } = box();
        // The link itself, wherever it leads.
        if (links.delete(path)) return;
        at("remove", path);
        const gone = [...files.keys()]
          .filter((name) => name === path || name.startsWith(`${path}/`));
        if (gone.length === 0) throw new FileError("not_found", "remove", path);
        for (const name of gone) files.delete(name);
      }),
    walk: (limit) =>
      Promise.resolve(
        [...box().files].map(([path, { length }]) => ({ path, size: length }))
          .sort((a, b) => byteOrder(a.path, b.path)).slice(0, limit),
      ),
  };
}

/** Without an offset in place of what was there; else over it from there on, behind zeros where it ends before. */
function written(
  before: Uint8Array | undefined,
  parts: readonly Uint8Array[],
  offset: number | undefined,
): Uint8Array {
  const size = parts.reduce((sum, { length }) => sum + length, offset ?? 0);
  const kept = offset === undefined ? 0 : before?.length ?? 0;
  const whole = new Uint8Array(Math.max(size, kept));
  if (offset !== undefined && before) whole.set(before);
  let at = offset ?? 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
