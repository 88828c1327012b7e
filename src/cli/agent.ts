/** The verbs on agents as a whole: list, status, delete, and the words of `/ctl`. */
import type { Failure, LifecycleState, TickResult } from "../core/agent.ts";
import type { Json } from "../core/envelope.ts";
import type { AgentInfo, RuntimeStatus } from "../core/runtime.ts";
import type { ControlWord } from "../core/view.ts";
import {
  type Action,
  answer,
  arg,
  type Call,
  maybeArg,
  option,
  printJson,
  withProgress,
} from "./call.ts";
import { EXIT, trouble, usage, withFrames } from "./exit.ts";
import { ago, clip, count, dollars, facts, safeLine, size, span, table } from "./print.ts";
import { forgetSource, ownHome } from "./sources.ts";
import type { Paint, Style } from "./terminal.ts";
import { idOf } from "./target.ts";

/** Longer messages are in the logs. */
const MAX_ERROR_COLUMNS = 300;

/** All agents, or those in one state. */
export const list: Action = async (call) => {
  const state = option<LifecycleState>(call, "state");
  const agents = await withProgress(
    call,
    "listing agents",
    Array.fromAsync(call.server().all(state === undefined ? {} : { state })),
  );
  answer(call, agents, () => agents.length === 0 ? [none(call, state)] : listed(call, agents));
};

function none(call: Call, state: LifecycleState | undefined): string {
  if (state) return `No agent is ${state}.`;
  return `No agents yet. Make one: ${call.program} create bob counter, or ${call.program} init bot`;
}

function listed(call: Call, agents: readonly AgentInfo[]): string[] {
  const now = Date.now();
  const { paint } = call.terminal;
  return table(
    [
      { title: "ID" },
      { title: "AGENT" },
      { title: "STATE" },
      { title: "TICKS", right: true },
      { title: "QUEUE", right: true },
      { title: "DEAD", right: true },
      { title: "LAST TICK" },
      { title: "NEXT ALARM" },
    ],
    agents.map((a) => [
      paint("bold", a.id),
      safeLine(a.agent),
      paintState(paint, a.state),
      String(a.tick_count),
      String(a.queue_depth),
      a.dead_letters > 0 ? paint("yellow", String(a.dead_letters)) : "0",
      ago(a.last_tick_at, now),
      a.next_alarm === null ? "-" : ago(a.next_alarm, now),
    ]),
    paint,
  );
}

const STATE_STYLES: Partial<Record<LifecycleState, Style>> = {
  active: "green",
  dormant: "dim",
  paused: "yellow",
  failed: "red",
};

function paintState(paint: Paint, state: LifecycleState): string {
  const style = STATE_STYLES[state];
  return style ? paint(style, state) : state;
}

/** The server, or one agent. */
export const status: Action = async (call) => {
  const named = maybeArg(call, "id");
  const id = named === undefined ? undefined : idOf(named);
  const server = call.server();
  if (id === undefined) {
    const found = await withProgress(call, "asking the server", server.status());
    return answer(call, { url: server.url, ...found }, () => serverFacts(call, server.url, found));
  }
  const info = await withProgress(call, `asking for ${id}`, server.info(id));
  answer(call, info, () => agentFacts(call, info));
};

function serverFacts(call: Call, url: string, s: RuntimeStatus): string[] {
  const { paint } = call.terminal;
  return facts([
    ["server", `${url}${s.paused ? paint("yellow", "   paused") : ""}`],
    ["up", span(s.uptime_ms)],
    ["agents", `${s.agents} · ${s.states.active} active · ${s.ticking} ticking · ${s.due} due`],
    ["since start", `${count(s.ticks, "tick")} · ${count(s.envelopes, "envelope")}`],
  ], paint);
}

