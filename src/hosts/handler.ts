/** One hook of an agent, run from its stored state to its next one; the same in every host. */
import { FileError } from "../fs/error.ts";
import type { Agent, AgentContext } from "../core/agent.ts";
import type { HookResult, HookRun, TickPort } from "../core/host.ts";
import { makeContext } from "./context.ts";
import { cut, errorText } from "./log.ts";
import { nameKind } from "./plain.ts";
import { agentStack, shortUrls } from "./stack.ts";
import { loadState, parseState, sealState } from "./state.ts";

/**
 * Runs one hook; a hook that the agent does not have changes nothing, but its state is still held against the schema (so `migrate`
 * of an agent without one validates). Nothing of the context works afterwards.
 * @param seed of `ctx.random()` and `ctx.uuid()`, asked for when one of them is: `seedOf(run)`
 * @throws FileError `agent_error` (whatever the agent threw, in `detail`, its stack in `cause`), `timeout` as soon as the port's
 * signal aborts, even if the handler never ends, `out_of_memory`, `corrupt` (the stored state is not JSON)
 */
export function runHook(
  agent: Agent,
  run: HookRun,
  port: TickPort,
  seed: () => Uint8Array,
): Promise<HookResult> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      const detail = "it was ended before its handler was done";
      reject(new FileError("timeout", "run", placeOf(run), { detail }));
    };
    if (port.signal.aborted) return stop();
    port.signal.addEventListener("abort", stop);
    perform(agent, run, port, seed).then(resolve, reject).finally(() => {
      port.signal.removeEventListener("abort", stop);
    });
  });
}

async function perform(
  agent: Agent,
  run: HookRun,
  port: TickPort,
  seed: () => Uint8Array,
): Promise<HookResult> {
  try {
    if (run.hook === "migrate") return await migrate(agent, run);
    const state = await loadState(run.state, agent.state);
    const live = makeContext(run, port, state, seed);
    let outcome: unknown;
    try {
      outcome = await invoke(agent, run, live.ctx);
      await live.life.settle();
    } catch (error) {
      throw agentFault(error, run);
    } finally {
      live.life.end();
    }
    const kept = await sealState(live.state(), agent.state, run.limits.max_state_bytes);
    return { state: kept, ...outcomeOf(outcome, run) };
  } catch (error) {
    throw error instanceof FileError ? error : agentFault(error, run);
  }
}

/** The old state has the old code's form, so the schema sees only what comes out. */
async function migrate(agent: Agent, run: HookRun): Promise<HookResult> {
  let state: unknown;
  if (run.state === undefined) state = await loadState(undefined, agent.state);
  else if (agent.migrate && (run.from ?? 1) < (agent.version ?? 1)) {
    state = await agent.migrate(run.from ?? 1, parseState(run.state));
  } else state = parseState(run.state);
  const kept = await sealState(state, agent.state, run.limits.max_state_bytes);
  return { state: kept, should_hibernate: false, pending: false };
}

function invoke(agent: Agent, run: HookRun, ctx: AgentContext): unknown {
  switch (run.hook) {
    case "onTrigger":
      if (!run.trigger) throw missing(run, "trigger");
      return agent.onTrigger(ctx, run.trigger);
    case "onError":
      if (!run.error) throw missing(run, "error");
      return agent.onError?.(ctx, run.error);
    case "migrate":
      return undefined;
    default:
      return agent[run.hook]?.(ctx);
  }
}

function missing(run: HookRun, what: string): FileError {
  return new FileError("internal", "run", placeOf(run), { detail: `the hook has no ${what}` });
}

/** What only `onTrigger` may answer; what other hooks return is nobody's concern. */
function outcomeOf(outcome: unknown, run: HookRun): Omit<HookResult, "state"> {
  const result = { should_hibernate: false, pending: false };
  if (run.hook !== "onTrigger" || outcome === undefined) return result;
  if (typeof outcome !== "object" || outcome === null || Array.isArray(outcome)) {
    throw badOutcome(run, nameKind(outcome));
  }
  for (const [name, value] of Object.entries(outcome)) {
    if (name !== "should_hibernate" && name !== "pending") {
      throw badOutcome(run, `an object with ${JSON.stringify(cut(name, 60))}`);
    }
    if (value === undefined) continue;
    if (typeof value !== "boolean") throw badOutcome(run, `${name}: ${nameKind(value)}`);
    result[name] = value;
  }
  return result;
}

function badOutcome(run: HookRun, was: string): FileError {
  const detail = `it returned ${was}; a handler returns nothing or { should_hibernate?, pending? }`;
  return new FileError("agent_error", "run", placeOf(run), { detail });
}

/** Whatever agent code threw, as the failure of its hook. */
export function agentFault(error: unknown, run: HookRun): FileError {
  const stack = agentStack(error);
  return new FileError(
    isAllocationFailure(error) ? "out_of_memory" : "agent_error",
    "run",
    placeOf(run),
    {
      detail: shortUrls(errorText(error)),
      ...(stack === undefined ? {} : { cause: stack }),
    },
  );
}

/** V8 refuses a buffer that cannot be had with an error; all else that is too much ends the process. */
function isAllocationFailure(error: unknown): boolean {
  return error instanceof RangeError &&
    /^(?:Array buffer allocation failed|WebAssembly\.Memory\(\): could not allocate)/.test(
      error.message,
    );
}

function placeOf(run: HookRun): string {
  return `${run.agent.id} ${run.hook}`;
}
