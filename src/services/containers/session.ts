/** Runs a session: its container, its repository and files, its commands one after the other, and what is kept of it. */
import type { Command, SessionSpec } from "../../core/containers.ts";
import type { JobEnd, JobRun } from "../../core/outside.ts";
import { FileError, hasCode } from "../../fs/error.ts";
import { kept } from "./artifacts.ts";
import type { Course, Deps } from "./course.ts";
import { endOf, noteOver } from "./ending.ts";
import { followed, withoutDoing } from "./follow.ts";
import type { Live, Phase } from "./live.ts";
import { makeRecord, retold } from "./record.ts";
import { filledEnv, filledRepo } from "./secrets.ts";
import { contentBytes, type SessionData, type SessionInput } from "./terms.ts";
import { orAborted, within } from "./timing.ts";

/** How often an interactive session that nobody uses is looked for. */
const LOOK_MS = 15_000;
/** How long an engine may take to say what a session has used. */
const USAGE_MS = 2_000;
const LATE_USAGE_MS = 300;
/** How long an engine may take to end a session; it is swept away later where it does not. */
const STOP_MS = 15_000;
/** Before it first waits, it is held and known: nothing sweeps it away, and its commands find it. */
export async function runSession(deps: Deps, run: JobRun): Promise<JobEnd> {
  const data = run.job.data as unknown as SessionData;
  const provider = deps.providers.get(data.provider_id);
  if (!provider) throw gone(data, run.isResumed);
  provider.hold(run.job.job_id);
  const live = deps.sessions.add(run, provider);
  try {
    const leave = await entered(deps, live, data);
    try {
      const input = await run.input() as unknown as SessionInput;
      return await ended({ deps, live, run, data, input, record: makeRecord() });
    } catch (error) {
      // Nobody is left to whom its end could be told; its container goes all the same.
      if (run.ending === "deleted") await takenDown(deps, live);
      throw error;
    } finally {
      leave();
    }
  } finally {
    live.close(notRunning(live.id));
    deps.sessions.remove(live);
    provider.release(live.id);
  }
}

/** Its turn. One that is over its time before it has its turn again is ended all the same. */
async function entered(
  { gate, clock }: Deps,
  { run, id, provider, signal }: Live,
  { max_concurrent }: SessionData,
): Promise<() => void> {
  try {
    return await gate.enter(run.agent, id, max_concurrent, signal);
  } catch (error) {
    if (run.isResumed && run.ending !== "stopped") {
      await within(clock, STOP_MS, provider.stop(id)).catch(() => {});
    }
    throw error;
  }
}

/** Runs it, and ends it whatever becomes of it; where only the runtime ends, it is left as it is. */
async function ended(course: Course): Promise<JobEnd> {
  const { deps, live, run, record } = course;
  if (live.state.over) await retold(run.stream, undefined, record);
  else {
    const error = await work(course);
    if (run.ending === "stopped" || run.ending === "deleted") throw run.signal.reason;
    // Who waits for a program that does not end is not made to wait for its numbers.
    await noteUsage(course, run.ending === undefined ? USAGE_MS : LATE_USAGE_MS);
    const isFull = live.state.phase === "running" && hasCode(error, "out_of_memory");
    await noteOver(course, isFull ? outOfMemory(course) : error);
  }
  await takenDown(deps, live);
  return await endOf(course);
}

async function takenDown(deps: Deps, live: Live): Promise<void> {
  live.close(notRunning(live.id));
  // One that cannot be stopped now is released, and swept away when its engine answers again.
  await within(deps.clock, STOP_MS, live.provider.stop(live.id)).catch(() => {});
  await Promise.allSettled(live.execs);
}

/** Answers what it failed with. */
async function work(course: Course): Promise<unknown> {
  const { live, run } = course;
  try {
    await run.asking();
    return await orAborted(live.signal, worked(course));
  } catch (thrown) {
    return live.signal.aborted ? live.signal.reason : thrown;
  }
}

/** From where its last life was to the end of its work; answers what one of its commands failed with. */
async function worked(course: Course): Promise<unknown> {
  const { live, run, data, input, record } = course;
  const { provider, signal } = live;
  if (run.isResumed && live.state.phase !== "provisioning") {
    await retold(run.stream, undefined, record);
    await mustRun(live);
  } else {
    if (live.state.began === undefined) {
      await live.note((state) => ({ ...state, began: run.now() }));
    }
    await provider.start(specOf(course), signal);
    await enter(live, input.repo ? "cloning" : "filling");
  }
  if (live.state.phase === "cloning") {
    const repo = filledRepo(course.deps.secrets, run.agent, input.repo!);
    await provider.clone(specOf(course), repo, signal);
    await enter(live, "filling");
  }
  if (live.state.phase === "filling") {
    const files = provider.files(live.id);
    for (const [path, content] of Object.entries(input.files)) {
      signal.throwIfAborted();
      await files.write(path, contentBytes(content));
    }
    await enter(live, "running");
  }
  live.open();
  const error = await runCommands(course);
  if (data.kind === "interactive") {
    if (error) throw error;
    return await untilStopped(live);
  }
  if (input.artifacts.length === 0) return error;
  await enter(live, "gathering");
  try {
    await kept(run, provider.files(live.id), input.artifacts, {
      redactor: course.deps.secrets.redactor,
      maxBytes: data.max_file_size_bytes,
    });
  } catch (lost) {
    // What failed first is what it failed with.
    throw error && !signal.aborted ? withLost(error, lost) : lost;
  }
  return error;
}

