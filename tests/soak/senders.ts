/** Those who send while the server is killed under them: each says a message again, in another life, until it is told that it was taken. */
import type { AgentId, EnvelopeId } from "../../src/core/id.ts";
import type { Receipt } from "../../src/core/view.ts";
import type { Client } from "../../src/http/client.ts";
import { codeOf } from "../../src/fs/error.ts";
import type { Chance } from "../sim/chance.ts";
import type { Deed } from "./soaked_agent.ts";

/** A message as it was drawn. */
export interface Order {
  readonly id: string;
  readonly to: AgentId;
  readonly deed: Deed;
}

export interface Senders {
  /** Everything that the server said it has taken. */
  readonly accepted: ReadonlyMap<string, Order>;
  /** How often a message was said again and the server said that it had it. */
  readonly known: number;
  /** Sends until `enough` more are taken, or the server is gone; then calls `then` and waits for those that are on their way. Without an end it goes on until the server is gone. */
  load(client: Client, enough: number, then: () => Promise<unknown>): Promise<void>;
  /** Says again what was never answered, and nothing new. */
  rest(client: Client): Promise<void>;
}

/** What the drawing is made of: how often each deed is asked for. */
const DEEDS = { note: 40, alarm: 20, send: 25, buy: 15 } as const;
const MAX_ALARM_MS = 1_500;

export function makeSenders(
  chance: Chance,
  agents: readonly AgentId[],
  connections: number,
): Senders {
  const accepted = new Map<string, Order>();
  const again: Order[] = [];
  let drawn = 0;
  let known = 0;

  function draw(): Order {
    const does = chance.weighed(DEEDS);
    const to = chance.pick(agents);
    const id = `m${++drawn}`;
    if (does === "alarm") return { id, to, deed: { does, ms: chance.below(MAX_ALARM_MS) } };
    if (does === "send") return { id, to, deed: { does, to: chance.pick(agents) } };
    return { id, to, deed: { does } };
  }

  /** False: nobody knows whether it was taken. */
  async function taken(client: Client, order: Order): Promise<boolean> {
    const { id, to, deed } = order;
    try {
      const data = { id, ...deed };
      const envelope = { id: id as EnvelopeId, payload: { kind: "json" as const, data } };
      const receipt = await client.send(to, envelope) as Receipt;
      if (receipt.duplicate) known++;
      accepted.set(id, order);
      return true;
    } catch (error) {
      const code = codeOf(error);
      // Killed, or not yet looked at: everything else is a fault of the server's.
      if (code !== "provider_unavailable" && code !== "not_ready") throw error;
      again.push(order);
      return false;
    }
  }

  async function each(run: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: connections }, run));
  }

  return {
    accepted,
    get known() {
      return known;
    },
    async load(client, enough, then) {
      let left = enough;
      let ending: Promise<unknown> | undefined;
      if (left === 0) ending = then();
      await each(async () => {
        while (!ending) {
          if (!await taken(client, again.shift() ?? draw())) return;
          if (--left === 0) ending = then();
        }
      });
      await ending;
    },
    rest: (client) =>
      each(async () => {
        for (let order = again.shift(); order; order = again.shift()) {
          if (!await taken(client, order)) throw new Error("the last server does not answer");
        }
      }),
  };
}
