/** `ctx`: what a handler is given, over the port of its tick. It is dead as soon as the hook has ended. */
import { FileError } from "../fs/error.ts";
import type { AgentContext, AgentKv } from "../core/agent.ts";
import type { HookRun, TickPort } from "../core/host.ts";
import { type EnvelopeId, isoTime, type Timestamp, timestamp } from "../core/id.ts";
import { agentEnv } from "./env.ts";
import { type HookLife, hookLife } from "./life.ts";
import { logText } from "./log.ts";
import { jsonCopy } from "./plain.ts";
import { type SeededRandom, seededRandom } from "./random.ts";

export interface LiveContext {
  readonly ctx: AgentContext;
  readonly life: HookLife;
  /** The state as the handler left it, also after the end. */
  state(): unknown;
}

/**
 * A context over `port`, its chance seeded by `seed`. After `life.end()`, or when the port's signal aborts, its calls reject and the rest throws with `not_ready`;
 * `agent`, `tick` and `signal` stay readable.
 */
export function makeContext(
  run: HookRun,
  port: TickPort,
  state: unknown,
  seed: () => Uint8Array,
): LiveContext {
  const life = hookLife(port.signal);
  const { call, effect, mustLive } = life;
  const chance = chanceOf(seed, life);
  const now = timestamp(run.tick.now);
  let current = state;

  const ctx: AgentContext = {
    agent: run.agent,
    tick: {
      id: run.tick.id,
      envelope_id: run.tick.envelope_id,
      attempt: run.tick.attempt,
    },
    get state() {
      mustLive("read state");
      return current;
    },
    set state(value) {
      mustLive("change state");
      current = value;
    },
    env: agentEnv(port.files, life),
    kv: agentKv(port, life),
    seen: (id) => call("seen", () => port.seen(text(id, "seen", "id"))),
    markSeen: (id) => effect("markSeen", () => port.markSeen(text(id, "markSeen", "id"))),
    send: (agent, payload) =>
      effect("send", async () => {
        const id = await port.send(text(agent, "send", "agent"), jsonCopy(payload, "send"));
        return id as EnvelopeId;
      }),
    reply: (payload, options = {}) =>
      effect("reply", () => {
        const to = options.to === undefined ? undefined : text(options.to, "reply", "to");
        return port.reply(jsonCopy(payload, "reply"), to);
      }),
    broadcast: (event, data = null) =>
      effect(
        "broadcast",
        () => port.broadcast(text(event, "broadcast", "event"), jsonCopy(data, "broadcast")),
      ),
    alarm: (when, payload = null) =>
      effect("alarm", () => port.alarm(dueTime(when, now), jsonCopy(payload, "alarm"))),
    cron: (expression, payload = null) =>
      effect(
        "cron",
        () => port.cron(text(expression, "cron", "expression"), jsonCopy(payload, "cron")),
      ),
    cancelAlarm: (id) =>
      effect("cancelAlarm", () => port.cancelAlarm(text(id, "cancelAlarm", "id"))),
    now() {
      mustLive("now");
      return now;
    },
    ...chance,
    budget: {
      get remaining_micro_usd() {
        mustLive("read budget");
        return port.remainingMicroUsd;
      },
    },
    log: {
      debug: (...parts) => log("debug", parts),
      info: (...parts) => log("info", parts),
      warn: (...parts) => log("warn", parts),
      error: (...parts) => log("error", parts),
    },
    signal: port.signal,
  };

  function log(level: "debug" | "info" | "warn" | "error", parts: unknown[]): void {
    mustLive("log");
    port.log(level, logText(parts));
  }

  return { ctx, life, state: () => current };
}

function agentKv(port: TickPort, life: HookLife): AgentKv {
  const name = (value: unknown) => text(value, "use kv", "name");
  return {
    get: <T>(key: string) => life.call("kv.get", () => port.kvGet(name(key)) as Promise<T>),
    set: (key, value) =>
      life.effect("kv.set", () => port.kvSet(name(key), jsonCopy(value, "kv.set"))),
    delete: (key) => life.effect("kv.delete", () => port.kvDelete(name(key))),
    list: <T>(prefix = "") =>
      life.call(
        "kv.list",
        () => port.kvList(name(prefix)) as Promise<{ name: string; value: T }[]>,
      ),
  };
}

function chanceOf(seed: () => Uint8Array, life: HookLife): SeededRandom {
  let made: SeededRandom | undefined;
  const seeded = (op: string) => {
    life.mustLive(op);
    return made ??= seededRandom(seed());
  };
  return { random: () => seeded("random").random(), uuid: () => seeded("uuid").uuid() };
}

/** @throws FileError `invalid_request` */
function dueTime(when: unknown, now: Timestamp): number {
  const due = when instanceof Date
    ? when.getTime()
    : typeof when === "number"
    ? now + Math.ceil(when)
    : NaN;
  try {
    return timestamp(due);
  } catch {
    const detail = `an alarm is a delay in milliseconds or a Date, as in ctx.alarm(60_000); ` +
      `this tick's time is ${isoTime(now)}`;
    throw new FileError("invalid_request", "alarm", logText([when]).slice(0, 100), { detail });
  }
}

/** @throws FileError `invalid_request` */
function text(value: unknown, op: string, what: string): string {
  if (typeof value === "string") return value;
  throw new FileError("invalid_request", op, "ctx", { detail: `${what} is a string` });
}
