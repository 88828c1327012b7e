/** Storages broken on purpose in their lists: each with the law that must notice. */
import { KEY } from "../../../src/core/storage.ts";
import { type BrokenStorage, storages } from "./storage_spoil.ts";

export const brokenRanges: readonly BrokenStorage[] = [
  {
    law: "S18",
    name: "sorts as people do",
    spoil: storages((inner) => ({
      async list(range) {
        return (await inner.list(range)).sort((a, b) => a.key.localeCompare(b.key));
      },
    })),
  },
  {
    law: "S19",
    name: 'takes "z" for the last character',
    spoil: storages((inner) => ({
      async list(range) {
        return (await inner.list(range)).filter(({ key }) => key <= range.prefix + "z");
      },
    })),
  },
  {
    law: "S19",
    name: "does not list a key that is its prefix",
    spoil: storages((inner) => ({
      async list(range) {
        return (await inner.list(range)).filter(({ key }) => key !== range.prefix);
      },
    })),
  },
  {
    law: "S20",
    name: "begins a page with the last row of the one before",
    spoil: storages((inner) => ({
      async list(range) {
        const { after, prefix, limit = Infinity } = range;
        if (after === undefined) return inner.list(range);
        const rows = (await inner.list({ prefix })).filter(({ key }) => key >= after);
        return rows.slice(0, limit);
      },
    })),
  },
  {
    law: "S20",
    name: "goes on only behind a key that is there",
    spoil: storages((inner) => ({
      async list(range) {
        const { after } = range;
        return after === undefined || await inner.get(after) ? inner.list(range) : [];
      },
    })),
  },
  {
    law: "S21",
    name: "gives one row too many",
    spoil: storages((inner) => ({
      list: (range) =>
        inner.list(range.limit === undefined ? range : { ...range, limit: range.limit + 1 }),
    })),
  },
  {
    law: "S21",
    name: "gives the last rows",
    spoil: storages((inner) => ({
      async list({ limit, ...range }) {
        const rows = await inner.list(range);
        return limit ? rows.slice(-limit) : limit === 0 ? [] : rows;
      },
    })),
  },
  {
    law: "S22",
    name: "takes a senseless limit for none",
    spoil: storages((inner) => ({
      list({ limit, ...range }) {
        return inner.list(
          limit !== undefined && limit >= 0 && limit % 1 === 0 ? { ...range, limit } : range,
        );
      },
    })),
  },
  {
    law: "S22",
    name: "finds nothing under a prefix that no key has",
    spoil: storages((inner) => ({
      list: (range) => KEY.test(range.prefix || "a") ? inner.list(range) : Promise.resolve([]),
    })),
  },
];
