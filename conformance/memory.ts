/** The subjects that live in memory: they need nothing of the world, so they run wherever the laws do. */
import { memoryBackend } from "../src/backends/memory.ts";
import type { Backend } from "../src/core/backend.ts";
import { memoryFiles } from "../src/fs/memory.ts";
import { namespace, subtree } from "../src/fs/namespace.ts";
import { type Feature, fileLawsFor, type FileSubject } from "./files.ts";
import type { Subject } from "./law.ts";
import { namespaceLaws, type NamespaceSubject } from "./namespace.ts";
import { storageLaws, type StorageSubject } from "./storage.ts";
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

const FILE_FEATURES: readonly Feature[] = [
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

/** Every law that can be tried without a world. */
export const memoryTrials: readonly Trial[] = [
  ...trials(storageLaws, [memoryStorage()]),
  ...trials(fileLawsFor(FILE_FEATURES), [files]),
  ...trials(namespaceLaws, [namespaces]),
];
