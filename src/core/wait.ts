/** Waiting for what becomes of an envelope: its tick and its replies, now or from what is kept. */
import { FileError } from "../fs/error.ts";
import type { TickResult } from "./agent.ts";
import type { Json, Payload } from "./envelope.ts";
import type { EnvelopeId } from "./id.ts";
import type { Live } from "./live.ts";
import type { Waited } from "./runtime.ts";
import { decodeJson } from "./code.ts";
import type { Ear } from "./keyed.ts";
import { key } from "./keys.ts";

/** Records that are looked through at once for one that has ended. */
const PAGE = 500;

/** Undefined: the signal aborted first. @throws FileError `not_found` */
export async function waitFor(
  live: Live,
  envelope: EnvelopeId,
  signal: AbortSignal,
): Promise<Waited | undefined> {
  // Listening begins first, so that what ends while the rows are read is not missed.
  const finished = live.finished.listenTo(envelope);
  const replied = live.replied.listenTo(envelope);
  const stop = () => {
    finished.end();
    replied.end();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const seen = await live.inbox.seen(envelope);
    if (!seen) {
      throw new FileError("not_found", "wait for", envelope, {
        detail: "no envelope of this id was accepted, or it is forgotten",
      });
    }
    if (live.inbox.queue.get(seen.n)?.id !== envelope) {
      const tick = await pastResult(live, envelope);
      if (tick) return await withKeptReplies(live, envelope, tick, replied);
    }
    for (let done = await finished.next(); done; done = await finished.next()) {
      if (!done.final) continue;
      // All that a tick replies is told before its end is.
      const replies = replied.rest();
      if (done.pending && replies.length === 0) {
        const later = await replied.next();
        if (!later) return undefined;
        replies.push(later, ...replied.rest());
      }
      return {
        tick: done.result,
        replies: replies.map(({ payload }) => payload as unknown as Json),
      };
    }
    return undefined;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Of a tick that had ended before anybody waited. */
async function withKeptReplies(
  live: Live,
  envelope: EnvelopeId,
  tick: TickResult,
  replied: Ear<unknown>,
): Promise<Waited | undefined> {
  const pending = await live.storage.get(key.pending(envelope)) !== undefined;
  let replies = await repliesTo(live, envelope);
  if (pending && replies.length === 0) {
    await replied.next();
    replies = await repliesTo(live, envelope);
    if (replies.length === 0) return undefined;
  }
  return { tick, replies };
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
