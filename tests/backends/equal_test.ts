import fc from "fast-check";
import assert from "../assert.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { sqlFixture } from "./sql_fixture.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Backend, FindQuery } from "../../src/core/backend.ts";
import type { Batch, Range } from "../../src/core/storage.ts";
import { FOUND_BY_OWNER, FOUND_BY_TIME } from "../../src/core/keys.ts";

const OWNERS = ["a", "ab", "a-", "@r"];
const KEYS = [
  ...["state", "turn", "inbox", "i", "kv/a", "kv/a/b", "kv/ab", "seen/x"],
  ...["inbox/000000000001", "inbox/000000000002", "inbox/000000000010"],
  ...["send/000000000001", "open/x", "draft/x"],
  ...["alarm/0000000000000001/a", "alarm/0000000000000001/b", "alarm/0000000000000002/a"],
  ...["retry/0000000000000001/000000000001", "alarmid/a"],
];
const PREFIXES = ["", "i", "inbox", "inbox/", "kv/", "kv/a", "a", "alarm/", "alarm/0000", "s", "x"];
/** Few and small, so that checks often hold; one that is kept in no cache. */
const VALUES = ["", "0", "1", "x".repeat(70_000)].map((text) => new TextEncoder().encode(text));

type Write =
  | { readonly kind: "commit"; readonly owner: string; readonly batch: Batch }
  | { readonly kind: "drop"; readonly owner: string };
type Step =
  /** Called together, before any is waited for. */
  | { readonly kind: "writes"; readonly writes: readonly Write[] }
  | { readonly kind: "get"; readonly owner: string; readonly key: string }
  | { readonly kind: "list"; readonly owner: string; readonly range: Range }
  | { readonly kind: "owners"; readonly range: { after?: string; limit: number } }
  | { readonly kind: "find"; readonly query: FindQuery }
  | { readonly kind: "reopen" };

const owner = fc.constantFrom(...OWNERS);
const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom(...VALUES);
const limit = fc.nat({ max: 5 });

/** Most checks expect absence or a small value, which often holds. */
const check = fc.record({ key, value: fc.option(value, { nil: undefined }) });
const batch: fc.Arbitrary<Batch> = fc.record({
  check: fc.array(check, { maxLength: 2 }),
  remove: fc.array(key, { maxLength: 4 }),
  put: fc.array(fc.record({ key, value }), { maxLength: 5 }),
});
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("commit" as const), owner, batch }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), owner }) },
);
const range: fc.Arbitrary<Range> = fc.record({
  prefix: fc.constantFrom(...PREFIXES),
  after: key,
  limit,
}, { requiredKeys: ["prefix"] });
const query: fc.Arbitrary<FindQuery> = fc.record({
  prefix: fc.constantFrom(...FOUND_BY_OWNER, ...FOUND_BY_TIME),
  through: key,
  after: fc.record({ owner, key }),
  limit,
}, { requiredKeys: ["prefix", "limit"] });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("writes" as const),
      writes: fc.array(write, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("get" as const), owner, key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("list" as const), owner, range }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("owners" as const),
      range: fc.record({ after: owner, limit }, { requiredKeys: ["limit"] }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("find" as const), query }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
);

/** A backend and how to open its rows again. */
interface Side {
  backend: Backend;
  reopen(): Promise<Backend>;
  close(): Promise<void>;
}

function memorySide(): Side {
  let backend = memoryBackend();
  return {
    backend,
    reopen: () => Promise.resolve(backend = backend.reopen()),
    close: () => Promise.resolve(),
  };
}

async function sqliteSide(): Promise<Side> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-equal-" });
  let backend = await openLocal(dir);
  return {
    backend,
    async reopen() {
      await backend.close();
      return backend = await openLocal(dir);
    },
    async close() {
      await backend.close();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Rows follow from the log into their tables one by one, and what is opened again was not closed. */
function crashingSide(): Side {
  const { backend, db, again } = sqlFixture({ ripeBytes: 500, settleRows: 1 });
  return {
    backend,
    reopen: () => Promise.resolve(again()),
    close: () => Promise.resolve(db.close()),
  };
}

function call(backend: Backend, write: Write): Promise<void> {
  return write.kind === "drop"
    ? backend.drop(write.owner)
    : backend.storage(write.owner).commit(write.batch);
}

/** What a step answers, in a form that can be compared. */
async function take(side: Side, step: Step): Promise<unknown> {
  const { backend } = side;
  switch (step.kind) {
    case "writes": {
      const settled = await Promise.allSettled(step.writes.map((write) => call(backend, write)));
      return settled.map((s) => s.status === "rejected" ? (s.reason as Error).message : "ok");
    }
    case "get":
      return await backend.storage(step.owner).get(step.key);
    case "list":
      return await backend.storage(step.owner).list(step.range);
    case "owners":
      return await backend.owners(step.range);
    case "find":
      return await backend.find(step.query);
    case "reopen":
      side.backend = await side.reopen();
      return "reopened";
  }
}

async function everything(backend: Backend): Promise<unknown> {
  const owners = await backend.owners({ limit: 100 });
  const rows = await Promise.all(
    owners.map((owner) => backend.storage(owner).list({ prefix: "" })),
  );
  const families = [...FOUND_BY_OWNER, ...FOUND_BY_TIME];
  const found = await Promise.all(families.map((prefix) => backend.find({ prefix, limit: 100 })));
  return { owners, rows, found };
}

Deno.test("memory and SQLite answer the same to the same operations", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const sides = [memorySide(), await sqliteSide(), crashingSide()];
      try {
        for (const step of steps) {
          const memory = await take(sides[0]!, step);
          for (const side of sides.slice(1)) {
            assert.deepEqual(await take(side, step), memory, `after ${step.kind}`);
          }
        }
        for (const when of ["at the end", "after a restart"]) {
          const [memory, ...sql] = await Promise.all(sides.map((s) => everything(s.backend)));
          for (const one of sql) assert.deepEqual(one, memory, when);
          for (const side of sides) side.backend = await side.reopen();
        }
      } finally {
        for (const side of sides) await side.close();
      }
    }),
    { numRuns: 60 },
  );
});