async function enter(live: Live, phase: Phase): Promise<void> {
  await live.note((state) => ({ ...state, phase }));
}

function specOf({ live, run, data }: Course): SessionSpec {
  return {
    session_id: live.id,
    agent: run.agent,
    image: data.image,
    limits: data.limits,
    allow_root: data.allow_root,
    ends_with_runtime: data.kind !== "interactive",
    expires_at: (live.state.began ?? run.now()) + data.time_ms,
  };
}

/** The commands that are left, until one fails; answers how. */
async function runCommands(course: Course): Promise<FileError | undefined> {
  const { live, run, input, record } = course;
  for (let n = live.state.commands.length; n < input.commands.length; n++) {
    const before = live.state.commands.at(-1);
    // Also where it went on without what was killed: what it came to is not what was asked for.
    if (before && (before.exit_code !== 0 || before.out_of_memory)) break;
    live.signal.throwIfAborted();
    record.at(n);
    const execId = `c${n}`;
    const { exit_code, out_of_memory } = await followed(live, {
      redactor: course.deps.secrets.redactor,
      execId,
      named: {},
      spec: () => ({
        exec_id: execId,
        command: input.commands[n]!,
        env: filledEnv(course.deps.secrets, run.agent, input.env),
        workdir: input.workdir,
      }),
      onOutput: record.add,
      detach: live.signal,
    });
    const duration_ms = run.now() - live.state.doing[execId]!.began;
    await live.note((state) => ({
      ...withoutDoing(execId)(state),
      commands: [...state.commands, { exit_code, duration_ms, out_of_memory }],
    }), { type: "exit", command: n, exit_code });
  }
  const last = live.state.commands.at(-1);
  if (last?.out_of_memory) throw outOfMemory(course);
  if (!last || last.exit_code === 0) return undefined;
  return failedCommand(live.state.commands.length - 1, input.commands, last.exit_code);
}

/** An interactive session waits for its end. Its time, or who stops it, aborts its signal. */
async function untilStopped(live: Live): Promise<never> {
  while (true) {
    await live.run.sleep(LOOK_MS);
    await mustRun(live);
  }
}

/** @throws FileError `interrupted` */
async function mustRun(live: Live): Promise<void> {
  let state: string;
  try {
    state = await live.provider.state(live.id);
  } catch (error) {
    // Nobody knows while the engine is away; whoever runs something in it will see.
    if (hasCode(error, "provider_unavailable")) return;
    throw error;
  }
  if (state === "running") return;
  throw new FileError("interrupted", "run", live.id, {
    detail: "its container is no longer there",
  });
}

async function noteUsage({ deps, live }: Course, ms: number): Promise<void> {
  try {
    const usage = await within(deps.clock, ms, live.provider.usage(live.id));
    await live.note((state) => ({ ...state, usage }));
  } catch {
    // A session that has gone does not say what it used.
  }
}

function gone(data: SessionData, isResumed: boolean): FileError {
  return new FileError("provider_unavailable", "run", data.provider_id, {
    detail: "this provider is no longer there",
    extra: { asked: isResumed },
  });
}

function notRunning(id: string): FileError {
  return new FileError("interrupted", "run in", id, { detail: "the session has ended" });
}

function outOfMemory({ live, data }: Course): FileError {
  return new FileError("out_of_memory", "run", live.id, {
    detail:
      `it needed more than limits.max_memory_mb, ${data.limits.max_memory_mb}; files of the ` +
      "work directory are part of that",
    extra: { max_memory_mb: data.limits.max_memory_mb },
  });
}

function withLost(error: FileError, lost: unknown): FileError {
  const { code, op, path, detail, extra } = error;
  const { detail: told, message } = lost as Partial<FileError>;
  return new FileError(code, op, path, {
    detail: `${detail}; and its artifacts could not be kept: ${told ?? message}`,
    ...(extra === undefined ? {} : { extra }),
  });
}

const MAX_TOLD = 200;

function failedCommand(n: number, commands: readonly Command[], exitCode: number): FileError {
  const command = commands[n]!;
  const text = typeof command === "string" ? command : JSON.stringify(command);
  const told = text.length > MAX_TOLD ? `${text.slice(0, MAX_TOLD)}…` : text;
  const left = commands.length - n - 1;
  return new FileError("agent_error", "run", told, {
    detail: `command ${n + 1} of ${commands.length} ended with exit code ${exitCode}` +
      (left > 0 ? `; ${left} behind it did not run` : ""),
    extra: { command: n, exit_code: exitCode },
  });
}
