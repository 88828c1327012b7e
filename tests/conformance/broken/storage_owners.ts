/** Storages broken on purpose in their owners: each with the law that must notice. */
import type { Owner } from "../../../src/core/backend.ts";
import { type Row } from "../../../src/core/storage.ts";
import { type BrokenStorage, EMPTY, storages } from "./storage_spoil.ts";

export const brokenOwners: readonly BrokenStorage[] = [
  {
    law: "S23",
    name: "takes - for _ in names of owners",
    spoil: (backend) => ({
      ...backend,
      storage: (owner) => backend.storage(owner.replace("-", "_")),
    }),
  },
  {
    law: "S24",
    name: "remembers rows storage by storage",
    spoil: storages((inner) => {
      const kept = new Map<string, Uint8Array | undefined>();
      return {
        async get(key) {
          if (!kept.has(key)) kept.set(key, await inner.get(key));
          return kept.get(key)?.slice();
        },
        commit(batch) {
          for (const key of [...batch.remove, ...batch.put.map((row) => row.key)]) kept.delete(key);
          return inner.commit(batch);
        },
      };
    }),
  },
  {
    law: "S25",
    name: "takes any owner",
    spoil: (backend) => ({
      ...backend,
      storage: (owner) => backend.storage(/^@?[a-z0-9][\w-]*$/.test(owner) ? owner : "mended"),
    }),
  },
  {
    law: "S26",
    name: "remembers who once had rows",
    spoil: (backend) => {
      const met = new Set<Owner>();
      return {
        ...storages((inner, owner) => ({
          async commit(batch) {
            await inner.commit(batch);
            if (batch.put.length > 0) met.add(owner);
          },
        }))(backend),
        owners: ({ after = "", limit }) =>
          Promise.resolve([...met].sort().filter((o) => o > after).slice(0, limit)),
      };
    },
  },
  {
    law: "S26",
    name: "overlooks owners that only have work",
    spoil: (backend) => ({
      ...backend,
      async owners(range) {
        const kept: Owner[] = [];
        for (const owner of await backend.owners(range)) {
          const rows = await backend.storage(owner).list({ prefix: "" });
          if (rows.some(({ key }) => !/^(inbox|alarm|draft)\//.test(key))) kept.push(owner);
        }
        return kept;
      },
    }),
  },
  {
    law: "S27",
    name: "begins a page with the last owner of the one before",
    spoil: (backend) => ({
      ...backend,
      async owners({ after, limit }) {
        const owners = await backend.owners({ limit: 1_000_000 });
        return owners.filter((o) => after === undefined || o >= after).slice(0, limit);
      },
    }),
  },
  {
    law: "S28",
    name: "drops all but the work",
    spoil: (backend) => ({
      ...backend,
      async drop(owner) {
        const work: Row[] = [];
        for (const prefix of ["inbox/", "alarm/"]) {
          work.push(...await backend.storage(owner).list({ prefix }));
        }
        await backend.drop(owner);
        await backend.storage(owner).commit({ ...EMPTY, put: work });
      },
    }),
  },
  {
    law: "S28",
    name: "drops those whose names begin alike, too",
    spoil: (backend) => ({
      ...backend,
      async drop(owner) {
        for (const other of await backend.owners({ limit: 1_000_000 })) {
          if (other.startsWith(owner)) await backend.drop(other);
        }
        await backend.drop(owner);
      },
    }),
  },
  {
    law: "S29",
    name: "hides a dropped owner until it comes back",
    spoil: (backend) => {
      const hidden = new Map<Owner, Row[]>();
      return {
        ...storages((inner, owner) => ({
          async commit(batch) {
            await inner.commit(batch);
            const rows = hidden.get(owner) ?? [];
            hidden.delete(owner);
            const fresh = new Set(batch.put.map(({ key }) => key));
            await inner.commit({ ...EMPTY, put: rows.filter(({ key }) => !fresh.has(key)) });
          },
        }))(backend),
        async drop(owner) {
          hidden.set(owner, await backend.storage(owner).list({ prefix: "" }));
          await backend.drop(owner);
        },
      };
    },
  },
];
