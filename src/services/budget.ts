/** `/budget/`: what the agent may spend, what it has spent, and on what. */
import { z } from "zod";
import { type BudgetPolicy, checkedPolicy, WHOLE_AGENT } from "../core/budget.ts";
import { key } from "../core/keys.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import { dir, file, type Node, refusal, tree, type WatchEvent } from "../fs/tree.ts";
import { fitting, JSON_TYPE, jsonOf } from "./common/json.ts";

/** Lines of the ledger that are read at once. */
const PAGE = 100;
const MAX_POLICY_BYTES = 256 * 1024;
const LEDGER = "budget/";

export const budget: ServiceFactory = (view) =>
  tree(
    dir({
      ledger: ledger(view),
      policy: policy(view),
      unknown: unknown(view),
      usage: usage(view),
    }, {
      about: "what the agent may spend and has spent; amounts are in micro-USD",
    }),
    view.viewer,
  );

function usage(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "reserved, spent and left in this tick and this UTC day: of the whole agent, and of " +
      "each mount that costs",
    read: async () => JSON.stringify(await reportOf(view)),
    watch: ({ signal }) => changes(view, signal, (at) => isPolicy(at) || at.startsWith(LEDGER)),
  });
}

async function reportOf({ budget, mounts }: AgentView) {
  const policies = budget.policies();
  const costly = (await mounts()).filter(({ access }) => access === "budgeted");
  const paths = new Set([...costly.map(({ path }) => path), ...Object.keys(policies)]);
  paths.delete(WHOLE_AGENT);
  const of = Object.fromEntries(
    [...paths].sort().map((path) => [
      path,
      { policy: policyAt(policies, path), usage: budget.usage(path) },
    ]),
  );
  return { ...budget.usage(WHOLE_AGENT), policy: policyAt(policies, WHOLE_AGENT), mounts: of };
}

const resolution = z.strictObject({
  id: z.string(),
  outcome: z.enum(["done", "not_done"]),
  answer: z.json().optional(),
});

function unknown({ budget }: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "what was begun under a key and cut off, so that nobody knows how it ended; a write " +
      'says it: {"id":"…","outcome":"not_done"} lets it be asked for again, ' +
      '{"id":"…","outcome":"done","answer":…} is its answer',
    only: { write: ["operator"] },
    maxBytes: MAX_POLICY_BYTES,
    read: async () => JSON.stringify(await budget.unknown()),
    async write(data) {
      const said = fitting(resolution, jsonOf(data, "what became of it is a JSON object"));
      const isDone = said.outcome === "done";
      if (!isDone && said.answer !== undefined) {
        throw refusal("invalid_request", "what was not done has no answer");
      }
      await budget.resolve(said.id, isDone ? said.answer ?? null : undefined);
    },
  });
}

function policyAt(
  policies: Readonly<Record<string, BudgetPolicy>>,
  path: string,
): BudgetPolicy | null {
  return Object.hasOwn(policies, path) ? policies[path]! : null;
}

function policy(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "what it may spend, by mount, / for all of it: { per_tick_micro_usd, " +
      "per_day_micro_usd, approval_threshold_micro_usd, approvers }; of a write, null takes a " +
      "policy away, and what is left out stays",
    only: { write: ["operator"] },
    maxBytes: MAX_POLICY_BYTES,
    read: () => JSON.stringify(view.budget.policies()),
    write: (data) => set(view, jsonOf(data, "policies are a JSON object, by mount")),
    watch: ({ signal }) => changes(view, signal, isPolicy),
  });
}

/** All of them are looked at before the first is set. */
async function set({ budget }: AgentView, given: unknown): Promise<void> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refusal("invalid_request", 'policies are a JSON object, by mount: {"/":{…}}');
  }
  const checked = Object.entries(given).map(([mount, policy]) =>
    [mount, policy === null ? null : checkedPolicy(policy, mount)] as const
  );
  for (const [mount, policy] of checked) await budget.setPolicy(mount, policy);
}

function ledger(view: AgentView): Node {
  return file({
    type: "application/x-ndjson",
    about: "every reservation of the last year, oldest first, a JSON object a line",
    read: () => lines(view),
    watch: ({ signal }) => changes(view, signal, (at) => at.startsWith(LEDGER)),
  });
}

async function* lines({ budget }: AgentView): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let after: string | undefined;
  while (true) {
    const page = await budget.ledger({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    if (page.length > 0) {
      yield encoder.encode(page.map((line) => `${JSON.stringify(line)}\n`).join(""));
    }
    if (page.length < PAGE) return;
    after = page.at(-1)!.id;
  }
}

function isPolicy(at: string): boolean {
  return at === key.agent;
}

async function* changes(
  { rows }: AgentView,
  signal: AbortSignal,
  isOne: (key: string) => boolean,
): AsyncGenerator<WatchEvent> {
  for await (const change of rows.watch("", signal)) {
    if (isOne(change.key)) yield { type: "modified" };
  }
}
