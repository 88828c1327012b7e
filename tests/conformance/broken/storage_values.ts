/** Storages broken on purpose in what goes in and out: each with the law that must notice. */
import { KEY, MAX_VALUE_BYTES } from "../../../src/core/storage.ts";
import { batches, type BrokenStorage, storages } from "./storage_spoil.ts";

export const brokenValues: readonly BrokenStorage[] = [
  {
    law: "S1",
    name: "keeps the first value of a key",
    spoil: storages((inner) => ({
      async commit(batch) {
        const standing = new Set((await inner.list({ prefix: "" })).map(({ key }) => key));
        await inner.commit({ ...batch, put: batch.put.filter(({ key }) => !standing.has(key)) });
      },
    })),
  },
  {
    law: "S2",
    name: "takes an empty value for none",
    spoil: storages((inner) => ({
      async get(key) {
        const value = await inner.get(key);
        return value?.byteLength ? value : undefined;
      },
    })),
  },
  {
    law: "S3",
    name: "stores text",
    spoil: batches((batch) => ({
      ...batch,
      put: batch.put.map(({ key, value }) => ({
        key,
        value: new TextEncoder().encode(new TextDecoder().decode(value)).subarray(0, 1048576),
      })),
    })),
  },
  {
    law: "S4",
    name: "cuts what is too large",
    spoil: batches((batch) => ({
      ...batch,
      put: batch.put.map((row) => ({ ...row, value: row.value.subarray(0, MAX_VALUE_BYTES) })),
    })),
  },
  {
    law: "S5",
    name: "mends bad keys",
    spoil: batches((batch) => ({
      ...batch,
      put: batch.put.map((row) => KEY.test(row.key) ? row : { ...row, key: "mended" }),
    })),
  },
  {
    law: "S6",
    name: "takes capitals for small letters",
    spoil: storages((inner) => ({
      get: (key) => inner.get(key.toLowerCase()),
      commit: (batch) =>
        inner.commit({
          ...batch,
          put: batch.put.map((row) => ({ ...row, key: row.key.toLowerCase() })),
        }),
    })),
  },
  {
    law: "S7",
    name: "keeps rows in an object",
    spoil: storages((inner) => ({
      async get(key) {
        return await inner.get(key) ??
          (key in {}
            ? new TextEncoder().encode(String(({} as Record<string, unknown>)[key]))
            : undefined);
      },
    })),
  },
  {
    law: "S8",
    name: "copies a batch late",
    spoil: storages((inner) => ({
      async commit(batch) {
        await Promise.resolve();
        await inner.commit(batch);
      },
    })),
  },
  {
    law: "S8",
    name: "keeps the caller's arrays",
    spoil: storages((inner) => {
      const given = new Map<string, Uint8Array>();
      return {
        async get(key) {
          return await inner.get(key) && given.get(key);
        },
        commit(batch) {
          for (const { key, value } of batch.put) given.set(key, value);
          return inner.commit(batch);
        },
      };
    }),
  },
  {
    law: "S9",
    name: "hands its own arrays out",
    spoil: storages((inner) => {
      const kept = new Map<string, Uint8Array>();
      return {
        async get(key) {
          const value = kept.get(key) ?? await inner.get(key);
          if (value) kept.set(key, value);
          return value;
        },
        commit(batch) {
          kept.clear();
          return inner.commit(batch);
        },
      };
    }),
  },
];
