/** What an agent sees of an envelope. */
import type { EnvelopeId, Timestamp } from "./id.ts";
import {
  type Envelope,
  type Json,
  type Metadata,
  type Payload,
  senderOf,
  type Source,
} from "./envelope.ts";

export interface TriggerMeta {
  readonly envelope_id: EnvelopeId;
  readonly source: Source;
  /** The number under which this agent accepted it. */
  readonly seq: number;
  readonly created_at: Timestamp;
  /** What else its sender or the way by which it came tells, such as a webhook's event. */
  readonly extra?: NonNullable<Metadata["extra"]>;
}

export type Trigger =
  | {
    readonly type: "message";
    readonly meta: TriggerMeta;
    readonly payload: Payload;
    readonly text: string;
    readonly from: string;
    readonly parent_id?: EnvelopeId;
  }
  | {
    readonly type: "alarm";
    readonly meta: TriggerMeta;
    readonly alarm_id: string;
    readonly payload: Json;
    readonly scheduled_for: Timestamp;
    readonly fired_at: Timestamp;
  }
  | {
    readonly type: "event";
    readonly meta: TriggerMeta;
    readonly event: string;
    readonly data: Json;
  }
  | { readonly type: "manual"; readonly meta: TriggerMeta; readonly invoker: string }
  | { readonly type: "initialize"; readonly meta: TriggerMeta };

/** `seq`: the number under which it was accepted; `now`: the tick's time. */
export function triggerOf(envelope: Envelope, seq: number, now: number): Trigger {
  const { source, payload, metadata: { extra } } = envelope;
  const meta: TriggerMeta = {
    envelope_id: envelope.id,
    source,
    seq,
    created_at: envelope.timestamp,
    ...(extra ? { extra } : {}),
  };
  if (source.kind === "manual") return { type: "manual", meta, invoker: source.invoker };
  if (source.kind === "scheduler" && payload.kind === "json") {
    const alarm = payload.data as { scheduled_for: number; payload: Json };
    return {
      type: "alarm",
      meta,
      alarm_id: source.alarm_id,
      payload: alarm.payload,
      scheduled_for: alarm.scheduled_for as Timestamp,
      fired_at: Math.max(now, alarm.scheduled_for) as Timestamp,
    };
  }
  if (source.kind === "system" && payload.kind === "json") {
    const { event, ...data } = payload.data as { event?: string; [name: string]: Json | undefined };
    return { type: "event", meta, event: event ?? "system", data: data as Json };
  }
  return {
    type: "message",
    meta,
    payload,
    text: textOf(envelope),
    from: source.kind === "agent" ? source.agent_id : senderOf(source),
    ...(envelope.metadata.parent_id ? { parent_id: envelope.metadata.parent_id } : {}),
  };
}

/** A message as text: what it says, or its JSON. */
function textOf({ payload }: Envelope): string {
  if (payload.kind === "text") return payload.text;
  if (payload.kind === "binary") return payload.data;
  if (payload.kind === "nostr_event") return JSON.stringify(payload.event);
  if (payload.kind === "tick") return "";
  return typeof payload.data === "string" ? payload.data : JSON.stringify(payload.data);
}

/** A trigger in a few words: `message http:local`. */
export function causeOf(trigger: Trigger): string {
  return `${trigger.type} ${senderOf(trigger.meta.source)}`;
}
