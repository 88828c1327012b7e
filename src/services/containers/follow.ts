/** Follows one command in a session to its end: each byte of its output becomes part of the session's stream once, also over a restart of the runtime. */
import type { ExecEnd, ExecOutput, ExecSpec } from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import type { Redactor } from "../../core/redact.ts";
import { hasCode } from "../../fs/error.ts";
import type { Doing, Live, State } from "./live.ts";
import { bytesOf, NO_REST, step, type Told } from "./output.ts";

/** Between two looks for an engine that has gone away. */
const AWAY_MS = 1_000;

export interface Following {
  readonly redactor: Redactor;
  /** Not asked for where the command runs already. */
  readonly spec: () => ExecSpec;
  readonly execId: string;
  /** What its events tell beside its output. */
  readonly named: { readonly exec_id?: string };
  readonly onOutput: (stream: Told["stream"], bytes: Uint8Array) => void;
  /** Aborting lets go of it. */
  readonly detach: AbortSignal;
}

/** Begins it, or takes it up where the last life of the runtime left it. */
export async function followed(live: Live, following: Following): Promise<ExecEnd> {
  const { execId, detach } = following;
  if (!live.state.doing[execId]) {
    const began = live.run.now();
    await live.note(withDoing(execId, { began, rest: { stdout: NO_REST, stderr: NO_REST } }));
  }
  while (true) {
    const { position } = live.state.doing[execId]!;
    try {
      const end = await live.provider.exec(live.id, specOf(following, position !== undefined), {
        from: position,
        take: (output) => taken(live, following, output),
        signal: detach,
      });
      await rested(live, following);
      return end;
    } catch (error) {
      // An engine that is started anew may still have it; how long that is waited for, its time says.
      if (detach.aborted || !hasCode(error, "provider_unavailable")) throw error;
      await live.run.sleep(AWAY_MS);
    }
  }
}

/** To attach, its name is enough: a secret that is gone meanwhile is not asked for. */
function specOf({ spec, execId }: Following, isBegun: boolean): ExecSpec {
  return isBegun ? { exec_id: execId, command: ":", env: {}, workdir: "" } : spec();
}

async function taken(live: Live, following: Following, output: ExecOutput): Promise<void> {
  const { execId, redactor } = following;
  const doing = live.state.doing[execId]!;
  const { stream, position } = output;
  const { told, rest } = step(redactor, stream, doing.rest[stream], output.bytes);
  const next = { ...doing, position, rest: { ...doing.rest, [stream]: rest } };
  await tell(live, following, told, next);
}

/** What waited for more, as nothing more comes. */
async function rested(live: Live, following: Following): Promise<void> {
  for (const stream of ["stdout", "stderr"] as const) {
    const doing = live.state.doing[following.execId]!;
    const { held, cut } = doing.rest[stream];
    if (held === "" && cut === "") continue;
    const { told } = step(following.redactor, stream, doing.rest[stream], new Uint8Array(0), true);
    await tell(live, following, told, { ...doing, rest: { ...doing.rest, [stream]: NO_REST } });
  }
}

async function tell(
  live: Live,
  { execId, named, onOutput }: Following,
  told: Told | undefined,
  next: Doing,
): Promise<void> {
  if (told) onOutput(told.stream, bytesOf(told));
  await live.note(
    withDoing(execId, next),
    told && { ...told, ...named } as { [field: string]: Json },
  );
}

function withDoing(execId: string, doing: Doing): (state: State) => State {
  return (state) => ({ ...state, doing: { ...state.doing, [execId]: doing } });
}

export function withoutDoing(execId: string): (state: State) => State {
  return (state) => {
    const { [execId]: _, ...doing } = state.doing;
    return { ...state, doing };
  };
}
