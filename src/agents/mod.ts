/** The built-in agents, by the name under which they are created. */
import type { Agent } from "../core/agent.ts";
import type { Backend } from "../core/backend.ts";
import { assistant } from "./assistant.ts";
import { coder } from "./coder.ts";
import { counter } from "./counter.ts";
import { echo } from "./echo.ts";

/** An agent that comes with the program, and one line for people on what it does. */
export type Builtin = Agent & { readonly about: string };

export const BUILTINS: readonly string[] = ["assistant", "coder", "counter", "echo"];

export function builtins({ timer }: Pick<Backend, "timer">): Readonly<Record<string, Builtin>> {
  return { echo, counter, assistant: assistant(timer), coder };
}
