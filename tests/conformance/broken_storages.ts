/** Storages with one fault each, made of the memory backend: each law of storage must notice its own. */
import { FileError } from "../../src/fs/error.ts";
import type { Backend, Owner } from "../../src/core/backend.ts";
import {
  type AgentStorage,
  type Batch,
  KEY,
  MAX_VALUE_BYTES,
  type Row,
} from "../../src/core/storage.ts";
import { FOUND_BY_OWNER } from "../../src/core/keys.ts";

export interface Broken {
  /** The law that must notice; others may. */
  readonly law: string;
  /** What is wrong with it. */
  readonly name: string;
  /** `restarts` counts the reopenings before. */
  readonly spoil: (backend: Backend, restarts: number) => Backend;
}

/** Replaces some verbs of every owner's storage. */
function storages(
  part: (inner: AgentStorage, owner: Owner, backend: Backend) => Partial<AgentStorage>,
): (backend: Backend) => Backend {
  return (backend) => ({
    ...backend,
    storage(owner) {
      const inner = backend.storage(owner);
      return { ...inner, ...part(inner, owner, backend) };
    },
  });
}

/** Replaces what a batch is before it is committed. */
function batches(change: (batch: Batch) => Batch): (backend: Backend) => Backend {
  return storages((inner) => ({ commit: (batch) => inner.commit(change(batch)) }));
}

/** Checks with `holds` instead, and not in one go with the changes. */
function checking(
  holds: (got: Uint8Array | undefined, want: Uint8Array | undefined) => boolean,
): (backend: Backend) => Backend {
  return storages((inner, owner) => ({
    async commit(batch) {
      for (const { key, value } of batch.check) {
        if (!holds(await inner.get(key), value)) throw new FileError("conflict", "commit", owner);
      }
      await inner.commit({ ...batch, check: [] });
    },
  }));
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return String(a && [...a]) === String(b && [...b]) && (a === undefined) === (b === undefined);
}

async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await Promise.resolve();
}

const EMPTY: Batch = { check: [], remove: [], put: [] };

/** All who call in the same turn get one outcome: the worst. */
function together(isBad: (error: unknown) => boolean): (backend: Backend) => Backend {
  return (backend) => {
    let group: Promise<unknown>[] = [];
    return storages((inner) => ({
      async commit(batch) {
        const mine = group;
        const done = inner.commit(batch);
        mine.push(done);
        await Promise.resolve();
        group = [];
        const bad = (await Promise.allSettled(mine)).find((s) =>
          s.status === "rejected" && isBad(s.reason)
        );
        if (bad?.status === "rejected") throw bad.reason;
        await done;
      },
    }))(backend);
  };
}

const codeIs = (code: string) => (error: unknown) => (error as FileError).code === code;

export const brokenStorages: readonly Broken[] = [
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
