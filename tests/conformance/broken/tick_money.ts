/** Runtimes that are careless with money and with the world outside: each with laws that it breaks. */
import { decodeText, encodeText } from "../../../src/core/code.ts";
import type { Order, Terms } from "../../../src/core/outside.ts";
import type { Row } from "../../../src/core/storage.ts";
import { type BrokenTicks, commits, type TickSpoil, views } from "./tick_spoil.ts";

const nothing = () => Promise.resolve();

/** Rows of a family are put otherwise. */
function puts(prefix: string, spoil: (text: string) => string | undefined): TickSpoil {
  const spoilt = (row: Row): Row[] => {
    if (!row.key.startsWith(prefix)) return [row];
    const text = spoil(decodeText(row.value));
    return text === undefined ? [] : [{ key: row.key, value: encodeText(text) }];
  };
  return { backend: commits((batch) => ({ ...batch, put: batch.put.flatMap(spoilt) })) };
}

/** What goes outside goes in another way. */
function goesOut(
  order: (order: Order) => Order,
  terms: <T extends Terms>(terms: T) => T = (terms) => terms,
): TickSpoil {
  return views(({ outside }) => ({
    outside: {
      submit: (given, ask) => outside.submit(order(given), async () => terms(await ask())),
      perform: (given, ask, run) =>
        outside.perform(order(given), async () => terms(await ask()), run),
    },
  }));
}

export const brokenMoney: readonly BrokenTicks[] = [
  [
    "reserves nothing",
    "T75 T81",
    () => goesOut((order) => order, (terms) => ({ ...terms, maxCostMicroUsd: 0 })),
  ],
  ["forgets idempotency keys", "T76", () => goesOut(({ idempotency: _, ...order }) => order)],
  ["records nothing of what it did outside", "T77 T79", () => puts("call/", () => undefined)],
  [
    "begins jobs again that had begun",
    "T78",
    () => puts("job/", (text) => text.replace(/"(running|streaming)"/, '"pending"')),
  ],
  [
    "cancels no job",
    "T80",
    () => views((view) => ({ jobs: (mount) => ({ ...view.jobs(mount), cancel: nothing }) })),
  ],
  ["takes a no for a yes", "T81", () =>
    views(({ approvals }) => ({
      approvals: { ...approvals, decide: (id) => approvals.decide(id, "approve") },
    }))],
];
