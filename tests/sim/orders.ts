/** What messages of the simulation ask for, as the seed has it. */
import type { Wish } from "../../conformance/ticks/shop.ts";
import type { Chance } from "./chance.ts";
import type { Deed, Order } from "./worker.ts";

/** Nobody of this name is there. */
export const NOBODY = "nobody";

const MOST_DEEDS = 4;
/** Kept in chunks while it waits. */
const PAD = "large ".repeat(20_000);
const ALARMS_MS = [-1_000, 0, 1_000, 5_000, 60_000, 3_600_000];

export function drawOrder(chance: Chance, ids: readonly string[]): Order {
  const does = Array.from({ length: chance.below(MOST_DEEDS) }, () => drawDeed(chance, ids, true));
  return chance.percent(4) ? { does, pad: PAD } : { does };
}

/** @param outside somebody who is no agent asks: he is answered, and agents are told to ask others */
function drawDeed(chance: Chance, ids: readonly string[], outside: boolean): Deed {
  const asked = chance.weighed({
    fail: 10,
    wait: 3,
    alarm: 20,
    cancel: 5,
    buy: 12,
    order: 10,
    reply: outside ? 25 : 0,
    send: outside ? 35 : 0,
  });
  switch (asked) {
    case "fail":
      return { deed: "fail", tries: 1 + chance.below(4) };
    case "alarm":
      return { deed: "alarm", ms: chance.pick(ALARMS_MS) };
    case "buy":
    case "order":
      return { deed: asked, wish: drawWish(chance) };
    case "send": {
      const to = chance.percent(4) ? NOBODY : chance.pick(ids);
      const does = chance.percent(50) ? [drawDeed(chance, ids, false)] : [];
      return { deed: "send", to, does };
    }
    default:
      return { deed: asked };
  }
}

function drawWish(chance: Chance): Omit<Wish, "item"> {
  const price = 1 + chance.below(80);
  const fails = chance.weighed({ no: 70, provider_unavailable: 10, invalid_request: 10 });
  return {
    price,
    ...(chance.percent(50) ? { cost: chance.below(price + 1) } : {}),
    ...(fails === "no" ? {} : { fails, asked: chance.percent(50) }),
    ...(chance.percent(10) ? { waits: true } : {}),
  };
}
