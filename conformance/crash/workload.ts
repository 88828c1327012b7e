/** What is done over and over while a backend, or an agent's host, dies under it. */
import type { AgentdOptions } from "../../src/agentd.ts";
import type { Scene } from "../ticks/scene.ts";
import type { Agents, TickSubject } from "../ticks/subject.ts";

/** What is sold by somebody outside, who outlives every runtime. Each life asks for it anew. */
export type Outside = Pick<Partial<AgentdOptions>, "compute" | "containers" | "services">;

/** Something to do, that can be done again from its beginning without harm, and what must be so in the end. */
export interface Workload {
  readonly name: string;
  readonly agents: () => Agents;
  readonly outside?: Outside;
  /** Each is done when its answer is there. */
  readonly steps: readonly ((s: Scene) => Promise<unknown>)[];
  /** Envelopes that leave their sender's order or are let go, because a step says so: dropped, replayed, discarded. */
  readonly aside?: readonly string[];
  /** Compared with the naive model: what a run that never crashed leaves. What holds of every run is in `laws.ts`. */
  readonly check: (s: Scene, subject: TickSubject) => Promise<void>;
}

/** A workload with nothing done of it yet. */
export type MakeWorkload = () => Workload;
