/** One simulated world: agents, a shop, a clock that is set, and runtimes that die at any touch of their storage and begin anew. */
import { type Crashing, crashing } from "../../conformance/crash/crashing.ts";
import type { Subject } from "../../conformance/law.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import type { TickSubject, WorldOptions } from "../../conformance/ticks.ts";
import { type Door, door, type Scene, stage } from "../../conformance/ticks/scene.ts";
import { createAgentd } from "../../src/agentd.ts";
import type { OverflowPolicy } from "../../src/core/view.ts";
import { sqliteTicks } from "../conformance/tick_subjects.ts";
import { type Chance, chanceOf } from "./chance.ts";
import { type SetClock, setClock } from "./clock.ts";
import { makeModel, type Model } from "./model.ts";
import { makePurse, type Purse } from "./money.ts";
import { SHOP } from "../../conformance/ticks/shop.ts";
import { worker } from "./worker.ts";

export const BACKENDS = ["memory", "sqlite"] as const;
export type BackendName = typeof BACKENDS[number];

/** How far into its life a runtime may die, in touches of its storage. */
const DEATHS = [20, 200, 2_000];
/** A handler that waits is stopped after this. */
const MAX_TICK_MS = 20_000;

export interface World {
  readonly subject: TickSubject;
  readonly clock: SetClock;
  readonly chance: Chance;
  readonly s: Scene;
  readonly model: Model;
  readonly purses: Map<string, Purse>;
  readonly ids: readonly string[];
  readonly policies: Map<string, Partial<OverflowPolicy>>;
  /** Runtimes that died, by themselves or by a step. */
  readonly deaths: number;
  /** Where handlers wait. */
  gate: Door;
  /** False: the runtime died in it. */
  attempt(run: () => Promise<void>): Promise<boolean>;
  /** Another life on the same rows. */
  revive(): Promise<void>;
  /** From the next life on none dies by itself. */
  calm(): void;
  close(): Promise<void>;
}

/** A world in which everything follows from the seed. */
export async function openWorld(seed: number, backend: BackendName): Promise<World> {
  const chance = chanceOf(seed);
  let clock: SetClock | undefined;
  let life: Crashing | undefined;
  let mortal = true;
  let lives = 0;
  const parts: Partial<WorldOptions> = {
    clock: (settled) => clock = setClock(settled),
    begin(parts) {
      // The first life makes the agents.
      const dies = lives++ > 0 && mortal && chance.percent(50);
      const at = dies ? 1 + chance.below(chance.pick(DEATHS)) : 0;
      life = crashing(parts.backend, at, chance.percent(50) ? "before" : "after");
      return createAgentd({ ...parts, backend: life.backend });
    },
  };
  const made: Subject<TickSubject> = backend === "memory"
    ? memoryTicks(backend, parts)
    : sqliteTicks(backend, parts);
  const { subject, close } = await made.open();
  const ids = Array.from({ length: 2 + chance.below(4) }, (_, n) => `a${n}`);
  const model = makeModel();
  const purses = new Map<string, Purse>();
  const policies = new Map<string, Partial<OverflowPolicy>>();
  const code = worker(() => world.gate);
  const s = await stage(subject, Object.fromEntries(ids.map((id) => [id, code])));
  const world: World = {
    subject,
    get clock() {
      return clock!;
    },
    chance,
    s,
    model,
    purses,
    ids,
    policies,
    gate: door(),
    get deaths() {
      return lives - 1;
    },
    async attempt(run) {
      try {
        await run();
      } catch (error) {
        if (!life!.dead) throw error;
      }
      return !life!.dead;
    },
    async revive() {
      while (!await world.attempt(() => s.restart("crash")));
    },
    calm() {
      mortal = false;
    },
    close,
  };
  for (const id of ids) await settle(world, id);
  return world;
}

/** An agent with limits, an inbox and a purse as the seed has it. */
async function settle({ chance, s, model, purses, policies }: World, id: string): Promise<void> {
  const limit = 100 + chance.below(400);
  await s.create(id, {
    limits: {
      retry_ms: chance.pick([[1_000, 5_000], [0], [], [60_000]]),
      max_tick_ms: MAX_TICK_MS,
      max_consecutive_failures: chance.pick([3, 1_000]),
      retention: { outbox: 100_000, trace: 1_000, trajectory: 100_000 },
    },
    budgets: { [SHOP]: { per_day_micro_usd: limit, approvers: [] } },
  });
  const policy: Partial<OverflowPolicy> = {
    max_depth: 2 + chance.below(20),
    policy: chance.pick(["reject_new", "reject_new", "dead_letter", "drop_oldest"]),
    dead_letter_max: chance.below(10),
  };
  await s.at(id).overflow(policy);
  policies.set(id, policy);
  purses.set(id, makePurse(id, limit));
  model.add(id, policy.policy === "drop_oldest");
}
