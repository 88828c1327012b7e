/** Storages broken on purpose in what is done at once, over restarts, in time and chance: each with the law that must notice. */
import { MAX_VALUE_BYTES } from "../../../src/core/storage.ts";
import {
  type BrokenStorage,
  checking,
  codeIs,
  EMPTY,
  equal,
  storages,
  together,
  turns,
} from "./storage_spoil.ts";

export const brokenGroups: readonly BrokenStorage[] = [
  {
    law: "S35",
    name: "commits now and then later ones first",
    spoil: (backend) => {
      let n = 0;
      return storages((inner) => ({
        async commit(batch) {
          if (n++ % 3 === 0) await turns(5);
          await inner.commit(batch);
        },
      }))(backend);
    },
  },
  {
    law: "S36",
    name: "drops before the commits that wait",
    spoil: storages((inner) => ({
      async commit(batch) {
        await turns(5);
        await inner.commit(batch);
      },
    })),
  },
  {
    law: "S37",
    name: "resolves before it commits",
    spoil: (backend) => {
      let late: Promise<unknown> = Promise.resolve();
      return storages((inner) => ({
        commit(batch) {
          const done = late.then(() => turns(20)).then(() => inner.commit(batch));
          late = done.catch(() => {});
          return Promise.race([done, turns(3)]);
        },
      }))(backend);
    },
  },
  {
    law: "S38",
    name: "shows a batch row by row",
    spoil: storages((inner) => ({
      async commit(batch) {
        await inner.commit({ ...batch, put: [] });
        for (const row of batch.put) await inner.commit({ ...EMPTY, put: [row] });
      },
    })),
  },
  {
    law: "S39",
    name: "refuses all that came with a conflict",
    spoil: together(codeIs("conflict")),
  },
  {
    law: "S40",
    name: "refuses all that came with a malformed batch",
    spoil: together(codeIs("invalid_request")),
  },
  {
    law: "S41",
    name: "checks, and commits a moment later",
    spoil: checking(equal),
  },
  {
    law: "S42",
    name: "loses what is more than 4 MiB at once",
    spoil: (backend) => {
      let under = 0;
      return storages((inner) => ({
        async commit(batch) {
          const bytes = batch.put.reduce((sum, { value }) => sum + value.byteLength, 0);
          under += bytes;
          if (under <= 4 * MAX_VALUE_BYTES) await inner.commit(batch);
          await turns(2);
          under -= bytes;
        },
      }))(backend);
    },
  },
  {
    law: "S43",
    name: "forgets what has changed twice at a restart",
    spoil: (backend, restarts) =>
      storages((inner) => ({
        get: (key) => restarts > 0 && key === "state" ? Promise.resolve(undefined) : inner.get(key),
      }))(backend),
  },
  {
    law: "S43",
    name: "finds nothing after a restart",
    spoil: (backend, restarts) =>
      restarts > 0 ? { ...backend, find: () => Promise.resolve([]) } : backend,
  },
  {
    law: "S44",
    name: "tells fractions of a millisecond",
    spoil: (backend) => ({ ...backend, now: () => backend.now() + 0.25 }),
  },
  {
    law: "S45",
    name: "draws the same bytes each time",
    spoil: (backend) => ({
      ...backend,
      random: (bytes) => Uint8Array.from({ length: bytes }, (_, i) => i),
    }),
  },
];
