/** The agent of the simulation: does what a message says, all of it in one tick, and keeps in its state what it believes to have done. */
import type { Agent, AgentContext } from "../../src/core/agent.ts";
import type { Json } from "../../src/core/envelope.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import { agent, type Door } from "../../conformance/ticks/scene.ts";
import { SHOP, type Wish } from "../../conformance/ticks/shop.ts";
import { codeOf } from "../../src/fs/error.ts";

/** One thing that a message asks for. */
export type Deed =
  | { readonly deed: "fail"; readonly tries: number }
  | { readonly deed: "wait" }
  | { readonly deed: "reply" }
  | { readonly deed: "send"; readonly to: string; readonly does: readonly Deed[] }
  | { readonly deed: "alarm"; readonly ms: number }
  | { readonly deed: "cancel" }
  | { readonly deed: "buy" | "order"; readonly wish: Omit<Wish, "item"> };

export interface Order {
  readonly does: readonly Deed[];
  /** Makes it large. */
  readonly pad?: string;
}

export interface Bought {
  readonly item: string;
  /** `got`, or the code of a refusal. */
  readonly answer: string;
}

/** Its state. */
export interface Memory {
  /** Ticks that have committed. */
  n: number;
  /** Their envelopes, with who sent them. */
  done: [id: string, sender: string][];
  /** Envelope ids by receiver. */
  sent: Record<string, string[]>;
  alarms: { id: string; due: number }[];
  cancelled: string[];
  bought: Bought[];
  jobs: string[];
}

export const NOTHING: Memory = {
  n: 0,
  done: [],
  sent: {},
  alarms: [],
  cancelled: [],
  bought: [],
  jobs: [],
};

/** What ends with "!" may be asked for again by a retry. */
function itemOf(ctx: AgentContext, { fails }: Omit<Wish, "item">, i: number): string {
  return `${ctx.agent.id} ${ctx.tick.envelope_id} ${i}${fails === RETRIED ? "!" : ""}`;
}

/** A wish is answered with what came of it; what a retry may get, it is thrown. */
const RETRIED = "provider_unavailable";

export const AS_ASKED = "as asked";

/** @param gate where those wait whom a message told to */
export function worker(gate: () => Door): Agent {
  return agent(async (ctx, trigger) => {
    const memory: Memory = ctx.state = { ...structuredClone(NOTHING), ...ctx.state };
    memory.n++;
    memory.done.push([trigger.meta.envelope_id, senderIn(trigger)]);
    await ctx.kv.set("n", memory.n);
    await ctx.env.write("/files/n", `${memory.n}`);
    await ctx.broadcast("ticked", memory.n);
    const does = doesOf(trigger);
    for (const [i, deed] of does.entries()) await act(ctx, memory, deed, i, gate());
    for (const each of does) {
      if (each.deed === "fail" && ctx.tick.attempt <= each.tries) throw new Error(AS_ASKED);
    }
  });
}

function senderIn(trigger: Trigger): string {
  return trigger.type === "message" ? trigger.from : trigger.type;
}

function doesOf(trigger: Trigger): readonly Deed[] {
  if (trigger.type !== "message") return [];
  const { payload } = trigger;
  if (payload.kind !== "json" && payload.kind !== "agent_message") return [];
  return (payload.data as unknown as Order).does ?? [];
}

async function act(
  ctx: AgentContext,
  memory: Memory,
  deed: Deed,
  i: number,
  gate: Door,
): Promise<void> {
  switch (deed.deed) {
    case "wait":
      return await gate.pass(ctx);
    case "reply":
      return await ctx.reply({ to: ctx.tick.envelope_id });
    case "send": {
      const id = await ctx.send(deed.to, { does: deed.does } as unknown as Json);
      (memory.sent[deed.to] ??= []).push(id);
      return;
    }
    case "alarm": {
      const id = await ctx.alarm(deed.ms, ctx.tick.envelope_id);
      memory.alarms.push({ id, due: ctx.now() + deed.ms });
      return;
    }
    case "cancel": {
      const last = memory.alarms.at(-1)?.id;
      if (last !== undefined && await ctx.cancelAlarm(last)) memory.cancelled.push(last);
      return;
    }
    case "buy":
    case "order": {
      const wish = { ...deed.wish, item: itemOf(ctx, deed.wish, i) };
      await shop(ctx, memory, deed.deed, wish as unknown as Wish);
    }
  }
}

async function shop(
  ctx: AgentContext,
  memory: Memory,
  how: "buy" | "order",
  wish: Wish,
): Promise<void> {
  try {
    const file = how === "buy" ? "buy" : "new";
    const got = await ctx.env.call<{ job_id?: string }>(`${SHOP}/${file}`, wish as unknown as Json);
    if (got.job_id) memory.jobs.push(got.job_id);
    else memory.bought.push({ item: wish.item, answer: "got" });
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || code === RETRIED) throw error;
    // What nobody foresaw is no part of the story.
    if (!["budget_exceeded", "interrupted", "invalid_request"].includes(code)) throw error;
    memory.bought.push({ item: wish.item, answer: code });
  }
}
