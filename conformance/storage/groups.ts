/** Many at once: the order of commits, their independence, what is seen meanwhile, what is there after a restart. */
import { hasCode } from "../../src/fs/error.ts";
import { holds, same } from "../expect.ts";
import { key } from "../../src/core/keys.ts";
import { type AgentStorage, MAX_VALUE_BYTES } from "../../src/core/storage.ts";
import {
  all,
  bytes,
  expecting,
  puts,
  removes,
  rowsOf,
  shown,
  type StorageLaw,
  textOf,
} from "./subject.ts";

/** Each outcome as `ok` or the code of the refusal. */
async function outcomes(commits: readonly Promise<void>[]): Promise<string[]> {
  const settled = await Promise.allSettled(commits);
  return settled.map((s) => s.status === "fulfilled" ? "ok" : String(s.reason?.code));
}

/** Adds one to a counter row, again and again until nobody came between. */
async function increment(storage: AgentStorage): Promise<void> {
  for (;;) {
    const text = await textOf(storage, "count");
    try {
      return await storage.commit(
        expecting("count", text, { count: String(Number(text ?? 0) + 1) }),
      );
    } catch (error) {
      if (!hasCode(error, "conflict")) throw error;
    }
  }
}

export const groupLaws: readonly StorageLaw[] = [
  {
    id: "S35",
    name: "commits_take_effect_in_order",
    says:
      "Commits of one owner that nobody waited for take effect in the order of their calls, through whichever of its storages.",
    async test({ backend }) {
      const storages = [backend.storage("abc"), backend.storage("abc")];
      const steps = Array.from({ length: 200 }, (_, n) => n);
      const done = await outcomes(steps.map((n) =>
        storages[n % 2]!.commit(
          expecting("state", n === 0 ? undefined : String(n - 1), { state: String(n) }),
        )
      ));
      same(done.filter((outcome) => outcome !== "ok"), [], "a chain of checks");
      same(await textOf(storages[0]!, "state"), "199", "the last of the chain");
    },
  },
  {
    id: "S36",
    name: "a_drop_takes_its_turn",
    says:
      "A drop takes effect after the commits of that owner called before it and before those called after it.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const done = await outcomes([
        storage.commit(puts({ state: "1", [key.inbox(1)]: "1" })),
        storage.commit(puts({ "kv/a": "1" })),
        backend.drop("abc"),
        storage.commit(expecting("state", "1", { state: "never" })),
        storage.commit(expecting("state", undefined, { state: "2" })),
        storage.commit(puts({ [key.inbox(2)]: "2" })),
        backend.drop("abc"),
        backend.drop("abc"),
        storage.commit(expecting(key.inbox(2), undefined, { "kv/b": "3" })),
      ]);
      same(done, ["ok", "ok", "ok", "conflict", "ok", "ok", "ok", "ok", "ok"], "outcomes");
      same(await all(storage), ["kv/b=3"], "rows after the last drop");
    },
  },
  {
    id: "S37",
    name: "what_resolved_is_seen",
    says:
      "`get`, `list`, `find` and `owners` see every commit that had resolved before they were called.",
    async test({ backend }) {
      for (let n = 0; n < 20; n++) {
        const owner = `agent-${String(n).padStart(2, "0")}`;
        const storage = backend.storage(owner);
        await storage.commit(
          puts({ state: String(n), [key.inbox(n)]: "e", [key.alarm(n, "a")]: "l" }),
        );
        same(await textOf(storage, "state"), String(n), "get after a commit");
        same((await all(storage)).length, 3, "rows listed after a commit");
        const owners = await backend.owners({ limit: 100 });
        same(owners.at(-1), owner, "owners after a commit");
        same((await backend.find({ prefix: "inbox/", limit: 100 })).length, 1, "who has work");
        same((await backend.find({ prefix: "alarm/", limit: 100 })).length, n + 1, "what is due");
        await storage.commit(removes(key.inbox(n)));
        same(await storage.get(key.inbox(n)), undefined, "get after a removal");
        same((await backend.find({ prefix: "inbox/", limit: 100 })).length, 0, "who has no work");
      }
    },
  },
  {
    id: "S38",
    name: "half_a_batch_is_never_seen",
    says: "Who reads while commits are under way sees each batch whole or not at all.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const names = Array.from({ length: 8 }, (_, n) => n % 2 ? `kv/${n}` : key.inbox(n));
      const commits = Array.from(
        { length: 30 },
        (_, n) => storage.commit(puts(Object.fromEntries(names.map((k) => [k, String(n)])))),
      );
      for (const commit of commits) {
        for (let read = 0; read < 20; read++) {
          const values = (await all(storage)).map((row) => row.slice(row.indexOf("=") + 1));
          const told = values.join(" ");
          holds(new Set(values).size <= 1, `a list mixed batches: ${told}`);
          holds(values.length === 0 || values.length === names.length, `a list cut one: ${told}`);
        }
        await commit;
      }
      const last = names.map((k) => `${k}=29`).sort();
      same(await all(storage), last, "the last batch");
    },
  },
  {
    id: "S39",
    name: "batches_that_arrive_together_stand_alone",
    says:
      "Of a hundred batches called together, each is refused or stored by itself, exactly as if they had come one by one.",
    async test({ backend }) {
      const owners = Array.from({ length: 5 }, (_, n) => `agent-${n}`);
      const expected: string[] = [];
      const model = new Map(owners.map((owner) => [owner, new Map<string, string>()]));
      const commits = Array.from({ length: 100 }, (_, n) => {
        const owner = owners[n % 5]!;
        const rows = model.get(owner)!;
        const k = n % 3 === 0 ? "state" : n % 3 === 1 ? key.inbox(n % 7) : `kv/${n % 4}`;
        // Every fourth expects a row that cannot be there; the others what the ones before leave.
        const refused = n % 4 === 3;
        const check = refused ? "nobody wrote this" : rows.get(k);
        const other = `kv/of-${n}`;
        expected.push(refused ? "conflict" : "ok");
        if (!refused) rows.set(k, String(n)).set(other, String(n));
        return backend.storage(owner).commit(
          expecting(k, check, { [k]: String(n), [other]: String(n) }),
        );
      });
      same(await outcomes(commits), expected, "outcomes");
      for (const [owner, rows] of model) {
        const want = [...rows].map(([k, v]) => `${k}=${v}`).sort();
        same((await all(backend.storage(owner))).sort(), want, `rows of "${owner}"`);
      }
    },
  },
  {
    id: "S40",
    name: "a_malformed_batch_harms_no_other",
    says:
      "A batch that is refused for what it holds does not touch those that were called with it.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const large = { key: "large", value: new Uint8Array(MAX_VALUE_BYTES + 1) };
      const done = await outcomes([
        storage.commit(puts({ a: "1" })),
        storage.commit({ check: [], remove: [], put: [{ key: "bad key", value: bytes("2") }] }),
        storage.commit({ check: [], remove: ["a"], put: [large] }),
        storage.commit(expecting("a", "other", { a: "4" })),
        storage.commit(expecting("a", "1", { b: "5" })),
      ]);
      same(done, ["ok", "invalid_request", "too_large", "conflict", "ok"], "outcomes");
      same(await all(storage), ["a=1", "b=5"], "rows");
    },
  },
  {
    id: "S41",
    name: "no_update_is_lost",
    says: "Of many who read, check and write the same row at once, each takes effect exactly once.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      await Promise.all(Array.from({ length: 20 }, () => increment(storage)));
      same(await textOf(storage, "count"), "20", "twenty increments");
    },
  },
  {
    id: "S42",
    name: "many_large_values_go_together",
    says: "Values of the full size that are committed together are all stored.",
    async test({ backend }) {
      const storage = backend.storage("abc");
      const ns = Array.from({ length: 10 }, (_, n) => n);
      await Promise.all(ns.map((n) =>
        storage.commit({
          check: [],
          remove: [],
          put: [{ key: key.blob("x", n), value: new Uint8Array(MAX_VALUE_BYTES).fill(n) }],
        })
      ));
      const rows = await storage.list({ prefix: "blob/x/" });
      const want = ns.map((n) => [key.blob("x", n), MAX_VALUE_BYTES, n, n]);
      const got = rows.map((r) => [r.key, r.value.byteLength, r.value[0], r.value.at(-1)]);
      same(got, want, "large rows");
    },
  },
  {
    id: "S43",
    name: "what_resolved_outlasts_a_restart",
    says:
      "Everything that resolved (puts, removals, refusals, drops) is so after a restart, and after another.",
    async test({ backend, reopen }) {
      await Promise.all([
        backend.storage("a").commit(puts({ state: "1", "kv/a": "1", [key.inbox(1)]: "1" })),
        backend.storage("b").commit(puts({ state: "1", [key.alarm(1, "a")]: "1" })),
        backend.storage("c").commit(puts({ state: "1", [key.inbox(1)]: "1" })),
      ]);
      await backend.storage("a").commit({
        check: [{ key: "state", value: bytes("1") }],
        remove: ["kv/a", key.inbox(1)],
        put: rowsOf({ state: "2", [key.send(1)]: "2" }),
      });
      await outcomes([backend.storage("a").commit(expecting("state", "1", { state: "3" }))]);
      await backend.drop("c");
      for (const when of ["after a restart", "after another"]) {
        const next = await reopen();
        const rows = shown(await next.storage("a").list({ prefix: "" }));
        same(rows, [`${key.send(1)}=2`, "state=2"], `rows of "a" ${when}`);
        same(await textOf(next.storage("a"), "state"), "2", `a row of "a" ${when}`);
        same(await all(next.storage("b")), [`${key.alarm(1, "a")}=1`, "state=1"], `"b" ${when}`);
        same(await all(next.storage("c")), [], `rows of "c" ${when}`);
        same(await next.owners({ limit: 9 }), ["a", "b"], `owners ${when}`);
        const found = [
          ...await next.find({ prefix: "inbox/", limit: 9 }),
          ...await next.find({ prefix: "send/", limit: 9 }),
          ...await next.find({ prefix: "alarm/", limit: 9 }),
        ].map(({ owner, key }) => `${owner} ${key}`);
        same(found, [`a ${key.send(1)}`, `b ${key.alarm(1, "a")}`], `what is found ${when}`);
        await next.storage("b").commit(expecting("state", "1", { state: "1" }));
      }
    },
  },
];
