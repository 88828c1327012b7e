/** A host whose process dies at the n-th message between it and the runtime, before or after that message has arrived; a process that is started afterwards lives. */
import type { AgentHost, AgentInstance, TickPort } from "../../src/core/host.ts";
import { FileError } from "../../src/fs/error.ts";
import type { When } from "./crashing.ts";

export interface DyingHost {
  readonly host: AgentHost;
  /** Messages so far, in both directions. */
  readonly messages: number;
  readonly died: boolean;
  /** From now on it lives. */
  calm(): void;
}

/** One process of it. */
interface Process {
  alive: boolean;
  /** Rejects with its end. */
  readonly end: Promise<never>;
  kill(): void;
}

/** Messages are counted from 1; with `at` 0 it never dies. */
export function dyingHost(host: AgentHost, at: number, when: When): DyingHost {
  let messages = 0;
  let died = false;
  let isCalm = false;

  /** Counts a message: undefined when it does not arrive. What a dead process says is never heard, and it hears nothing. */
  function arrives(process: Process): boolean {
    if (!process.alive) return false;
    if (++messages !== at || isCalm) return true;
    died = true;
    process.kill();
    return when === "after";
  }

  /** Something that is asked over the pipe: two messages, the question and the answer. */
  async function asked<T>(process: Process, run: () => Promise<T>): Promise<T> {
    if (!arrives(process)) return await never();
    const answer = settled(run);
    if (!process.alive) return await never();
    const told = await answer;
    if (!process.alive || !arrives(process) || !process.alive) return await never();
    if ("error" in told) throw told.error;
    return told.value;
  }

  function onPipe<T extends object>(process: Process, target: T): T {
    return new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name);
        if (name === "files") return onPipe(process, value as object);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          // What is logged goes one way.
          if (name === "log") return arrives(process) ? value.apply(target, args) : undefined;
          return asked(process, async () => {
            const answer = await value.apply(target, args);
            return isHandle(answer) ? onPipe(process, answer) : answer;
          });
        };
      },
    });
  }

  function instanceOn(process: Process, instance: AgentInstance): AgentInstance {
    return {
      name: instance.name,
      version: instance.version,
      hooks: instance.hooks,
      get alive() {
        return process.alive && instance.alive;
      },
      async run(run, port) {
        if (!process.alive) throw ended();
        const working = (async () => {
          if (!arrives(process) || !process.alive) return await never<never>();
          const result = await settled(() => instance.run(run, onPipe<TickPort>(process, port)));
          if (!process.alive || !arrives(process)) return await never<never>();
          if ("error" in result) throw result.error;
          return result.value;
        })();
        return await Promise.race([working, process.end]);
      },
      stop: () => instance.stop(),
    };
  }

  return {
    get messages() {
      return messages;
    },
    get died() {
      return died;
    },
    calm() {
      isCalm = true;
    },
    host: {
      async start(code, limits) {
        const process = newProcess();
        // The code on its way, and the word that it is loaded.
        if (!arrives(process) || !process.alive) throw ended();
        const instance = await host.start(code, limits);
        if (!arrives(process)) throw ended();
        return instanceOn(process, instance);
      },
    },
  };
}

function newProcess(): Process {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const process: Process = {
    alive: true,
    end: promise,
    kill() {
      process.alive = false;
      // As a pipe does, it is found closed a moment later: what has arrived is heard.
      Promise.resolve().then(() => {}).then(() => reject(ended()));
    },
  };
  return process;
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

async function settled<T>(run: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error };
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}

function isHandle(value: unknown): value is object {
  return typeof value === "object" && value !== null && "close" in value;
}

function ended(): FileError {
  return new FileError("agent_error", "run", "agent process", {
    detail: "its process ended (SIGKILL)",
  });
}
