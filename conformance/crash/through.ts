/** Takes a workload through one death or several, and to its end. */
import type { Backend } from "../../src/core/backend.ts";
import type { Agent } from "../../src/core/agent.ts";
import { holds } from "../expect.ts";
import type { Subject } from "../law.ts";
import { type Scene, stage } from "../ticks/scene.ts";
import type { Agents, TickSubject } from "../ticks/subject.ts";
import { type Crashing, crashing, type When } from "./crashing.ts";
import { crashLaws } from "./laws.ts";
import { type Accepted, look, type Recovered } from "./recovered.ts";
import type { Outside, Workload } from "./workload.ts";

/** Where one run dies: the touches in its first life, in its second, and so on; the last life goes to the end. */
export type Deaths = readonly { readonly at: number; readonly when: When }[];

/** Makes a subject that gives each of its lives what `spoil` makes of its backend. */
export type Mortal = (
  spoil: (backend: Backend) => Backend,
  outside: Outside,
) => Subject<TickSubject>;

export interface Through {
  /** Whether the last of the deaths came to be. */
  readonly died: boolean;
  /** Whether it stood between a change being asked for and being done, so that before and after differ. */
  readonly wrote: boolean;
}

/** Runs the workload through these deaths and to its end. Rejects when the end is wrong. */
export async function through(
  workload: Workload,
  deaths: Deaths,
  mortal: Mortal,
): Promise<Through> {
  let life = 0;
  let current: Crashing | undefined;
  const opened = await mortal((backend) => {
    const death = deaths[life++] ?? { at: 0, when: "before" };
    current = crashing(backend, death.at, death.when);
    return current.backend;
  }, workload.outside ?? {}).open();
  const { subject } = opened;
  const accepted: Accepted[] = [];
  let ended = { died: false, wrote: false };
  try {
    for (let n = 0; n <= deaths.length; n++) {
      const last = n === deaths.length;
      const s = await living(subject, workload, n === 0, () => current!.dead);
      if (s) await steps(workload, recording(s, accepted), () => current!.dead);
      if (s || !last) await subject.clock.advance(last ? END_MS : MIDDLE_MS);
      if (!last) {
        ended = { died: current!.dead, wrote: current!.wrote };
        continue;
      }
      holds(s, "the last life begins");
      await workload.check(s, subject);
      await keepsLaws(await look(subject, s, accepted, workload.aside));
    }
    return ended;
  } finally {
    await opened.close();
  }
}

async function steps({ steps }: Workload, s: Scene, dead: () => boolean): Promise<void> {
  for (const step of steps) {
    try {
      await step(s);
    } catch (error) {
      if (!dead()) throw error;
      return;
    }
  }
}

/** Rejects naming the first law that is broken. */
export async function keepsLaws(all: Recovered): Promise<void> {
  for (const { id, says, test } of crashLaws) {
    try {
      await test(all);
    } catch (error) {
      throw new Error(`${id} ("${says}"): ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Long enough for all retries and alarms of a workload. */
export const END_MS = 120_000;
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
    if (first) return await stage(subject, tallied(workload.agents()));
    const start = { value: () => subject.restart("crash") };
    return await stage(Object.create(subject, { start }), {});
  } catch (error) {
    if (dead()) return undefined;
    throw error;
  }
}

/** Agents that count their ticks, each in two places of one commit. */
export function tallied(agents: Agents): Agents {
  const counting = (agent: Agent): Agent => ({
    ...agent,
    async onTrigger(ctx, trigger) {
      const n: number = (ctx.state.tally ?? 0) + 1;
      ctx.state.tally = n;
      await ctx.kv.set("tally", n);
      return await agent.onTrigger(ctx, trigger);
    },
  });
  return Object.fromEntries(Object.entries(agents).map(([id, agent]) => [id, counting(agent)]));
}

/** The scene, with each receipt written down. */
export function recording(s: Scene, accepted: Accepted[]): Scene {
  return Object.create(s, {
    at: {
      value(to: string, from?: string) {
        const caller = s.at(to, from);
        const send: typeof caller.send = async (payload, options) => {
          const receipt = await caller.send(payload, options);
          accepted.push({ to, from: from ?? "operator", id: receipt.envelope_id });
          return receipt;
        };
        return { ...caller, send };
      },
    },
  });
}
