/** Makes subjects for the laws of ticks: a runtime on any rows, with a clock of its own, in parts that can be spoilt one by one. */
import { createAgentd } from "../../src/agentd.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { ServiceTable } from "../../src/core/view.ts";
import type { SigningService } from "../../src/core/provider.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { Subject } from "../law.ts";
import { answer } from "./scene.ts";
import type { Agents, TickSubject } from "./subject.ts";
import { openShop, SHOP } from "./shop.ts";
import { calm, type Tap, tapped } from "./tap.ts";

export interface Clock {
  now(): number;
  timer(delayMs: number, fire: () => void): () => void;
  advance(ms: number): Promise<void>;
}

/** Where the rows of one subject are kept. */
export interface Ground {
  /** The rows as they were committed last, with this clock. */
  open(clock: Pick<Clock, "now" | "timer">): Promise<Backend>;
  /** After `open`: gives the rows up. What was not committed may be lost or kept. */
  close(): Promise<void>;
  /** After the last `close`: nothing is left of them. */
  remove(): Promise<void>;
}

/** What a runtime is made of. */
export interface Parts {
  readonly backend: Backend;
  readonly agents: Agents;
  readonly signer: SigningService;
  /** Beside the standard ones. */
  readonly services: ServiceTable;
  readonly onError: (error: unknown) => void;
}

export interface WorldOptions {
  readonly ground: () => Promise<Ground>;
  /** A clock that waits for `settled` between what falls due. */
  readonly clock: (settled: () => Promise<void>) => Clock;
  /** A signer that draws its secrets, 32 bytes each, from `random`. */
  readonly signer: (random: (bytes: number) => Uint8Array) => SigningService;
  readonly random: (bytes: number) => Uint8Array;
  /** How a runtime is begun; by default as it should be. */
  readonly begin?: (parts: Parts) => Promise<Runtime>;
}

/** How long a runtime that is stopped may go on. */
const GRACE_MS = 5_000;

export function tickSubject(name: string, options: WorldOptions): Subject<TickSubject> {
  const { begin = createAgentd } = options;
  return {
    name,
    async open() {
      const ground = await options.ground();
      const secrets: Uint8Array[] = [];
      const errors: unknown[] = [];
      const shop = openShop();
      const services = { [SHOP]: shop.mount };
      const signer = options.signer((bytes) => {
        const secret = options.random(bytes);
        secrets.push(secret.slice());
        return secret;
      });
      let tap: Tap;
      let runtime: Runtime;
      let agents: Agents = {};
      const clock = options.clock(() => calm(() => tap));

      async function life(meanwhile?: (backend: Backend) => Promise<void>): Promise<Runtime> {
        const backend = await ground.open(clock);
        await meanwhile?.(backend);
        tap = tapped(backend);
        const parts = { backend: tap.backend, agents, signer, services, onError };
        return runtime = await answer(subject, () => begin(parts));
      }
      function onError(error: unknown): void {
        errors.push(error);
      }
      const subject: TickSubject = {
        clock,
        secrets,
        shop,
        errors,
        settled: () => calm(() => tap),
        get backend() {
          return tap.backend;
        },
        get touched() {
          return tap.touched;
        },
        start(given) {
          agents = given;
          return life();
        },
        async restart(end, next = {}) {
          if (end === "clean") await answer(subject, () => runtime.stop(GRACE_MS));
          tap.cut();
          await ground.close();
          if (next.agents) agents = next.agents;
          return await life(next.meanwhile);
        },
      };
      return {
        subject,
        async close() {
          tap?.cut();
          await ground.close();
          await ground.remove();
        },
      };
    },
  };
}
