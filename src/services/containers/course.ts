/** What a session's run is made of. */
import type { ContainerProviders } from "../../core/containers.ts";
import type { AgentId } from "../../core/id.ts";
import type { JobRun } from "../../core/outside.ts";
import type { Secrets } from "../../core/secrets.ts";
import type { Gate } from "../common/gate.ts";
import type { Live, Sessions } from "./live.ts";
import type { Record } from "./record.ts";
import type { SessionData, SessionInput } from "./terms.ts";
import type { Clock } from "./timing.ts";

/** What every session of a runtime needs. */
export interface Deps {
  readonly providers: ContainerProviders;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly gate: Gate<AgentId>;
  readonly sessions: Sessions;
}

/** One session on its way. */
export interface Course {
  readonly deps: Deps;
  readonly live: Live;
  readonly run: JobRun;
  readonly data: SessionData;
  readonly input: SessionInput;
  readonly record: Record;
}
