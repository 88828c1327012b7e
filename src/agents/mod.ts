/** The built-in agents, by the name under which they are created. */
import type { Agent } from "../core/agent.ts";
import { counter } from "./counter.ts";
import { echo } from "./echo.ts";

/** An agent that comes with the program, and one line for people on what it does. */
export type Builtin = Agent & { readonly about: string };

export const builtins: Readonly<Record<string, Builtin>> = { echo, counter };
