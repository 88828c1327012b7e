/** The agent's side of the pipe: takes the pipe, loads the agent, runs its hooks one after the other. */
import { getHeapStatistics } from "node:v8";
import { FileError } from "../../fs/error.ts";
import type { Json } from "../../core/envelope.ts";
import type { Agent } from "../../core/agent.ts";
import type { HookResult, HookRun } from "../../core/host.ts";
import { agentFault, runHook } from "../handler.ts";
import { guardAgainstLateErrors } from "../life.ts";
import { agentOf, factsOf } from "../module.ts";
import { type Channel, channel, type Message } from "./channel.ts";
import { disguise } from "./disguise.ts";
import { hookRunOf } from "./hook_message.ts";
import { openDoor } from "./lock.ts";
import { type RemotePort, remotePort } from "./remote_port.ts";
import { errorJson } from "./values.ts";
import { breach, encodeFrame } from "./wire.ts";

interface Running {
  readonly run: number;
  readonly remote: RemotePort;
  /** Ends the hook with what surfaced outside of it. */
  fail(error: unknown): void;
}

const READ_BYTES = 64 * 1024;
/** Enough to come out of a package into the agent's own code. */
const STACK_FRAMES = 50;

/** Serves until the pipe ends. */
export async function serveAgent(): Promise<void> {
  // Taken before any agent's code runs, which may replace what these names mean.
  const read = Deno.stdin.read.bind(Deno.stdin);
  const write = Deno.stdout.write.bind(Deno.stdout);
  const writeSync = Deno.stdout.writeSync.bind(Deno.stdout);
  const exit = Deno.exit.bind(Deno);
  // At a full heap Deno ends what runs, without a word to who waits for it, and raises the limit: which is how it can be seen.
  const heapLimit = () => getHeapStatistics().heap_size_limit;
  const fullAt = heapLimit();
  let agent: Agent | undefined;
  let running: Running | undefined;

  const pipe = channel({
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await write(bytes.subarray(at));
    },
    deliver,
    maxBodyBytes: () => Infinity,
  });
  disguise(
    (level, text) => running?.remote.port.log(level, text),
    (code) => void writeSync(encodeFrame({ t: "exit", code: Number(code) })),
  );
  Error.stackTraceLimit = STACK_FRAMES;
  catchStrays((error) => running?.fail(error));

  function deliver(message: Message): void {
    const { head } = message;
    if (head.t === "ping") {
      return pipe.sendUrgent({ t: "pong", n: head.n, full: heapLimit() > fullAt });
    }
    if (head.t === "answer") {
      if (head.run === running?.run) running!.remote.take(message);
      return;
    }
    if (head.t === "load") return void load(message);
    if (head.t === "run") return void run(message);
    throw breach("an unknown message");
  }

  async function load({ body, head }: Message): Promise<void> {
    const what = String(head.digest);
    try {
      agent = agentOf(await importSource(body!), what);
      const { name, version, hooks } = factsOf(agent, what);
      pipe.send({ t: "loaded", name, version, hooks: [...hooks] });
    } catch (error) {
      pipe.send({ t: "failed", ...told(loadFault(error, what)) });
    }
  }

  async function run(message: Message): Promise<void> {
    const number = Number(message.head.run);
    const remote = remotePort(pipe, number, Number(message.head.usd), new AbortController().signal);
    const { hook, seed } = hookRunOf(message);
    const stray = Promise.withResolvers<never>();
    running = {
      run: number,
      remote,
      fail: (error) => stray.reject(agentFault(error, hook)),
    };
    try {
      finish(
        pipe,
        number,
        await Promise.race([runHook(agent!, hook, remote.port, () => seed), stray.promise]),
      );
    } catch (error) {
      pipe.send({ t: "threw", run: number, ...told(error) });
    } finally {
      running = undefined;
    }
  }

  const door = await openDoor();
  pipe.send(door === undefined ? { t: "ready" } : { t: "open_door", why: door });
  const buffer = new Uint8Array(READ_BYTES);
  for (let n = await read(buffer); n !== null; n = await read(buffer)) {
    pipe.take(buffer.subarray(0, n));
  }
  exit(0);
}

function finish(pipe: Channel, run: number, result: HookResult): void {
  const { state, should_hibernate, pending } = result;
  pipe.send({ t: "done", run, should_hibernate, pending }, new TextEncoder().encode(state));
}

/** Errors in promises and timers that nobody waits for. Those of a dead context have been caught before. */
function catchStrays(fail: (error: unknown) => void): void {
  guardAgainstLateErrors();
  addEventListener("unhandledrejection", (event) => {
    if (!event.defaultPrevented) fail(event.reason);
    event.preventDefault();
  });
  addEventListener("error", (event) => {
    if (!event.defaultPrevented) fail(event.error);
    event.preventDefault();
  });
}

function importSource(source: Uint8Array): Promise<unknown> {
  return import(`data:text/javascript;charset=utf-8;base64,${source.toBase64()}`);
}

function loadFault(error: unknown, what: string): FileError {
  if (error instanceof FileError) return error;
  const { detail, cause } = agentFault(error, { agent: { id: what } } as unknown as HookRun);
  return new FileError("agent_error", "load", what, {
    detail: `it does not load: ${detail}`,
    cause,
  });
}

/** The refusal, and the agent's own stack if there is one. */
function told(error: unknown): { error: Json; stack?: string } {
  const { cause } = error as { cause?: unknown };
  return { error: errorJson(error), ...(typeof cause === "string" ? { stack: cause } : {}) };
}
