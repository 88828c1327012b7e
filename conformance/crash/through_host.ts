/** Takes a workload to its end over a host that dies once on the way. */
import type { AgentHost } from "../../src/core/host.ts";
import type { Subject } from "../law.ts";
import { type Scene, stage } from "../ticks/scene.ts";
import type { TickSubject } from "../ticks/subject.ts";
import type { When } from "./crashing.ts";
import { type DyingHost, dyingHost } from "./dying_host.ts";
import { type Accepted, look } from "./recovered.ts";
import { END_MS, keepsLaws, recording, tallied } from "./through.ts";
import type { Outside, Workload } from "./workload.ts";

/** Makes a subject whose agents run in what `spoil` makes of a host. */
export type HostMortal = (
  spoil: (host: AgentHost) => AgentHost,
  outside: Outside,
) => Subject<TickSubject>;

/** Answers whether it died; rejects when the end is wrong. */
export async function throughHost(
  workload: Workload,
  at: number,
  when: When,
  mortal: HostMortal,
): Promise<boolean> {
  let dying: DyingHost | undefined;
  const opened = await mortal(
    (host) => (dying ??= dyingHost(host, at, when)).host,
    workload.outside ?? {},
  ).open();
  const { subject } = opened;
  const accepted: Accepted[] = [];
  try {
    const s = recording(await stage(subject, tallied(workload.agents())), accepted);
    for (const step of workload.steps) await taken(s, step, () => dying!.died);
    await subject.clock.advance(END_MS);
    dying!.calm();
    await workload.check(s, subject);
    await keepsLaws(await look(subject, s, accepted, workload.aside));
    return dying!.died;
  } finally {
    await opened.close();
  }
}

/** Who is told that the process died asks once more, as a person would. */
async function taken(
  s: Scene,
  step: (s: Scene) => Promise<unknown>,
  died: () => boolean,
): Promise<void> {
  const before = died();
  try {
    await step(s);
  } catch (error) {
    if (before || !died()) throw error;
    await step(s);
  }
  // A try that was cut off is made again in its own time, before anything else is asked.
  if (!before && died()) await s.advance(RETRY_MS);
}

/** Longer than a try of any workload waits for the next. */
const RETRY_MS = 5_000;
