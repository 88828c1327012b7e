/** Waiting for what becomes of an envelope: its tick and its replies, now or from what is kept. */
import { FileError } from "../fs/error.ts";
import type { TickResult } from "./agent.ts";
import type { Json, Payload } from "./envelope.ts";
import type { EnvelopeId } from "./id.ts";
import type { Live } from "./live.ts";
import type { Waited } from "./runtime.ts";
import { decodeJson } from "./code.ts";
import { key } from "./keys.ts";

/** Records that are looked through at once for one that has ended. */
const PAGE = 500;

/** Undefined: the signal aborted first. @throws FileError `not_found` */
export async function waitFor(
  live: Live,
  envelope: EnvelopeId,
  signal: AbortSignal,
): Promise<Waited | undefined> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  // Listening begins first, so that what ends while the rows are read is not missed.
  const finished = live.finished.listen(abort.signal);
  const replied = live.replied.listen(abort.signal);
  try {
    const seen = await live.inbox.seen(envelope);
    if (!seen) {
      throw new FileError("not_found", "wait for", envelope, {
        detail: "no envelope of this id was accepted, or it is forgotten",
      });
    }
    const waits = live.inbox.queue.get(seen.n)?.id === envelope;
    let tick = waits ? undefined : await pastResult(live, envelope);
    let pending = !waits && await live.storage.get(key.pending(envelope)) !== undefined;
    if (!tick) {
      for await (const done of finished) {
        if (done.envelope !== envelope || !done.final) continue;
        tick = done.result;
        pending = done.pending;
        break;
      }
    }
    if (!tick) return undefined;
    let replies = await repliesTo(live, envelope);
    if (pending && replies.length === 0) {
      for await (const { to } of replied) if (to === envelope) break;
      replies = await repliesTo(live, envelope);
      if (replies.length === 0) return undefined;
    }
    return { tick, replies };
  } finally {
    signal.removeEventListener("abort", stop);
    abort.abort();
  }
}

async function repliesTo(live: Live, envelope: EnvelopeId): Promise<Json[]> {
  const rows = await live.storage.list({ prefix: `reply/${envelope}/` });
  const replies: Json[] = [];
  for (const row of rows) {
    const { seq } = decodeJson<{ seq: number }>(row.value);
    const event = await live.storage.get(key.outbox(seq));
    if (event) replies.push(decodeJson<{ payload: Payload }>(event).payload as unknown as Json);
  }
  return replies;
}

/** The result of an envelope that has ended, from the trajectory. */
async function pastResult(live: Live, envelope: EnvelopeId): Promise<TickResult | undefined> {
  const dead = await live.dead.get(envelope);
  let last: TickResult | undefined;
  let after = 0;
  while (true) {
    const events = await live.trajectory.read({ after, limit: PAGE });
    for (const event of events) {
      if (event.type === "tick" && event.envelope_id === envelope) last = resultFrom(event);
    }
    if (events.length < PAGE) break;
    after = events.at(-1)!.seq;
  }
  if (!last && !dead && !live.inbox.queue.get((await live.inbox.seen(envelope))?.n ?? -1)) {
    throw new FileError("not_found", "wait for", envelope, {
      detail: "it was ticked, and the record of it is no longer kept",
    });
  }
  return last;
}

function resultFrom(event: { readonly [field: string]: unknown }): TickResult {
  const usage = event.usage as TickResult["usage"];
  const committed = event.outcome === "committed";
  return {
    tick_id: event.tick_id as TickResult["tick_id"],
    envelope_id: event.envelope_id as EnvelopeId,
    success: committed,
    duration_ms: event.duration_ms as number,
    usage,
    messages_sent: committed ? usage.messages_sent : 0,
    events_emitted: committed ? ((event.events as unknown[] | undefined)?.length ?? 0) : 0,
    ...(event.error ? { error: event.error as NonNullable<TickResult["error"]> } : {}),
    should_hibernate: false,
  };
}
