/** Storages broken on purpose in what they find: each with the law that must notice. */
import { FOUND_BY_OWNER } from "../../../src/core/keys.ts";
import { type BrokenStorage } from "./storage_spoil.ts";

export const brokenFinds: readonly BrokenStorage[] = [
  {
    law: "S30",
    name: "finds the last key",
    spoil: (backend) => ({
      ...backend,
      async find(query) {
        const found = await backend.find(query);
        if (!FOUND_BY_OWNER.some((family) => family === query.prefix)) return found;
        return await Promise.all(found.map(async ({ owner }) => ({
          owner,
          key: (await backend.storage(owner).list({ prefix: query.prefix })).at(-1)!.key,
        })));
      },
    }),
  },
  {
    law: "S31",
    name: "goes on behind the key and not the owner",
    spoil: (backend) => ({
      ...backend,
      async find(query) {
        const { after, limit, ...rest } = query;
        if (!after || query.prefix !== "inbox/") return backend.find(query);
        const found = await backend.find({ ...rest, limit: 1_000_000 });
        return found.filter(({ key }) => key > after.key).slice(0, limit - 1);
      },
    }),
  },
  {
    law: "S32",
    name: "sorts what is due by owner",
    spoil: (backend) => ({
      ...backend,
      async find(query) {
        const found = await backend.find(query);
        return found.sort((a, b) => (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0));
      },
    }),
  },
  {
    law: "S32",
    name: "loses who is due at the same time",
    spoil: (backend) => ({
      ...backend,
      async find(query) {
        const { after, limit, ...rest } = query;
        if (!after || query.prefix === "inbox/") return backend.find(query);
        const found = await backend.find({ ...rest, limit: 1_000_000 });
        return found.filter(({ key }) => key > after.key).slice(0, limit);
      },
    }),
  },
  {
    law: "S33",
    name: "ends before the time",
    spoil: (backend) => ({
      ...backend,
      async find(query) {
        return (await backend.find(query)).filter(({ key }) => key !== query.through);
      },
    }),
  },
  {
    law: "S34",
    name: "finds nothing where nothing can be found",
    spoil: (backend) => ({
      ...backend,
      find: (query) =>
        /^[a-z]+\/$/.test(query.prefix) && query.prefix !== "kv/"
          ? backend.find(query)
          : Promise.resolve([]),
    }),
  },
];
