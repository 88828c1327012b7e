/** The backends of this machine, as the laws of storage try them. */
import type { Subject } from "../../conformance/law.ts";
import type { StorageSubject } from "../../conformance/storage.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Backend } from "../../src/core/backend.ts";

/** The laws see what `spoil` makes of the backend, by default the backend itself; `restarts` counts its reopenings. */
export function memorySubject(
  name = "memory",
  spoil: (backend: Backend, restarts: number) => Backend = (backend) => backend,
): Subject<StorageSubject> {
  return {
    name,
    open() {
      let current = memoryBackend();
      let restarts = 0;
      const subject: StorageSubject = {
        backend: spoil(current, restarts),
        reopen() {
          current = current.reopen();
          return Promise.resolve(spoil(current, ++restarts));
        },
      };
      return Promise.resolve({ subject, close: () => Promise.resolve() });
    },
  };
}

export const sqliteSubject: Subject<StorageSubject> = {
  name: "sqlite",
  async open() {
    const dir = await Deno.makeTempDir({ prefix: "agentd-storage-" });
    let current = await openLocal(dir);
    const subject: StorageSubject = {
      backend: current,
      async reopen() {
        await current.close();
        return current = await openLocal(dir);
      },
    };
    return {
      subject,
      async close() {
        await current.close();
        await Deno.remove(dir, { recursive: true });
      },
    };
  },
};

export const storageSubjects: readonly Subject<StorageSubject>[] = [memorySubject(), sqliteSubject];
