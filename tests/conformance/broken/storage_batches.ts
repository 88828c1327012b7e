/** Storages broken on purpose in how they take a batch: each with the law that must notice. */
import { FileError } from "../../../src/fs/error.ts";
import {
  batches,
  type BrokenStorage,
  checking,
  codeIs,
  EMPTY,
  equal,
  storages,
} from "./storage_spoil.ts";

export const brokenBatches: readonly BrokenStorage[] = [
  {
    law: "S10",
    name: "puts before it checks",
    spoil: storages((inner) => ({
      async commit(batch) {
        try {
          await inner.commit(batch);
        } catch (error) {
          if (codeIs("conflict")(error)) await inner.commit({ ...EMPTY, put: batch.put });
          throw error;
        }
      },
    })),
  },
  {
    law: "S11",
    name: "does not check for absence",
    spoil: batches((batch) => ({
      ...batch,
      check: batch.check.filter(({ value }) => value !== undefined),
    })),
  },
  {
    law: "S11",
    name: "takes empty for absent in checks",
    spoil: checking((got, want) => equal(got?.byteLength ? got : undefined, want)),
  },
  {
    law: "S12",
    name: "compares lengths",
    spoil: checking((got, want) => got?.byteLength === want?.byteLength),
  },
  {
    law: "S12",
    name: "compares the beginning",
    spoil: checking((got, want) =>
      got === undefined || want === undefined
        ? got === want
        : equal(got.subarray(0, want.byteLength), want)
    ),
  },
  {
    law: "S13",
    name: "checks what it has just put",
    spoil: storages((inner, owner) => ({
      async commit(batch) {
        await inner.commit({ ...batch, check: [] });
        for (const { key, value } of batch.check) {
          if (!equal(await inner.get(key), value)) throw new FileError("conflict", "commit", owner);
        }
      },
    })),
  },
  {
    law: "S14",
    name: "removes after it puts",
    spoil: storages((inner) => ({
      async commit(batch) {
        await inner.commit({ ...batch, remove: [] });
        await inner.commit({ ...EMPTY, remove: batch.remove });
      },
    })),
  },
  {
    law: "S14",
    name: "keeps the first of two puts",
    spoil: batches((batch) => ({ ...batch, put: [...batch.put].reverse() })),
  },
  {
    law: "S15",
    name: "removes all that begins with a key",
    spoil: storages((inner) => ({
      async commit(batch) {
        const remove: string[] = [];
        for (const prefix of batch.remove) {
          remove.push(...(await inner.list({ prefix })).map(({ key }) => key));
        }
        await inner.commit({ ...batch, remove });
      },
    })),
  },
  {
    law: "S16",
    name: "refuses a batch of nothing",
    spoil: storages((inner, owner) => ({
      commit(batch) {
        const { check, remove, put } = batch;
        if (check.length + remove.length + put.length > 0) return inner.commit(batch);
        return Promise.reject(new FileError("invalid_request", "commit", owner));
      },
    })),
  },
  {
    law: "S17",
    name: "commits a large batch in pieces",
    spoil: storages((inner) => ({
      async commit(batch) {
        for (let at = 1000; at < batch.put.length; at += 1000) {
          await inner.commit({ ...EMPTY, put: batch.put.slice(at - 1000, at) });
        }
        await inner.commit(batch);
      },
    })),
  },
];
