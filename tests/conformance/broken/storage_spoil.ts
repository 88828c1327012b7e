/** How a storage is broken on purpose: a backend with some verbs replaced. */
import { FileError } from "../../../src/fs/error.ts";
import type { Backend, Owner } from "../../../src/core/backend.ts";
import type { AgentStorage, Batch } from "../../../src/core/storage.ts";

export interface BrokenStorage {
  /** The law that must notice; others may. */
  readonly law: string;
  /** What is wrong with it. */
  readonly name: string;
  /** `restarts` counts the reopenings before. */
  readonly spoil: (backend: Backend, restarts: number) => Backend;
}

/** Replaces some verbs of every owner's storage. */
export function storages(
  part: (inner: AgentStorage, owner: Owner, backend: Backend) => Partial<AgentStorage>,
): (backend: Backend) => Backend {
  return (backend) => ({
    ...backend,
    storage(owner) {
      const inner = backend.storage(owner);
      return { ...inner, ...part(inner, owner, backend) };
    },
  });
}

/** Replaces what a batch is before it is committed. */
export function batches(change: (batch: Batch) => Batch): (backend: Backend) => Backend {
  return storages((inner) => ({ commit: (batch) => inner.commit(change(batch)) }));
}

/** Checks with `holds` instead, and not in one go with the changes. */
export function checking(
  holds: (got: Uint8Array | undefined, want: Uint8Array | undefined) => boolean,
): (backend: Backend) => Backend {
  return storages((inner, owner) => ({
    async commit(batch) {
      for (const { key, value } of batch.check) {
        if (!holds(await inner.get(key), value)) throw new FileError("conflict", "commit", owner);
      }
      await inner.commit({ ...batch, check: [] });
    },
  }));
}

export function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return String(a && [...a]) === String(b && [...b]) && (a === undefined) === (b === undefined);
}

export async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await Promise.resolve();
}

export const EMPTY: Batch = { check: [], remove: [], put: [] };

/** All who call in the same turn get one outcome: the worst. */
export function together(isBad: (error: unknown) => boolean): (backend: Backend) => Backend {
  return (backend) => {
    let group: Promise<unknown>[] = [];
    return storages((inner) => ({
      async commit(batch) {
        const mine = group;
        const done = inner.commit(batch);
        mine.push(done);
        await Promise.resolve();
        group = [];
        const bad = (await Promise.allSettled(mine)).find((s) =>
          s.status === "rejected" && isBad(s.reason)
        );
        if (bad?.status === "rejected") throw bad.reason;
        await done;
      },
    }))(backend);
  };
}

export const codeIs = (code: string) => (error: unknown) => (error as FileError).code === code;
