/** Runtimes that run agents' code in a way that is broken on purpose: each with laws that it breaks. */
import type { Parts } from "../../../conformance/ticks.ts";
import { encodeJson } from "../../../src/core/code.ts";
import type { AgentInstance, HookResult, HookRun, TickPort } from "../../../src/core/host.ts";
import { key } from "../../../src/core/keys.ts";
import { FileError } from "../../../src/fs/error.ts";
import { makeContext } from "../../../src/hosts/context.ts";
import { type BrokenTicks, hooks, instances, ports, type TickSpoil } from "./tick_spoil.ts";

/** Whoever comes waits for all who came before. */
function oneAtATime(): TickSpoil {
  let last: Promise<unknown> = Promise.resolve();
  return hooks((next, run, port) => {
    const done = last.then(() => next(run, port));
    last = done.catch(() => {});
    return done;
  });
}

/** The first agent that comes has all its turns before anybody else has one. */
function favours(): TickSpoil {
  let favourite: string | undefined;
  let turns = 0;
  let open = () => {};
  const others = new Promise<void>((resolve) => (open = resolve));
  return hooks(async (next, run, port) => {
    if (run.hook !== "onTrigger") return await next(run, port);
    favourite ??= run.agent.id;
    if (run.agent.id !== favourite) await others;
    else if (++turns === 3) open();
    return await next(run, port);
  });
}

function putNow({ backend }: Parts, run: HookRun, at: string, value: unknown): Promise<void> {
  const put = [{ key: at, value: encodeJson(value) }];
  return backend.storage(run.agent.id).commit({ check: [], remove: [], put });
}

/** The envelope is taken out of the inbox when its tick begins. */
function takesEarly(): TickSpoil {
  return hooks(async (next, run, port, { backend }) => {
    const storage = backend.storage(run.agent.id);
    const waiting = await storage.list({ prefix: "inbox/" });
    const mine = waiting.filter(({ value }) =>
      new TextDecoder().decode(value).includes(run.tick.envelope_id)
    );
    await storage.commit({ check: [], remove: mine.map(({ key }) => key), put: [] });
    return await next(run, port);
  });
}

/** A context that works for ever, and goes to the rows when its tick is over. */
function livesOn(): TickSpoil {
  return {
    host: (host, parts) => ({
      async start(code, limits) {
        const instance = await host.start(code, limits);
        const agent = parts.agents[code.kind === "builtin" ? code.name : ""]!;
        const run = async (run: HookRun, port: TickPort): Promise<HookResult> => {
          if (run.hook !== "onTrigger") return await instance.run(run, port);
          const state = run.state === undefined ? {} : JSON.parse(run.state);
          const always = { ...port, signal: new AbortController().signal };
          const { ctx } = makeContext(
            run,
            {
              ...always,
              kvSet: (name, value) =>
                port.kvSet(name, value).catch(() => putNow(parts, run, key.kv(name), value)),
            },
            state,
            () => new Uint8Array(32),
          );
          await agent.onTrigger(ctx, run.trigger!);
          return { state: JSON.stringify(state), should_hibernate: false, pending: false };
        };
        return Object.create(instance, { run: { value: run } });
      },
    }),
  };
}

/** One store of KV for all agents. */
function sharesKv(): TickSpoil {
  const kv = new Map<string, unknown>();
  return ports(() => ({
    kvGet: (name) => Promise.resolve(kv.get(name) as never),
    kvSet: (name, value) => Promise.resolve(void kv.set(name, value)),
  }));
}

/** What is refused is not kept, and nobody is told. */
const swallows = hooks(async (next, run, port) => {
  try {
    return await next(run, port);
  } catch (error) {
    if (!(error instanceof FileError) || error.path !== "state") throw error;
    return { state: run.state ?? "{}", should_hibernate: false, pending: false };
  }
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]),
  );
}

/** The same instance is handed out again, whatever became of it. */
function reuses(): TickSpoil {
  let kept: AgentInstance | undefined;
  return {
    host: (host) => ({
      async start(code, limits) {
        const instance = await host.start(code, limits);
        const hooks = kept ? instance.hooks.filter((hook) => hook !== "onWake") : instance.hooks;
        return kept = Object.create(instance, { hooks: { value: hooks } });
      },
    }),
  };
}

