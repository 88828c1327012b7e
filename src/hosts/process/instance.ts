/** An agent's code, loaded in a process of its own: runs its hooks, and is thrown away with the first one that fails. */
import { FileError, retold } from "../../fs/error.ts";
import type { Limits } from "../../core/agent.ts";
import type { AgentInstance, HookResult, HookRun, TickPort } from "../../core/host.ts";
import type { AgentFacts } from "../module.ts";
import { seedOf } from "../seed.ts";
import { type Locate, locator } from "../source_map.ts";
import type { Message } from "./channel.ts";
import { hookRunMessage } from "./hook_message.ts";
import { loadAgent } from "./load.ts";
import type { Places, Tenant } from "./places.ts";
import { agentFailure, hookResult } from "./reports.ts";
import { servedPort } from "./served_port.ts";
import type { Subprocess } from "./subprocess.ts";
import { MAX_BODY_BYTES, MAX_IDLE_MESSAGES } from "./values.ts";
import { bytesInMemory, type WatchLimits, watchProcess } from "./watch.ts";
import { breach } from "./wire.ts";

/** How long a process that was just loaded or woken keeps its place without running: its tick is about to go on. */
const HOLD_MS = 10_000;

export interface InstanceOptions {
  readonly places: Places;
  readonly source: Uint8Array;
  readonly digest: string;
  readonly limits: Limits;
  readonly loadMs: number;
}

/** @throws FileError `agent_error`, `timeout`, `out_of_memory` when it does not load, `io` when no process starts */
export async function agentInstance(options: InstanceOptions): Promise<AgentInstance> {
  const { places, source, digest, limits, loadMs } = options;
  const process = await places.take(limits.max_memory_mb);
  await process.ready;
  const watched = { stallMs: limits.max_stall_ms, blankBytes: bytesInMemory(process.pid) };
  const locate = locator(source);
  const facts = await loadAgent({ process, source, digest, loadMs, watched, locate });
  return loadedInstance(process, places, facts, watched, locate);
}

function loadedInstance(
  process: Subprocess,
  places: Places,
  facts: AgentFacts,
  watched: WatchLimits,
  locate: Locate,
): AgentInstance {
  let runs = 0;
  let busy = false;
  /** A hook failed: all that may still run is `onError`. */
  let failed = false;
  let lastUse = performance.now();
  let hold: ReturnType<typeof setTimeout> | undefined;
  keep();
  process.gone.finally(release);

  const tenant: Tenant = {
    process,
    get idle() {
      return !busy && hold === undefined;
    },
    get lastUse() {
      return lastUse;
    },
    evict: () => process.kill(stopped("its place was needed; it starts again when it is due")),
  };
  places.settle(tenant);

  /** Keeps the place for a while, as the next hook of its tick comes at once. */
  function keep(): void {
    release();
    hold = setTimeout(() => {
      hold = undefined;
      places.changed();
    }, HOLD_MS);
    Deno.unrefTimer(hold);
  }

  function release(): void {
    clearTimeout(hold);
    hold = undefined;
  }

  function begin(hook: HookRun, port: TickPort): Promise<HookResult> {
    const { promise, resolve, reject } = Promise.withResolvers<HookResult>();
    const run = ++runs;
    const served = servedPort(port, run, (head, body) => process.send(head, body), locate);
    const watch = watchProcess(process, watched);
    const abort = () => process.kill(timedOut());
    busy = true;
    release();

    function finish(): void {
      watch.stop();
      served.end();
      port.signal.removeEventListener("abort", abort);
      process.listener = undefined;
      process.pause();
      busy = false;
      lastUse = performance.now();
    }

    let stale = 0;
    function countStale(): void {
      if (++stale > MAX_IDLE_MESSAGES) throw breach("a flood of messages of hooks that are over");
    }

    function message(message: Message): void {
      const { head } = message;
      if (head.t === "pong") return watch.take(message);
      if (typeof head.run !== "number" || head.run > run) throw breach("a word of no hook");
      if (head.run < run) return countStale();
      if (head.t === "done") {
        const result = hookResult(message);
        finish();
        if (hook.hook === "onWake") keep();
        resolve(result);
        return places.changed();
      }
      if (head.t !== "threw") return served.take(message);
      failed = true;
      finish();
      reject(agentFailure(head, hook, locate));
      places.changed();
    }

    process.listener = {
      message,
      maxBodyBytes(head) {
        if (head.t === "call") return MAX_BODY_BYTES;
        return head.t === "done" ? hook.limits.max_state_bytes : 0;
      },
      ended(fault) {
        finish();
        release();
        reject(retold(fault, "run", `${hook.agent.id} ${hook.hook}`));
      },
    };
    port.signal.addEventListener("abort", abort);
    process.resume();
    const { head, body } = hookRunMessage(run, hook, seedOf(hook), port.remainingMicroUsd);
    process.send(head, body);
    return promise;
  }

  async function run(hook: HookRun, port: TickPort): Promise<HookResult> {
    if (busy) throw refused("conflict", hook, "another hook of this agent runs");
    if (port.signal.aborted) throw refused("timeout", hook, "it was over before it began");
    const last = failed;
    if (last && hook.hook !== "onError") process.kill(stopped("an earlier hook of it failed"));
    if (!process.alive) throw refused("not_ready", hook, "its process has ended");
    try {
      return await begin(hook, port);
    } finally {
      if (last) process.kill(stopped("a hook of it failed"));
    }
  }

  return {
    ...facts,
    get alive() {
      return process.alive;
    },
    run,
    async stop() {
      release();
      process.kill(stopped("the agent was stopped"));
      await process.gone;
    },
  };
}

function stopped(detail: string): FileError {
  return new FileError("not_ready", "run", "agent process", { detail });
}

function timedOut(): FileError {
  const detail = "it was ended before its handler was done";
  return new FileError("timeout", "run", "agent process", { detail });
}

function refused(code: "conflict" | "timeout" | "not_ready", hook: HookRun, detail: string) {
  return new FileError(code, "run", `${hook.agent.id} ${hook.hook}`, { detail });
}
