/** On what a try runs: its ids and its one time. */
import type { Live } from "./live.ts";
import type { TickFrame } from "./effects.ts";
import { type EnvelopeId, type TickId, uuidv7 } from "./id.ts";

/** A new `tick_` id. */
export function newTickId(live: Live): TickId {
  return `tick_${uuidv7(live.backend.now(), live.backend.random(10))}` as TickId;
}

/** The frame of a hook that no envelope caused. */
export function hookFrame(live: Live, what: string): TickFrame {
  const tickId = newTickId(live);
  return {
    tickId,
    envelopeId: tickId as unknown as EnvelopeId,
    attempt: 1,
    now: live.backend.now(),
    source: { kind: "system" as const, reason: what },
  };
}
