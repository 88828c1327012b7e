/** What comes from outside becomes an envelope. */
import type { Envelope, EnvelopeInput, Source } from "./envelope.ts";
import { type EnvelopeId, type Timestamp, uuidv7 } from "./id.ts";
import type { Live } from "./live.ts";

/** Gives an envelope from outside its id, time and origin. */
export function seal(live: Live, input: EnvelopeInput, source: Source): Envelope {
  const now = live.backend.now();
  return {
    id: input.id ?? `env_${uuidv7(now, live.backend.random(10))}` as EnvelopeId,
    timestamp: now as Timestamp,
    source,
    payload: input.payload,
    metadata: input.metadata ?? {},
  };
}
