/** The backends of this machine, as the laws of storage try them. */
import type { Subject } from "../../conformance/law.ts";
import { memoryStorage } from "../../conformance/memory.ts";
import type { StorageSubject } from "../../conformance/storage.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";

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

export const storageSubjects: readonly Subject<StorageSubject>[] = [memoryStorage(), sqliteSubject];
