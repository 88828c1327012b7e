/** The words of `/ctl`: tick, pause, resume, wake, hibernate. */
import { FileError } from "../fs/error.ts";
import type { AgentHost } from "./host.ts";
import type { ControlWord } from "./view.ts";
import type { Live } from "./live.ts";
import type { Phase } from "./record.ts";
import type { TickResult } from "./agent.ts";
import { commitTurn } from "./turn.ts";
import { restsUntil } from "./daily.ts";
import { isoTime } from "./id.ts";
import { encodeJson } from "./code.ts";
import { key } from "./keys.ts";
import { seal } from "./seal.ts";
import { wake } from "./hooks.ts";

export interface ControllerDeps {
  readonly host: AgentHost;
  readonly runtimePaused: () => boolean;
  /** The agent may have something to do. */
  readonly ready: (live: Live) => void;
  readonly sleep: (live: Live) => Promise<void>;
  readonly isAsleep: (live: Live) => boolean;
  readonly onError: (error: unknown) => void;
}

export interface Controller {
  /** For a caller that is not the agent. `tick` answers its first try's result; `invoker` is who is told to have asked. */
  perform(
    live: Live,
    word: ControlWord,
    invoker: string,
    signal?: AbortSignal,
  ): Promise<TickResult | undefined>;
  /** A word of the agent's own, once the tick in which it was written has committed. */
  afterTick(live: Live, word: ControlWord): void;
}

export function makeController(deps: ControllerDeps): Controller {
  async function perform(
    live: Live,
    word: ControlWord,
    invoker: string,
    signal?: AbortSignal,
  ): Promise<TickResult | undefined> {
    switch (word) {
      case "tick":
        return await manualTick(live, invoker, signal);
      case "pause":
        await setPhase(live, "paused", `by ${invoker}`);
        return undefined;
      case "resume":
        await resume(live);
        return undefined;
      case "wake":
        if (live.phase.phase === "active" && !live.inTick && !deps.isAsleep(live)) {
          await wake(live, deps.host);
        }
        deps.ready(live);
        return undefined;
      case "hibernate":
        if (live.running) afterTick(live, "hibernate");
        else await deps.sleep(live);
        return undefined;
    }
  }
  async function resume(live: Live): Promise<void> {
    if (live.turn.failures > 0) {
      await commitTurn(live, { ...live.turn, failures: 0 }, { check: [], remove: [], put: [] });
    }
    await setPhase(live, "active", "resumed");
    deps.ready(live);
  }
  /** Its envelope stands ahead of other senders'. */
  async function manualTick(
    live: Live,
    invoker: string,
    signal: AbortSignal | undefined,
  ): Promise<TickResult> {
    const refuse = (detail: string) =>
      new FileError("not_ready", "tick", `/agents/${live.id}`, { detail });
    if (deps.runtimePaused()) throw refuse("the runtime is paused; resume it first");
    if (live.phase.phase !== "active") throw refuse(`it is ${live.phase.phase}; resume it first`);
    const rest = restsUntil(live);
    if (rest !== undefined) {
      throw new FileError("quota_exceeded", "tick", `/agents/${live.id}`, {
        detail: `it has used up max_daily_compute_ms; it ticks again from ${isoTime(rest)} on`,
      });
    }
    const abort = new AbortController();
    const stop = () => abort.abort();
    signal?.addEventListener("abort", stop, { once: true });
    const finished = live.finished.listen(abort.signal);
    try {
      const envelope = seal(live, { payload: { kind: "tick" } }, { kind: "manual", invoker });
      await live.inbox.accept(envelope, { always: true });
      for await (const done of finished) {
        if (done.envelope === envelope.id) return done.result;
      }
      throw new FileError("interrupted", "tick", `/agents/${live.id}`, {
        detail: "the tick is queued; nobody waits for its result any more",
      });
    } finally {
      signal?.removeEventListener("abort", stop);
      abort.abort();
    }
  }
  function afterTick(live: Live, word: ControlWord): void {
    const run = async () => {
      if (word === "hibernate") {
        await live.running;
        await deps.sleep(live);
      } else await perform(live, word, live.id);
    };
    run().catch(deps.onError);
  }
  return { perform, afterTick };
}

async function setPhase(live: Live, phase: Phase["phase"], why: string): Promise<void> {
  if (live.phase.phase === phase) return;
  const next: Phase = { phase, since: live.backend.now(), why };
  const put = [{ key: key.phase, value: encodeJson(next) }];
  await live.storage.commit({ check: [], remove: [], put });
  live.phase = next;
  live.trace.add({ type: "lifecycle", state: phase, why });
}
