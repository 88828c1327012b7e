/** Sessions that run now, for their own run and for the commands that are given to them; what is known of one is kept with its job, so that the next life of the runtime takes it up. */
import type {
  ContainerProvider,
  ContainerUsage,
  ExecEnd,
  OutputPosition,
  OutputStream,
} from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import type { AgentId } from "../../core/id.ts";
import type { JobRun } from "../../core/outside.ts";
import type { Code, ErrorExtra } from "../../fs/error.ts";
import type { Rest } from "./output.ts";

export type Phase = "provisioning" | "cloning" | "filling" | "running" | "gathering" | "expired";

/** A command that runs: how much of its output stands in the session's stream. */
export interface Doing {
  /** When it began; milliseconds since the Unix epoch. */
  readonly began: number;
  /** Undefined: nothing has come. */
  readonly position?: OutputPosition;
  readonly rest: Readonly<Record<OutputStream, Rest>>;
}

/** What a session's job keeps: small, whatever the session prints. */
export interface State {
  readonly phase: Phase;
  /** When its container was asked for; milliseconds since the Unix epoch. */
  readonly began?: number;
  /** Of the request's commands that have ended. */
  readonly commands: readonly (ExecEnd & { readonly duration_ms: number })[];
  /** By exec id: the request's commands are `c0`, `c1` … */
  readonly doing: Readonly<Record<string, Doing>>;
  readonly usage?: ContainerUsage;
  /** Its work is over: what is left is to end its container, and to say so. */
  readonly over?: Over;
}

export interface Over {
  readonly at: number;
  /** What it failed with; null where it did not. */
  readonly failure: {
    readonly code: Code;
    readonly op: string;
    readonly path: string;
    readonly detail?: string;
    readonly extra?: ErrorExtra;
  } | null;
}

export const FRESH: State = { phase: "provisioning", commands: [], doing: {} };

export function stateIn(kept: Json | null): State {
  return kept === null ? FRESH : kept as unknown as State;
}

type Event = { readonly [field: string]: Json };

export interface Live {
  readonly run: JobRun;
  readonly id: string;
  readonly provider: ContainerProvider;
  readonly state: State;
  /** Aborts when the job does, and when the session has failed in some other way. */
  readonly signal: AbortSignal;
  /** Resolves when commands may be run in it; rejects when it ends before that. */
  readonly ready: Promise<void>;
  /** Commands of `exec/new` that run in it. */
  readonly execs: Set<Promise<unknown>>;
  /** Aborts as it ends, for whoever still waits for something of it. */
  readonly ended: AbortSignal;
  /** Changes what is kept, and tells an event with it: both stand when this resolves, or neither. */
  note(change: (state: State) => State, event?: Event): Promise<void>;
  open(): void;
  /** Ends it for this reason. */
  fail(error: unknown): void;
  /** Nothing is run in it any more. */
  close(reason: unknown): void;
}

export interface Sessions {
  get(agent: AgentId, id: string): Live | undefined;
  add(run: JobRun, provider: ContainerProvider): Live;
  remove(live: Live): void;
}

export function makeSessions(): Sessions {
  const all = new Map<string, Live>();
  const keyOf = (agent: AgentId, id: string) => `${agent}/${id}`;
  return {
    get: (agent, id) => all.get(keyOf(agent, id)),
    add(run, provider) {
      const live = makeLive(run, provider);
      all.set(keyOf(run.agent, live.id), live);
      return live;
    },
    remove: ({ run, id }) => void all.delete(keyOf(run.agent, id)),
  };
}

function makeLive(run: JobRun, provider: ContainerProvider): Live {
  const broken = new AbortController();
  const ended = new AbortController();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  let state = stateIn(run.job.kept);
  return {
    run,
    id: run.job.job_id,
    provider,
    signal: AbortSignal.any([run.signal, broken.signal]),
    ready: ready.promise,
    execs: new Set(),
    ended: ended.signal,
    get state() {
      return state;
    },
    async note(change, event) {
      // Event and state go in one step, so that no commit has one without the other.
      state = change(state);
      if (event) await run.emit(event, state as unknown as Json);
      await run.keep(state as unknown as Json);
    },
    open: () => ready.resolve(),
    fail: (error) => broken.abort(error),
    close(reason) {
      ready.reject(reason);
      ended.abort(reason);
    },
  };
}
