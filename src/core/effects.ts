/** What a try has done so far; nothing of it stands before the commit. */
import type { StreamEvent } from "../fs/file.ts";
import type { Payload, Source } from "./envelope.ts";
import type { EnvelopeId, TickId } from "./id.ts";
import type { TickPort } from "./host.ts";
import type { SendRow } from "./record.ts";
import type { ControlWord } from "./view.ts";
import type { OpenTxn } from "./txn.ts";
import type { CallRecord } from "./recorded.ts";
import type { Approval } from "./approval.ts";
import type { Calls } from "./calls.ts";
import type { SpanContext, TraceMark } from "./tracer.ts";

/** What a try runs on; the same over all tries but for `attempt`. */
export interface TickFrame {
  readonly tickId: TickId;
  readonly envelopeId: EnvelopeId;
  readonly attempt: number;
  /** The tick's one time. */
  readonly now: number;
  readonly source: Source;
  /** The trace that its envelope belongs to; what it sends belongs to it too. */
  readonly trace?: TraceMark | undefined;
}

export interface Effects {
  readonly frame: TickFrame;
  readonly txn: OpenTxn;
  readonly port: TickPort;
  readonly abort: AbortController;
  /** What is done in the try is a part of, where somebody traces. */
  span: SpanContext | undefined;
  readonly sends: { readonly n: number; readonly row: SendRow }[];
  readonly events: StreamEvent[];
  /** Which envelopes the replies answer, by the outbox event's seq. */
  readonly replies: { readonly to: EnvelopeId; readonly seq: number; readonly payload: Payload }[];
  readonly alarms: number[];
  readonly logs: { readonly level: string; readonly text: string }[];
  readonly calls: CallRecord[];
  /** What people would have to say yes to. */
  readonly asked: Approval[];
  /** What was done outside; it stands whatever becomes of the try. */
  readonly outside: Calls;
  readonly after: ControlWord[];
  /** The next mark's number, and what it was when the try began. */
  marks: number;
  readonly firstMark: number;
  /** After this every use is refused: nothing that comes late can join a later tick. */
  end(): void;
  readonly over: boolean;
}
