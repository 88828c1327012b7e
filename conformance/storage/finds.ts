/** Finding over owners: who has work, and what is due. */
import { refuses, same } from "../expect.ts";
import { FOUND_BY_OWNER, FOUND_BY_TIME, key } from "../../src/core/keys.ts";
import type { Backend, FindQuery, Found } from "../../src/core/backend.ts";
import { inPages, puts, removes, type StorageLaw } from "./subject.ts";

function shownFinds(finds: readonly Found[]): string[] {
  return finds.map(({ owner, key }) => `${owner} ${key}`);
}

async function find(backend: Backend, query: FindQuery): Promise<string[]> {
  return shownFinds(await backend.find(query));
}

/** All finds, page by page. */
async function paged(backend: Backend, query: FindQuery): Promise<string[]> {
  return shownFinds(
    await inPages<Found>(
      query.limit,
      (after) => backend.find(after ? { ...query, after } : query),
    ),
  );
}

async function fill(backend: Backend, rows: readonly (readonly [string, string])[]): Promise<void> {
  for (const [owner, k] of rows) await backend.storage(owner).commit(puts({ [k]: "1" }));
}

export const findLaws: readonly StorageLaw[] = [
  {
    id: "S30",
    name: "who_has_work_is_found",
    says:
      "For a family that is found by owner, `find` answers each owner that has rows of it once, with its first key, in byte order of owners.",
    async test({ backend, reopen }) {
      for (const family of FOUND_BY_OWNER) {
        await fill(backend, [
          ["b", `${family}000000000003`],
          ["b", `${family}000000000002`],
          ["a", `${family}000000000009`],
          ["@x", `${family}000000000005`],
          ["a-", `${family}000000000001`],
          ["done", `${family}000000000001`],
          ["idle", `kv/${family}000000000001`],
          ["near", `${family.slice(0, -1)}0`],
          ["near", family.slice(0, -1)],
        ]);
        await backend.storage("done").commit(removes(`${family}000000000001`));
      }
      const restarted = await reopen();
      for (const family of FOUND_BY_OWNER) {
        const want = [
          `@x ${family}000000000005`,
          `a ${family}000000000009`,
          `a- ${family}000000000001`,
          `b ${family}000000000002`,
        ];
        same(await find(restarted, { prefix: family, limit: 100 }), want, `owners of "${family}"`);
        await restarted.storage("b").commit(removes(`${family}000000000002`));
        const next = `b ${family}000000000003`;
        const now = await find(restarted, { prefix: family, limit: 100 });
        same(now.at(-1), next, `the first key of "${family}" once the one before is gone`);
      }
    },
  },
  {
    id: "S31",
    name: "who_has_work_comes_in_pages",
    says:
      "Pages of any size of what is found by owner, put together, are the whole, however many rows an owner has.",
    async test({ backend }) {
      const names = Array.from({ length: 12 }, (_, n) => `agent-${String(n).padStart(2, "0")}`);
      for (const [i, name] of names.entries()) {
        const rows = Array.from({ length: 1 + i * 3 }, (_, n) => [key.inbox(i + n), "1"]);
        await backend.storage(name).commit(puts(Object.fromEntries(rows)));
      }
      const want = names.map((name, i) => `${name} ${key.inbox(i)}`);
      for (const limit of [1, 5, 12, 50]) {
        same(await paged(backend, { prefix: "inbox/", limit }), want, `pages of ${limit}`);
      }
      same(await find(backend, { prefix: "inbox/", limit: 0 }), [], "at most 0 finds");
      const through = key.inbox(3);
      const few = { prefix: "inbox/", through, limit: 2 };
      same(await paged(backend, few), want.slice(0, 4), "owners whose first key is not behind one");
    },
  },
  {
    id: "S32",
    name: "what_is_due_is_found_by_time",
    says:
      "For a family that is found by time, `find` answers every row of it over all owners, in order of key and then owner.",
    async test({ backend, reopen }) {
      for (const family of FOUND_BY_TIME) {
        await fill(backend, [
          ["b", `${family}0000000000000020/x`],
          ["a", `${family}0000000000000030/x`],
          ["b", `${family}0000000000000010/x`],
          ["a", `${family}0000000000000010/x`],
          ["@x", `${family}0000000000000010/x`],
          ["a", `${family}0000000000000010/w`],
          ["done", `${family}0000000000000001/x`],
          ["idle", `kv/${family}0000000000000001/x`],
          ["near", `${family.slice(0, -1)}0`],
          ["near", `${family.slice(0, -1)}`],
        ]);
        await backend.storage("done").commit(removes(`${family}0000000000000001/x`));
      }
      const restarted = await reopen();
      for (const family of FOUND_BY_TIME) {
        const want = [
          `a ${family}0000000000000010/w`,
          `@x ${family}0000000000000010/x`,
          `a ${family}0000000000000010/x`,
          `b ${family}0000000000000010/x`,
          `b ${family}0000000000000020/x`,
          `a ${family}0000000000000030/x`,
        ];
        same(await find(restarted, { prefix: family, limit: 100 }), want, `rows of "${family}"`);
        for (const limit of [1, 2, 3, 6]) {
          same(await paged(restarted, { prefix: family, limit }), want, `pages of ${limit}`);
        }
      }
    },
  },
  {
    id: "S33",
    name: "what_is_due_ends_with_its_time",
    says: "With `through`, `find` answers rows up to and including that key, and none behind it.",
    async test({ backend }) {
      const times = [10, 20, 30, 40];
      await fill(backend, times.map((ms) => [`agent-${ms}`, key.alarm(ms, "a")]));
      await fill(backend, times.map((ms) => ["other", key.alarm(ms, "b")]));
      const until = async (through: string) =>
        (await paged(backend, { prefix: "alarm/", through, limit: 3 })).length;
      same(await until(key.alarm(9, "z")), 0, "rows due by 9");
      same(await until(key.alarm(20, "a")), 3, "rows up to a key, inclusive");
      same(await until(key.alarm(20, "b")), 4, "rows up to the next key, inclusive");
      same(await until(key.alarm(35, "")), 6, "rows due by 35");
      same(await until("alarm/~"), 8, "rows at any time");
      same(await until("zzz"), 8, "rows up to a key behind the family");
      same(await until("a"), 0, "rows up to a key before the family");
    },
  },
  {
    id: "S34",
    name: "only_families_are_found",
    says: "`find` refuses with `invalid_request` what is no family that is found over owners.",
    async test({ backend }) {
      await fill(backend, [["a", "kv/a"], ["a", key.inbox(1)], ["a", "state"]]);
      for (const prefix of ["", "kv/", "inbox", "inbox/0", "state", "alarm/0000", "seen/", "/"]) {
        const ask = () => backend.find({ prefix, limit: 9 });
        await refuses("invalid_request", ask, `find of "${prefix}"`);
      }
    },
  },
];
