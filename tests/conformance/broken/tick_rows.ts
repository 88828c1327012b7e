/** Runtimes whose storage is broken on purpose: each with laws that it breaks. */
import type { Backend } from "../../../src/core/backend.ts";
import { encodeText } from "../../../src/core/code.ts";
import type { Batch } from "../../../src/core/storage.ts";
import {
  type BrokenTicks,
  commits,
  keepsRows,
  lists,
  losesRows,
  storages,
  type TickSpoil,
} from "./tick_spoil.ts";

const puts = (batch: Batch, prefix: string) => batch.put.some(({ key }) => key.startsWith(prefix));

/** Envelopes that come from agents are lost, every second one. */
function losesMessages(): TickSpoil {
  let count = 0;
  const fromAgent = (value: Uint8Array) =>
    new TextDecoder().decode(value).includes('"kind":"agent"');
  return {
    backend: commits((batch) => {
      const put = batch.put.filter(({ key, value }) =>
        !(key.startsWith("inbox/") && fromAgent(value) && ++count % 2 === 0)
      );
      return { ...batch, put };
    }),
  };
}

function finds(
  spoil: (backend: Backend, prefix: string) => ReturnType<Backend["find"]> | undefined,
) {
  return (backend: Backend): Backend => ({
    ...backend,
    find: (query) => spoil(backend, query.prefix) ?? backend.find(query),
  });
}

export const brokenRows: readonly BrokenTicks[] = [
  ["lists what waits backwards", "T4", () => lists("inbox/", (rows) => rows.reverse())],
  ["forgets who waits for a retry", "T5", () => losesRows("retry/")],
  ["forgets goals", "T8", () => losesRows("goal/")],
  ["forgets which tries were made", "T26 T32", () => losesRows("try/")],
  ["forgets which ids it took", "T15 T49", () => losesRows("seen/")],
  ["forgets marks", "T19", () => losesRows("mark/")],
  ["keeps what it dropped", "T24", () => ({
    backend: commits((batch) => ({
      ...batch,
      remove: puts(batch, "inbox/")
        ? batch.remove.filter((key) => !key.startsWith("inbox/"))
        : batch.remove,
    })),
  })],
  ["touches what it does not own", "T21", () => {
    let count = 0;
    return {
      backend: commits((batch) =>
        puts(batch, "inbox/")
          ? { ...batch, put: [...batch.put, { key: "kv/n", value: encodeText(`${++count}`) }] }
          : batch
      ),
    };
  }],
  ["does not count dead letters", "T30", () => lists("dead/", () => [])],
  ["keeps messages that have arrived, and not who sent them", "T35", () => ({
    backend: commits((batch) => ({
      check: batch.check.filter(({ key }) => !key.startsWith("peer/")),
      remove: batch.remove.filter((key) => !key.startsWith("send/")),
      put: batch.put.filter(({ key }) => !key.startsWith("peer/")),
    })),
  })],
  ["loses messages between agents", "T35", losesMessages],
  ["gives every life the same birth", "T40", () => ({
    backend: (backend) => ({ ...backend, random: (bytes) => new Uint8Array(bytes) }),
  })],
  ["does not look for alarms", "T44 T47", () => ({
    backend: finds((_, prefix) => prefix === "alarm/" ? Promise.resolve([]) : undefined),
  })],
  ["does not hold what was read against what stands", "T16 T52", () => ({
    backend: commits((batch) => ({ ...batch, check: [] })),
  })],
  ["leaves the rows of the dead", "T56 T58", () => ({
    backend: (backend) => ({ ...backend, drop: () => Promise.resolve() }),
  })],
  ["looks at everybody when it begins", "T63", () => ({
    backend: finds((backend, prefix) =>
      prefix === "inbox/"
        ? backend.owners({ limit: 100 })
          .then((owners) => owners.filter((owner) => !owner.startsWith("@")))
          .then((owners) => owners.map((owner) => ({ owner, key: "inbox/000000000001" })))
        : undefined
    ),
  })],
  ["pads its records", "T69", () => ({
    backend: commits((batch) => ({
      ...batch,
      put: batch.put.map((row) =>
        row.key.startsWith("trajectory/")
          ? { ...row, value: Uint8Array.from([...row.value, ...new Uint8Array(300_000).fill(32)]) }
          : row
      ),
    })),
  })],
  ["keeps all events for ever", "T70", () => keepsRows("outbox/")],
  ["loses the state in storage now and then", "T62", () => {
    let count = 0;
    return {
      backend: storages((storage) => ({
        async get(key) {
          const value = await storage.get(key);
          return key === "state" && value && ++count % 3 === 0 ? encodeText("{}") : value;
        },
      })),
    };
  }],
];