const without = (...names: string[]) =>
  instances((instance) => ({ hooks: instance.hooks.filter((hook) => !names.includes(hook)) }));

const nothing = () => Promise.resolve();

export const brokenCode: readonly BrokenTicks[] = [
  ["runs a handler twice at once", "T1", () =>
    hooks(async (next, run, port) => {
      const [result] = await Promise.all([next(run, port), next(run, port)]);
      return result;
    })],
  ["lets one agent tick at a time", "T2", oneAtATime],
  ["favours one agent", "T3", favours],
  ["writes KV at once", "T9 T10 T11", () =>
    ports((port, run, parts) => ({
      async kvSet(name, value) {
        await putNow(parts, run, key.kv(name), value);
        await port.kvSet(name, value);
      },
    }))],
  ["takes an envelope out when its tick begins", "T11 T14", takesEarly],
  ["lets a context live on", "T12", livesOn],
  ["shares KV among agents", "T13", sharesKv],
  ["does not say which envelope it was", "T18", () =>
    hooks((next, run, port) => {
      const { trigger } = run;
      if (!trigger) return next(run, port);
      const { envelope_id: _, ...meta } = trigger.meta;
      return next({ ...run, trigger: { ...trigger, meta } as typeof trigger }, port);
    })],
  ["has never seen anything", "T19", () => ports(() => ({ seen: () => Promise.resolve(false) }))],
  [
    "lets time go on between tries",
    "T26",
    () =>
      hooks((next, run, port) =>
        next({ ...run, tick: { ...run.tick, now: run.tick.now + run.tick.attempt } }, port)
      ),
  ],
  ["does not tell onError", "T33", () => without("onError")],
  ["swallows states that are refused", "T34", () => swallows],
  ["uses a failed instance again", "T28", reuses],
  [
    "drops events",
    "T37",
    () =>
      hooks((next, run, port) =>
        run.trigger?.type === "event"
          ? Promise.resolve({ state: run.state ?? "{}", should_hibernate: false, pending: false })
          : next(run, port)
      ),
  ],
  [
    "swallows what another agent sent when it is tried again",
    "T41",
    () =>
      hooks((next, run, port) =>
        run.trigger?.meta.source.kind === "agent" && run.tick.attempt > 1
          ? Promise.resolve({ state: run.state ?? "{}", should_hibernate: false, pending: false })
          : next(run, port)
      ),
  ],
  [
    "does not send while an agent is made",
    "T39",
    () =>
      ports((port, { hook }) =>
        hook === "onCreate" ? { send: () => Promise.resolve("msg:x") } : port
      ),
  ],
  [
    "rings a little late",
    "T42",
    () => ports((port) => ({ alarm: (due, payload) => port.alarm(due + 1, payload) })),
  ],
  ["takes no alarm in the past", "T43", () =>
    ports((port, run) => ({
      alarm: (due, payload) =>
        due <= run.tick.now
          ? Promise.reject(new FileError("invalid_request", "alarm", "ctx"))
          : port.alarm(due, payload),
    }))],
  ["fires a cron once", "T45", () =>
    ports((port, run) => ({
      cron: (_, payload) => port.alarm(run.tick.now + 5_400_000, payload),
    }))],
  ["does not cancel", "T46", () => ports(() => ({ cancelAlarm: () => Promise.resolve(true) }))],
  [
    "answers everybody",
    "T48",
    () => ports((port) => ({ reply: (payload) => port.broadcast("reply", payload) })),
  ],
  [
    "does not wait for a later reply",
    "T50",
    () => hooks(async (next, run, port) => ({ ...await next(run, port), pending: false })),
  ],
  ["knows no onSleep", "T60", () => without("onSleep")],
  [
    "lets onSleep write nothing",
    "T61",
    () => ports((port, { hook }) => hook === "onSleep" ? { kvSet: nothing } : port),
  ],
  ["sorts what is in a state", "T62", () =>
    hooks(async (next, run, port) => {
      const result = await next(run, port);
      return { ...result, state: JSON.stringify(sorted(JSON.parse(result.state))) };
    })],
];
