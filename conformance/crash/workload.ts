/** What is done over and over while a backend dies under it. */
import type { Scene } from "../ticks/scene.ts";
import type { Agents, TickSubject } from "../ticks/subject.ts";

/** Something to do, that can be done again from its beginning without harm, and what must be so in the end. */
export interface Workload {
  readonly name: string;
  readonly agents: () => Agents;
  /** Each is done when its answer is there. */
  readonly steps: readonly ((s: Scene) => Promise<unknown>)[];
  /** Compared with the naive model: what a run that never crashed leaves. */
  readonly check: (s: Scene, subject: TickSubject) => Promise<void>;
}
