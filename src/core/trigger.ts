/** What an agent sees of an envelope. */
import type { AgentId, EnvelopeId, Timestamp } from "./id.ts";
import type { Envelope, Json, Payload, Source } from "./envelope.ts";

export interface TriggerMeta {
  readonly envelope_id: EnvelopeId;
  readonly source: Source;
  /** The number under which this agent accepted it. */
  readonly seq: number;
  readonly created_at: Timestamp;
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
