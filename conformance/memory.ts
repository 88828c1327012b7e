/** The subjects that live in memory: they need nothing of the world, so they run wherever the laws do. */
import { manualClock } from "../src/backends/manual_clock.ts";
import { type MemoryBackend, memoryBackend } from "../src/backends/memory.ts";
import type { Backend } from "../src/core/backend.ts";
import type { ContainerProvider } from "../src/core/containers.ts";
import type { Runtime } from "../src/core/runtime.ts";
import type { FileService } from "../src/fs/file.ts";
import { memoryFiles } from "../src/fs/memory.ts";
import { namespace, subtree } from "../src/fs/namespace.ts";
import { createAgentd } from "../src/agentd.ts";
import { agentId } from "../src/core/id.ts";
import { computeLaws, type ComputeSubject, MODEL, repeater } from "./compute.ts";
import {
  acted,
  acting,
  BUDGETS,
  containerLaws,
  type ContainerSubject,
  type Line,
  lineTo,
  listening,
  PRICE,
  running,
  scripted,
} from "./containers.ts";
import { type Feature, fileLawsFor, type FileSubject } from "./files.ts";
import type { Subject } from "./law.ts";
import { namespaceLaws, type NamespaceSubject } from "./namespace.ts";
import { storageLaws, type StorageSubject } from "./storage.ts";
import { memorySigner } from "../src/providers/signer/memory.ts";
import {
  type Ground,
  tickLaws,
  type TickSubject,
  tickSubject,
  type WorldOptions,
} from "./ticks.ts";
import { type Trial, trials } from "./trial.ts";

const closed = () => Promise.resolve();

/** @param spoil what it makes of the backend is what the laws see; without it, the backend itself */
export function memoryStorage(
  name = "memory",
  spoil: (backend: Backend) => Backend = (backend) => backend,
): Subject<StorageSubject> {
  return {
    name,
    open() {
      let backend = memoryBackend();
      const subject: StorageSubject = {
        backend: spoil(backend),
        reopen() {
          backend = backend.reopen();
          return Promise.resolve(spoil(backend));
        },
      };
      return Promise.resolve({ subject, close: closed });
    },
  };
}

const MAX_FILE_BYTES = 400_000;

/** What files in memory can do. */
export const FILE_FEATURES: readonly Feature[] = [
  "scratch",
  "append",
  "parts",
  "versions",
  "nested",
  "limit",
  "watch",
  "watch_dir",
];

const files: Subject<FileSubject> = {
  name: "memory",
  open() {
    let nowMs = 0;
    const files = memoryFiles({ now: () => ++nowMs, maxBytes: MAX_FILE_BYTES });
    const scratch = { dir: "/scratch", maxBytes: MAX_FILE_BYTES };
    return Promise.resolve({ subject: { files, scratch }, close: closed });
  },
};

/** A namespace is one wherever it stands. */
export const namespaces: Subject<NamespaceSubject> = {
  name: "namespace",
  open: () => Promise.resolve({ subject: { namespace, subtree }, close: closed }),
};

/** 2026-01-01T00:00:00Z, a time at which dates look like dates. */
const START_MS = 1_767_225_600_000;

/** Rows in memory; a crash keeps what was committed. */
function memoryGround(): Promise<Ground> {
  let backend: MemoryBackend | undefined;
  return Promise.resolve({
    open({ now, timer }) {
      backend = backend ? backend.reopen({ now, timer }) : memoryBackend({ now, timer });
      return Promise.resolve(backend);
    },
    close: closed,
    remove: closed,
  });
}

/** Keys as they might be drawn, the same in every run, and no byte like its neighbours: where one of them gets, it is found. */
function drawing(): (bytes: number) => Uint8Array {
  let draws = 0;
  return (length) => {
    const seed = ++draws * 59;
    return Uint8Array.from({ length }, (_, i) => (seed + i * i * 7 + i * 41) & 255);
  };
}

/** All that a world of ticks needs, in memory. */
export function memoryWorld(): WorldOptions {
  return {
    ground: memoryGround,
    clock: (settled) => manualClock(START_MS, settled),
    signer: memorySigner,
    random: drawing(),
  };
}

/** Ticks on rows in memory, in parts that can be replaced. */
export function memoryTicks(
  name = "memory",
  parts: Partial<WorldOptions> = {},
): Subject<TickSubject> {
  return tickSubject(name, { ...memoryWorld(), ...parts });
}

/** Two agents of a runtime in memory, to which one free model is sold; `spoil` is between them and the laws. */
export function memoryCompute(
  name = "memory",
  spoil: (files: FileService) => FileService = (files) => files,
): Subject<ComputeSubject> {
  return {
    name,
    async open() {
      const errors: unknown[] = [];
      const runtime = await createAgentd({
        backend: memoryBackend(),
        signer: memorySigner(drawing()),
        agents: { idle: { name: "idle", onTrigger() {} } },
        compute: repeater,
        onError: (error) => errors.push(error),
      });
      const filesOf = async (name: string) => {
        const id = agentId(name);
        await runtime.create({ id, agent: "idle" });
        return spoil(await runtime.files(id, { viewer: "operator", name: "operator" }));
      };
      return {
        subject: { files: await filesOf("a"), other: await filesOf("b"), model: MODEL },
        async close() {
          await runtime.stop(0);
          if (errors.length > 0) throw errors[0];
        },
      };
    },
  };
}

/** Two agents of a runtime in memory, with an engine in memory that outlives it; `spoil` is between them and the laws. */
export function memoryContainers(
  name = "memory",
  spoil: (files: FileService) => FileService = (files) => files,
  spoilEngine: (engine: ContainerProvider) => ContainerProvider = (engine) => engine,
): Subject<ContainerSubject> {
  return {
    name,
    async open() {
      const errors: unknown[] = [];
      const engine = spoilEngine(scripted(acting, { price: PRICE }));
      let backend = memoryBackend();
      let line: Line;
      let runtime: Runtime;
      async function life() {
        line = lineTo(engine);
        runtime = await createAgentd({
          backend,
          signer: memorySigner(drawing()),
          agents: { listening },
          containers: running(line),
          onError: (error) => errors.push(error),
        });
      }
      const filesOf = async (id: string) =>
        spoil(await runtime.files(agentId(id), { viewer: "operator", name: "operator" }));
      await life();
      for (const id of ["a", "b"]) {
        await runtime!.create({ id: agentId(id), agent: "listening", budgets: BUDGETS });
      }
      let [files, other] = [await filesOf("a"), await filesOf("b")];
      return {
        subject: {
          get files() {
            return files;
          },
          get other() {
            return other;
          },
          command: acted,
          state: (session) => engine.state(session),
          elapse: (ms) => backend.clock.advance(ms),
          async restart() {
            line.cut();
            backend = backend.reopen();
            await life();
            [files, other] = [await filesOf("a"), await filesOf("b")];
          },
        },
        async close() {
          await runtime.stop(0);
          if (errors.length > 0) throw errors[0];
        },
      };
    },
  };
}

/** Every law that can be tried without a world. */
export const memoryTrials: readonly Trial[] = [
  ...trials(storageLaws, [memoryStorage()]),
  ...trials(fileLawsFor(FILE_FEATURES), [files]),
  ...trials(namespaceLaws, [namespaces]),
  ...trials(tickLaws, [memoryTicks()]),
  ...trials(computeLaws, [memoryCompute()]),
  ...trials(containerLaws, [memoryContainers()]),
];
