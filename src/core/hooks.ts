/** Runs an agent's hooks in its host, on the effects of a try. */
import { FileError } from "../fs/error.ts";
import type { AgentCode, AgentHost, AgentInstance, Hook, HookResult } from "./host.ts";
import type { Effects } from "./effects.ts";
import type { Live } from "./live.ts";
import type { Trigger } from "./trigger.ts";
import { failureOf } from "./result.ts";
import { key } from "./keys.ts";
import { readLarge } from "./blob.ts";

/** How long `onError` may take. */
const ON_ERROR_MS = 5_000;

/** `onWake` where the agent has just been loaded, then `onTrigger`. A failure leaves nothing of the instance: it is not trusted any more. */
export async function runTrigger(
  live: Live,
  effects: Effects,
  trigger: Trigger,
  host: AgentHost,
): Promise<HookResult> {
  const stop = live.backend.timer(live.record.limits.max_tick_ms, () => effects.abort.abort());
  try {
    const instance = await wake(live, host);
    let state = live.state;
    let first: HookResult | undefined;
    if (live.justWoken && instance.hooks.includes("onWake")) {
      first = await runHook(live, effects, "onWake", state);
      state = first.state;
    }
    const last = await runHook(live, effects, "onTrigger", state, trigger);
    return {
      ...last,
      should_hibernate: last.should_hibernate || first?.should_hibernate === true,
    };
  } catch (error) {
    await runOnError(live, effects, error);
    await throwAway(live);
    throw error;
  } finally {
    stop();
  }
}

/** Loads the agent's code if it is not loaded. */
export async function wake(live: Live, host: AgentHost): Promise<AgentInstance> {
  if (live.instance?.alive) return live.instance;
  live.instance = await host.start(codeOf(live), live.record.limits);
  live.justWoken = true;
  return live.instance;
}

function codeOf(live: Live): AgentCode {
  const { agent, code_digest } = live.record;
  if (agent.kind === "builtin") return agent;
  return {
    kind: "module",
    digest: code_digest,
    async source() {
      const source = await readLarge(live.storage, key.code);
      if (source) return source;
      throw new FileError("corrupt", "load", code_digest, { detail: "the agent's code is gone" });
    },
  };
}

/** After a failed try nothing of the instance is trusted. */
async function throwAway(live: Live): Promise<void> {
  const instance = live.instance;
  live.instance = undefined;
  await instance?.stop().catch(() => {});
}

/** Runs one hook of the loaded code on the effects of a tick. */
export async function runHook(
  live: Live,
  effects: Effects,
  hook: Hook,
  state: string | undefined,
  trigger?: Trigger,
): Promise<HookResult> {
  return await runHookOf(live.instance!, live, effects, hook, state, trigger);
}

/** The same for an instance that is not, or not yet, the agent's own. */
export async function runHookOf(
  instance: AgentInstance,
  live: Live,
  effects: Effects,
  hook: Hook,
  state: string | undefined,
  trigger?: Trigger,
  from?: number,
): Promise<HookResult> {
  const { frame } = effects;
  return await instance.run({
    hook,
    agent: { id: live.id, name: live.record.name, config: live.record.config },
    tick: {
      id: frame.tickId,
      envelope_id: frame.envelopeId,
      attempt: frame.attempt,
      now: frame.now,
    },
    state,
    ...(trigger ? { trigger } : {}),
    ...(from === undefined ? {} : { from }),
    limits: live.record.limits,
  }, effects.port);
}

/** The author's `onError` may log; whatever else it does is dropped with the try. */
async function runOnError(live: Live, effects: Effects, error: unknown): Promise<void> {
  const instance = live.instance;
  if (!instance?.alive || !instance.hooks.includes("onError") || effects.abort.signal.aborted) {
    return;
  }
  const abort = new AbortController();
  const stop = live.backend.timer(ON_ERROR_MS, () => abort.abort());
  const { frame } = effects;
  try {
    await instance.run({
      hook: "onError",
      agent: { id: live.id, name: live.record.name, config: live.record.config },
      tick: {
        id: frame.tickId,
        envelope_id: frame.envelopeId,
        attempt: frame.attempt,
        now: frame.now,
      },
      state: live.state,
      error: failureOf(error),
      limits: live.record.limits,
    }, { ...effects.port, signal: abort.signal });
  } catch (again) {
    effects.port.log("error", `onError failed: ${failureOf(again).message}`);
  } finally {
    stop();
  }
}
