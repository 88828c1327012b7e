/** What answers a request, an agent or a model, as the parts of its answer and what they come to. */
import type { Delta, TokenUsage, ToolCall } from "../../core/compute.ts";
import type { Json } from "../../core/envelope.ts";

export interface Run {
  /** The envelope's or the job's id. */
  readonly id: string;
  /** The parts as they come; what it returns is the whole. Throws a FileError where there will be no answer. */
  readonly parts: AsyncGenerator<Delta, Outcome>;
  /** The client has left before the end. */
  leave(): Promise<void>;
}

export interface Outcome {
  readonly text: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly finish_reason: string;
  /** Absent: nobody has counted. */
  readonly usage?: TokenUsage;
  readonly cost_micro_usd?: number;
  /** What else this program tells of it, under a name of its own. */
  readonly more: { readonly [name: string]: Json };
}

/** The parts are taken and not looked at. */
export async function ended(parts: Run["parts"]): Promise<Outcome> {
  while (true) {
    const { done, value } = await parts.next();
    if (done) return value;
  }
}
