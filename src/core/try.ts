/** One try of an envelope: what the parts of a tick hand to each other. */
import type { AgentHost } from "./host.ts";
import type { ControlWord } from "./view.ts";
import type { Effects } from "./effects.ts";
import type { Envelope } from "./envelope.ts";
import type { Live } from "./live.ts";
import type { Tries } from "./record.ts";
import type { Trigger } from "./trigger.ts";
import type { Waiting } from "./queue.ts";

export interface TickDeps {
  readonly host: AgentHost;
  readonly onAlarm: (dueMs: number) => void;
  readonly onRetry: (dueMs: number) => void;
  readonly onError: (error: unknown) => void;
  /** Words that the agent wrote to its own `/ctl`, and a wish to hibernate, after the commit. */
  readonly onControl: (live: Live, words: readonly ControlWord[]) => void;
  readonly onTick: () => void;
}

/** One try of an envelope. */
export interface Try {
  readonly live: Live;
  readonly entry: Waiting;
  readonly envelope: Envelope;
  /** With this one counted. */
  readonly tries: Tries;
  readonly trigger: Trigger;
  readonly effects: Effects;
  /** Milliseconds. */
  readonly startedMs: number;
  readonly deps: TickDeps;
}

/** Why a tick's signal is aborted when the runtime stops: its try does not count. */
export const STOPPED = "the runtime stops";