function agentFacts(call: Call, a: AgentInfo): string[] {
  const { paint } = call.terminal;
  const now = Date.now();
  const cause = a.last_tick_cause === null ? "" : `   ${safeLine(a.last_tick_cause)}`;
  return facts([
    ["agent", `${paint("bold", a.id)} (${safeLine(a.agent)})   ${paintState(paint, a.state)}`],
    ...(a.name === a.id ? [] : [["name", safeLine(a.name)] as const]),
    ["created", ago(a.created_at, now)],
    ["ticks", `${a.tick_count}   last ${ago(a.last_tick_at, now)}${cause}`],
    ["queue", `${a.queue_depth} waiting · ${count(a.dead_letters, "dead letter")}`],
    ["next alarm", a.next_alarm === null ? "none" : ago(a.next_alarm, now)],
    ...(a.last_error === null ? [] : [
      [
        "last error",
        paint("red", `${a.last_error.code}: ${clip(safeLine(a.last_error.message), 200)}`) +
        `   ${ago(a.last_error.at, now)}`,
      ] as const,
    ]),
    ...(a.rests_until === undefined ? [] : [
      ["rests", `until ${a.rests_until}: it has used up max_daily_compute_ms`] as const,
    ]),
    ...moneyFacts(a.budget),
    ["storage", size(a.storage_bytes)],
    ["key", a.npub],
  ], paint);
}

/** What it has spent today; nothing of one that may spend nothing. */
function moneyFacts(budget: Json): (readonly [string, string])[] {
  const { spent_micro_usd, limit_micro_usd } = budget as Readonly<Record<string, number>>;
  if (!limit_micro_usd && !spent_micro_usd) return [];
  return [["spent", `${dollars(spent_micro_usd ?? 0)} of ${dollars(limit_micro_usd ?? 0)} today`]];
}

/** Ends an agent and removes all that it had. */
export const remove: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const server = call.server();
  await withProgress(call, `deleting ${id}`, server.delete(id));
  const home = ownHome(call, server.url);
  if (home) forgetSource(home, id);
  answer(call, { deleted: id }, () => [`${id} deleted`]);
};

/** One tick now; prints how it went. */
export const tick: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const server = call.server();
  const result = await withProgress(
    call,
    `waiting for ${id}`,
    server.control(id, "tick", call.signal),
  );
  if (!result) throw trouble(EXIT.failed, `${id}: the server did not say how the tick went`);
  if (!result.success) throw tickFailed(call, id, result, logsHint(call, id));
  answer(call, result, () => [
    `${id} ticked   ${call.terminal.paint("dim", tickWords(result))}`,
  ]);
};

/** `6 ms · 1 message · next alarm in 3 s` */
export function tickWords(result: TickResult): string {
  return [
    span(result.duration_ms),
    ...(result.messages_sent > 0 ? [count(result.messages_sent, "message")] : []),
    ...(result.events_emitted > 0 ? [count(result.events_emitted, "event")] : []),
    ...(result.next_alarm ? [`next alarm ${ago(result.next_alarm, Date.now())}`] : []),
  ].join(" · ");
}

/** The error of a tick that failed; with --json its result is printed all the same. */
export function tickFailed(call: Call, id: string, result: TickResult, hint?: string): Error {
  if (call.json) printJson(call, result);
  const failure: Failure = result.error ?? { code: "agent_error", message: "the tick failed" };
  const message = clip(safeLine(failure.message), MAX_ERROR_COLUMNS);
  const line = `${id} failed: ${message} (${failure.code})`;
  return withFrames(trouble(EXIT.failed, line, hint), failure.stack);
}

/** Where to look for more. */
export function logsHint(call: Call, id: string): string {
  return `See: ${call.program} logs ${id}`;
}

const DONE: Record<Exclude<ControlWord, "tick">, string> = {
  hibernate: "sleeps",
  wake: "is awake",
  pause: "paused",
  resume: "resumed",
};

/** `hibernate`, `wake`. */
export function control(word: Exclude<ControlWord, "tick">): Action {
  return async (call) => {
    const id = idOf(arg(call, "id"));
    await withProgress(call, `${word} ${id}`, call.server().control(id, word, call.signal));
    answer(call, { id, done: word }, () => [`${id} ${DONE[word]}`]);
  };
}

/** `pause` and `resume`, of one agent or of all. */
export function controlAll(word: "pause" | "resume"): Action {
  const one = control(word);
  return async (call) => {
    const all = option(call, "all") === true;
    const named = maybeArg(call, "id") !== undefined;
    if (all === named) {
      throw usage(
        all ? "--all and an agent's id exclude each other" : "Which agent?",
        `${call.program} ${word} bob, or ${call.program} ${word} --all`,
      );
    }
    if (named) return await one(call);
    const server = call.server();
    const doing = word === "pause" ? server.pauseAll() : server.resumeAll();
    await withProgress(call, `${word} all`, doing);
    answer(call, { all: true, done: word }, () => [`all agents ${DONE[word]}`]);
  };
}
