/** Takes a workload through one death or several, and to its end. */
import type { Backend } from "../../src/core/backend.ts";
import { holds } from "../expect.ts";
import type { Subject } from "../law.ts";
import { type Scene, stage } from "../ticks/scene.ts";
import type { TickSubject } from "../ticks/subject.ts";
import { type Crashing, crashing, type When } from "./crashing.ts";
import type { Workload } from "./workload.ts";

/** Where one run dies: the touches in its first life, in its second, and so on; the last life goes to the end. */
export type Deaths = readonly { readonly at: number; readonly when: When }[];

/** Makes a subject that gives each of its lives what `spoil` makes of its backend. */
export type Mortal = (
  spoil: (backend: Backend) => Backend,
) => Subject<TickSubject>;

/** Runs the workload through these deaths and to its end. Answers whether the last of them came to be, and the touches of that life; rejects when the end is wrong. */
export async function through(
  workload: Workload,
  deaths: Deaths,
  mortal: Mortal,
): Promise<{ readonly died: boolean; readonly touches: number }> {
  let life = 0;
  let current: Crashing | undefined;
  const opened = await mortal((backend) => {
    const death = deaths[life++] ?? { at: 0, when: "before" };
    current = crashing(backend, death.at, death.when);
    return current.backend;
  }).open();
  const { subject } = opened;
  let died = false;
  let touches = 0;
  try {
    for (let n = 0; n <= deaths.length; n++) {
      const last = n === deaths.length;
      const s = await living(subject, workload, n === 0, () => current!.dead);
      if (s) {
        for (const step of workload.steps) {
          try {
            await step(s);
          } catch (error) {
            if (!current!.dead) throw error;
            break;
          }
        }
        await subject.clock.advance(last ? END_MS : MIDDLE_MS);
      }
      if (!last) {
        died = current!.dead;
        touches = current!.touches;
        continue;
      }
      holds(s, "the last life begins");
      await workload.check(s, subject);
    }
    return { died, touches };
  } finally {
    await opened.close();
  }
}

/** Long enough for all retries and alarms of a workload. */
const END_MS = 120_000;
/** Long enough for some of them. */
const MIDDLE_MS = 1_500;

/** Undefined: it died at its start. */
async function living(
  subject: TickSubject,
  workload: Workload,
  first: boolean,
  dead: () => boolean,
): Promise<Scene | undefined> {
  try {
    if (first) return await stage(subject, workload.agents());
    const start = { value: () => subject.restart("crash") };
    return await stage(Object.create(subject, { start }), {});
  } catch (error) {
    if (dead()) return undefined;
    throw error;
  }
}
