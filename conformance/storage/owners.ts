/** Owners: each has rows of its own, and can be dropped. */
import { refuses, same } from "../expect.ts";
import { key } from "../../src/core/keys.ts";
import {
  all,
  expecting,
  inPages,
  puts,
  removes,
  shown,
  type StorageLaw,
  textOf,
} from "./subject.ts";

/** More than are removed at a time where a dropped owner's rows go bit by bit. */
const MANY = 300;

export const ownerLaws: readonly StorageLaw[] = [
  {
    id: "S23",
    name: "owners_do_not_share_rows",
    says:
      "What one owner commits, removes or checks touches no other's rows, whatever their names share.",
    async test({ backend }) {
      const owners = ["a", "aa", "a-b", "a_b", "@a", "b"];
      const texts = { state: "s", [key.inbox(1)]: "i", [key.alarm(1, "a")]: "l", "kv/a": "k" };
      for (const owner of owners) {
        const mine = Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, v + owner]));
        same(await all(backend.storage(owner)), [], `rows of "${owner}" before its first`);
        await backend.storage(owner).commit({
          ...puts(mine),
          check: [{ key: "state", value: undefined }],
        });
      }
      await backend.storage("aa").commit(removes(...Object.keys(texts)));
      await backend.storage("a-b").commit(expecting("state", "sa-b", { state: "new" }));
      for (const owner of owners.filter((o) => o !== "aa")) {
        const state = owner === "a-b" ? "new" : `s${owner}`;
        const want = [
          `${key.alarm(1, "a")}=l${owner}`,
          `${key.inbox(1)}=i${owner}`,
          `kv/a=k${owner}`,
          `state=${state}`,
        ];
        same(await all(backend.storage(owner)), want, `rows of "${owner}"`);
      }
      same(await all(backend.storage("aa")), [], 'rows of "aa" after their removal');
    },
  },
  {
    id: "S24",
    name: "storages_of_an_owner_are_one",
    says:
      "Every storage of the same owner sees the same rows and stands in the same order of commits.",
    async test({ backend }) {
      const [one, two] = [backend.storage("abc"), backend.storage("abc")];
      const both = async (want: string | undefined, when: string) => {
        for (const storage of [one, two]) same(await textOf(storage, "state"), want, when);
      };
      await both(undefined, "a row before it was put");
      await one.commit(puts({ state: "1" }));
      await both("1", "a row put through the first storage");
      await two.commit(puts({ state: "2" }));
      await both("2", "a row put through the second storage");
      await refuses(
        "conflict",
        () => one.commit(expecting("state", "1")),
        "a check of the old row",
      );
      await one.commit(removes("state"));
      await both(undefined, "a row removed through the first storage");
    },
  },
  {
    id: "S25",
    name: "an_owner_has_a_proper_name",
    says:
      "An owner that is neither an agent id nor `@` and a name like one is `invalid_request`, in every verb that names one.",
    async test({ backend }) {
      for (const bad of ["", "@", "A", "a b", "a/b", "-a", "@@a", "ä", "a".repeat(64), "../a"]) {
        const what = `the owner "${bad}"`;
        await refuses("invalid_request", () => backend.drop(bad), `drop of ${what}`);
        // As a call of its own, since it need not be a promise.
        const open = () => Promise.resolve().then(() => backend.storage(bad).get("a"));
        await refuses("invalid_request", open, `storage of ${what}`);
      }
    },
  },
  {
    id: "S26",
    name: "owners_are_those_with_rows",
    says:
      "`owners` answers exactly the owners that have rows, in byte order; one whose last row is removed is none.",
    async test({ backend, reopen }) {
      const rows: [string, string][] = [
        ["b", "state"],
        ["@registry", "kv/a"],
        ["a-", key.inbox(1)],
        ["a", key.alarm(1, "a")],
        ["a0", key.draft("x")],
        ["a_", "kv/x"],
        ["gone", "state"],
        ["left", key.inbox(1)],
      ];
      for (const [owner, k] of rows) await backend.storage(owner).commit(puts({ [k]: "1" }));
      await backend.storage("gone").commit(removes("state"));
      await backend.storage("left").commit(removes(key.inbox(1)));
      await backend.storage("never").get("state");
      await refuses(
        "conflict",
        () => backend.storage("refused").commit(expecting("a", "1", { b: "2" })),
        "a commit",
      );
      const want = ["@registry", "a", "a-", "a0", "a_", "b"];
      same(await backend.owners({ limit: 100 }), want, "owners");
      same(await (await reopen()).owners({ limit: 100 }), want, "owners after a restart");
    },
  },
  {
    id: "S27",
    name: "owners_come_in_pages",
    says:
      "`owners` answers at most `limit` names behind `after`, the first ones, whether or not `after` is an owner.",
    async test({ backend }) {
      const names = Array.from({ length: 25 }, (_, n) => `agent-${String(n * 2).padStart(2, "0")}`);
      for (const name of names) await backend.storage(name).commit(puts({ state: name }));
      for (const limit of [1, 4, 25, 100]) {
        const pages = await inPages<string>(
          limit,
          (after) => backend.owners(after ? { after, limit } : { limit }),
        );
        same(pages, names, `owners in pages of ${limit}`);
      }
      same(await backend.owners({ limit: 0 }), [], "at most 0 owners");
      const behind = await backend.owners({ after: "agent-07", limit: 2 });
      same(behind, ["agent-08", "agent-10"], "owners behind a name that is none");
      same(await backend.owners({ after: "zzz", limit: 5 }), [], "owners behind the last");
    },
  },
  {
    id: "S28",
    name: "drop_takes_all_of_one_owner",
    says:
      "`drop` removes every row of its owner, in every family, and nothing of another's; an owner without rows can be dropped.",
    async test({ backend, reopen }) {
      const texts = {
        state: "1",
        "kv/a": "2",
        [key.inbox(1)]: "3",
        [key.send(1)]: "4",
        [key.draft("x")]: "5",
        [key.alarm(1, "a")]: "6",
        [key.retry(1, 1)]: "7",
      };
      for (const owner of ["a", "ab", "b"]) await backend.storage(owner).commit(puts(texts));
      const kept = await all(backend.storage("ab"));
      await backend.drop("a");
      await backend.drop("never");
      const check = async (after: typeof backend, when: string) => {
        const storage = after.storage("a");
        same(await all(storage), [], `rows of the dropped owner ${when}`);
        for (const k of Object.keys(texts)) {
          same(await storage.get(k), undefined, `"${k}" of the dropped owner ${when}`);
        }
        same(await after.owners({ limit: 9 }), ["ab", "b"], `owners ${when}`);
        for (const prefix of ["inbox/", "send/", "draft/", "alarm/", "retry/"]) {
          const found = (await after.find({ prefix, limit: 9 })).map(({ owner }) => owner);
          same(found, ["ab", "b"], `who is found under "${prefix}" ${when}`);
        }
        same(await all(after.storage("ab")), kept, `rows of another owner ${when}`);
      };
      await check(backend, "after the drop");
      await check(await reopen(), "after a restart");
    },
  },
  {
    id: "S29",
    name: "a_dropped_owner_may_come_back",
    says:
      `An owner of ${MANY} rows that was dropped begins anew with none, and keeps what it gets from then on.`,
    async test({ backend, reopen }) {
      const storage = backend.storage("abc");
      const many = Object.fromEntries(Array.from({ length: MANY }, (_, n) => [`kv/${n}`, "old"]));
      await storage.commit(puts({ ...many, state: "old", [key.inbox(1)]: "old" }));
      await backend.drop("abc");
      await storage.commit(expecting("state", undefined, { state: "new", "kv/7": "new" }));
      const want = ["kv/7=new", "state=new"];
      same(await all(storage), want, "rows after it came back");
      await storage.commit(puts({ state: "new" }));
      const later = await reopen();
      // Each commit gives a storage that tidies up behind it the occasion to.
      for (let n = 0; n < 10; n++) await later.storage("other").commit(puts({ state: String(n) }));
      same(await all(later.storage("abc")), want, "rows after a restart");
      const once = await (await reopen()).storage("abc").list({ prefix: "" });
      same(shown(once), want, "rows after another");
    },
  },
];
