/** Model calls over a storage that dies: each asked for at most once, paid, and its end told once. */
import type { ComputeProvider, ComputeProviders, ModelCall } from "../../../src/core/compute.ts";
import type { AgentContext } from "../../../src/core/agent.ts";
import type { Job } from "../../../src/core/outside.ts";
import type { Trigger } from "../../../src/core/trigger.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { holds, same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import type { Workload } from "../workload.ts";

/** A micro-USD a token, in and out. */
const PRICE = { input_micro_usd_per_mtok: 1_000_000, output_micro_usd_per_mtok: 1_000_000 };
const LIMIT = 5_000;
const MOST = 300;
/** What one answer costs. */
const COST = 5;

interface Seller {
  /** The last words of what was asked. */
  readonly asked: string[];
  readonly providers: ComputeProviders;
}

/** Sells a model that says two words, and one that says one word and then nothing for ever. */
function openSeller(): Seller {
  const asked: string[] = [];
  const nothing = () => Promise.resolve();
  const provider: ComputeProvider = {
    id: "seller",
    info: () => ({ id: "seller", type: "cloud", about: "two words", by_name_only: false }),
    health: () => ({ status: "up", checked_at: null }),
    models: () => ["talks", "stalls"].map((id) => ({ id, kinds: ["chat"], price: PRICE })),
    async submit({ input, model }: ModelCall, sink, signal) {
      asked.push((input as { messages: { content: string }[] }).messages.at(-1)!.content);
      await sink.delta({ content: "two " });
      if (model === "stalls") await aborted(signal);
      await sink.delta({ content: "words" });
      const usage = { input_tokens: COST - 2, output_tokens: 2, total_tokens: COST };
      return { output: { text: "two words", finish_reason: "stop" }, usage, model };
    },
    refresh: nothing,
    close: nothing,
  };
  const get = (id: string) => id === provider.id ? provider : undefined;
  return { asked, providers: { list: () => [provider], get, refresh: nothing, close: nothing } };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function request(text: string, more: object = {}) {
  const input = { messages: [{ role: "user", content: text }], max_tokens: 10 };
  const base = { model: "talks", kind: "chat", input, stream: true };
  return { ...base, max_cost_micro_usd: MOST, ...more };
}

async function asking(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type === "event") {
    ctx.state.heard = [...ctx.state.heard ?? [], (trigger.data as { job_id: string }).job_id];
    return;
  }
  const text = said(trigger);
  const { job_id } = await ctx.env.call<{ job_id: string }>("/compute/new", request(text));
  ctx.state.jobs = [...ctx.state.jobs ?? [], job_id];
}

/** The same request under one key, said again until it is answered. */
async function keyed(s: Scene, text: string, more: object = {}): Promise<string | undefined> {
  try {
    const body = JSON.stringify(request(text, { idempotency_key: text, ...more }));
    const { job_id } = JSON.parse(await s.at("one").call("/compute/new", body));
    return job_id;
  } catch (error) {
    if (codeOf(error) !== "interrupted") throw error;
  }
}

export default (): Workload => {
  const seller = openSeller();
  return {
    name: "compute job",
    outside: { compute: seller.providers },
    agents: () => ({ one: agent(asking) }),
    steps: [
      (s) =>
        s.create("one", {
          limits: { retry_ms: [100, 100] },
          budgets: { "/compute": { per_day_micro_usd: LIMIT, approvers: [] } },
        }),
      (s) => s.at("one").send("first", { id: "first" }),
      (s) => keyed(s, "keyed"),
      async (s) => {
        const job = await keyed(s, "cancelled", { model: "stalls" });
        if (job !== undefined) await s.at("one").write(`/compute/jobs/${job}/ctl`, "cancel");
      },
      (s) => s.at("one").send("last", { id: "last" }),
    ],
    async check(s) {
      const one = s.at("one");
      const { heard = [], jobs = [] } = await one.state() as { heard?: string[]; jobs?: string[] };
      const ids = await one.names("/compute/jobs");
      same(ids.length, 4, "jobs");
      same([...heard].sort(), [...ids].sort(), "ends of jobs, each heard once");
      same(jobs.length, 2, "jobs of the agent's own");
      for (const item of new Set(seller.asked)) {
        same(
          seller.asked.filter((asked) => asked === item).length,
          1,
          `how often "${item}" was asked`,
        );
      }
      for (const id of ids) {
        const { status, error } = await one.json<Job>(`/compute/jobs/${id}/status`);
        holds(
          ["complete", "cancelled"].includes(status) || error?.code === "interrupted",
          `how ${id} ended: ${status} ${error?.code}`,
        );
        const told = await one.events(`/compute/jobs/${id}/stream`, 0);
        same(told.map(({ seq }) => seq), told.map((_, n) => n + 1), `numbers of ${id}'s events`);
      }
    },
  };
};
