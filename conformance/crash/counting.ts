/** Agents whose every effect is the same count, and the naive model that they are held against. */
import type { AgentContext } from "../../src/core/agent.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import { same } from "../expect.ts";
import { agent, said, type Scene } from "../ticks/scene.ts";
import type { TickSubject } from "../ticks/subject.ts";

/** All that a message does, each thing a count of the same. */
async function count(ctx: AgentContext, text: string): Promise<void> {
  const n: number = (ctx.state.count ?? 0) + 1;
  ctx.state.count = n;
  ctx.state.heard = [...ctx.state.heard ?? [], text];
  await ctx.kv.set("count", n);
  await ctx.kv.set(`heard-${n}`, text);
  await ctx.env.append("/files/log", `${n}\n`);
  await ctx.env.write(`/goals/g${n}.json`, { description: text });
  await ctx.reply(n);
  await ctx.broadcast("counted", n);
  await ctx.send("two", n);
  await ctx.alarm(1_000, n);
  await ctx.markSeen(`mark ${n}`);
}

/** Does all of it for each message, rings for each alarm, and fails when it is told to. */
export async function counting(ctx: AgentContext, trigger: Trigger): Promise<void> {
  const text = said(trigger).slice(0, 20);
  if (trigger.type === "alarm") {
    ctx.state.rang = [...ctx.state.rang ?? [], trigger.payload as number];
    return;
  }
  if (trigger.type !== "message") return;
  await count(ctx, text);
  if (text === "fails once" && ctx.tick.attempt === 1) throw new Error("once");
  if (text === "fails") throw new Error("always");
}

/** Keeps what it hears. */
export const remembering = agent((ctx, trigger) => {
  if (trigger.type === "message") ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
});

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** What `counting` leaves after so many messages that committed: every count is the same count. */
export async function checkCounts(s: Scene, want: readonly string[]): Promise<void> {
  const one = s.at("one");
  const state = await one.state() as { count: number; heard: string[]; rang: number[] };
  const n = want.length;
  same([...state.heard].sort(), [...want].sort(), "what was heard, each once");
  same(state.count, n, "the count in the state");
  same(await one.json("/kv/count"), n, "the count in KV");
  for (const [i, text] of state.heard.entries()) {
    same(await one.json(`/kv/heard-${i + 1}`), text, `what KV keeps of ${i + 1}`);
  }
  same(await one.read("/files/log"), numbers(n).map((i) => `${i}\n`).join(""), "the file");
  same((await one.names("/goals")).length, n, "goals");
  const outbox = await one.events("/outbox");
  const replies = outbox.filter(({ type }) => type === "reply").map(({ payload }) => payload);
  same(replies, numbers(n).map((data) => ({ kind: "json", data })), "replies");
  const events = outbox.filter(({ type }) => type === "event").map(({ data }) => data);
  same(events, numbers(n), "events");
  same(outbox.map(({ seq }) => seq), numbers(2 * n), "numbers of events");
  same([...state.rang ?? []].sort((a, b) => a - b), numbers(n), "alarms that rang, each once");
  const two = await s.at("two").state() as { heard?: string[] };
  same(
    two.heard ?? [],
    numbers(n).map(String),
    "messages to another agent, each once and in order",
  );
}

/** Nothing waits, nothing is half done. */
export async function checkNothingLeft(s: Scene, subject: TickSubject): Promise<void> {
  for (const { id } of await s.answer(() => s.runtime.list({}))) {
    const rows = await subject.backend.storage(id).list({ prefix: "" });
    const left = rows.map(({ key }) => key)
      .filter((key) => /^(inbox|send|try|retry|alarm|alarmid|draft|blob)\//.test(key));
    same(left, [], `rows of work that are left of ${id}`);
  }
  const open = await subject.backend.storage("@registry").list({ prefix: "open/" });
  same(open.map(({ key }) => key), [], "agents that are half made or half ended");
}

/** The order in which one sender's messages were heard. */
export function inOrder(heard: readonly string[], sent: readonly string[]): void {
  same(heard.filter((text) => sent.includes(text)), sent, "one sender's messages, in order");
}

/** What an agent that keeps what it hears has heard. */
export async function heardBy(s: Scene, id: string): Promise<string[]> {
  const { heard = [] } = await s.at(id).state() as { heard?: string[] };
  return heard;
}
