/** Jobs of an agent: work outside that goes on between ticks. Each is rows, so that a restart shows those that ended as they were, and ends those that it cut off. */
import { FileError, hasCode } from "../fs/error.ts";
import type { Failure } from "./agent.ts";
import type { Json } from "./envelope.ts";
import type { Batch, Row } from "./storage.ts";
import type { Job, JobEnd, JobKind, JobRun, Jobs, JobStatus, JobTerms } from "./outside.ts";
import type { AgentId } from "./id.ts";
import type { AgentStorage } from "./storage.ts";
import type { Backend } from "./backend.ts";
import type { FileService } from "../fs/file.ts";
import type { Inbox } from "./inbox.ts";
import { type Ledger, paidOf } from "./ledger.ts";
import type { Stream } from "./event_stream.ts";
import type { Trace } from "./trace.ts";
import { announcer } from "./announce.ts";
import { blobKeys, largeRows, readLarge } from "./blob.ts";
import { decodeJson, encodeJson, encodeText } from "./code.ts";
import { failureOf } from "./result.ts";
import { joinBatches } from "./txn.ts";
import type { Redactor } from "./redact.ts";
import { key, nameOfKey } from "./keys.ts";
import {
  doneEnvelope,
  idsInOrder,
  isOver,
  type JobRow,
  mountOf,
  outOfTime,
  shown,
} from "./job_row.ts";
import { eventsBehind, type JobStream, openJobStream } from "./job_stream.ts";
import { wasNotAsked } from "./ending.ts";
import { isImported } from "./imported.ts";
import { storeBytes, storedAt } from "./stored.ts";

/** How long a finished job is kept; older ones go a few at each job's end. */
export const JOB_TTL_MS = 7 * 86_400_000;
const SWEEP_BATCH = 4;
/** Rows of one job that go in one commit. */
const SWEEP_ROWS = 512;
const PAGE = 500;
/** How long jobs that are cut off are waited for. */
const STOP_MS = 5_000;
/** Of what is told of a failure; a job's row is one row. */
const MAX_MESSAGE_CHARS = 8_192;

interface Running {
  row: JobRow;
  readonly abort: AbortController;
  readonly stream: JobStream;
  asked: boolean;
  readonly isResumed: boolean;
  /** The last change of its row; the next one comes after it. */
  changing: Promise<unknown>;
  /** Its run has returned: what comes of it later is nobody's. */
  over: boolean;
  /** Of its time, which begins as somebody is asked. */
  stopTimer: () => void;
  done: Promise<void>;
}

export interface NewJob {
  readonly mount: string;
  readonly terms: JobTerms;
  /** The reservation that pays, and how much it is. */
  readonly held: string | undefined;
  readonly envelope: string | undefined;
}

export interface JobBook {
  /** A job's id and rows; after their commit the caller starts it. */
  make(order: NewJob): { readonly id: string; readonly batch: Batch; start(): void };
  view(mount: string): Jobs;
  /** Takes up what an earlier life of this agent left. */
  recover(): Promise<void>;
  readonly running: number;
  /** Cuts them off: `stopped`, the next start ends them; `deleted`, there is none. Resolves when none runs, or when those that do not heed it have had their time. */
  stop(why: "stopped" | "deleted"): Promise<void>;
}

/** Why a job's signal is aborted when it is cancelled, or cut off. */
const CANCELLED = "the job was cancelled";
const CUT_OFF = { stopped: "the runtime stops", deleted: "the agent is deleted" } as const;

const NOT_KNOWN = "the runtime stopped while it ran; it is not known what has become of it";
const LEFT_BEHIND = "it was begun where the agent was exported, and does not go on here";

/** The agent whose jobs they are. */
export interface JobHome {
  readonly id: AgentId;
  readonly backend: Backend;
  readonly storage: AgentStorage;
  readonly ledger: Ledger;
  readonly inbox: Inbox;
  readonly trace: Trace;
  readonly redactor: Redactor;
  readonly agentFiles: FileService;
  newBlobId(): string;
  /** How many use it now; it stays in memory meanwhile. */
  uses: number;
  /** It has left memory. */
  readonly closed: boolean;
}

export function openJobs(
  live: JobHome,
  kinds: (mount: string) => JobKind | undefined,
  hooks: {
    /** Nothing is committed before it resolves. */
    readonly held: () => Promise<void> | undefined;
    readonly onEnd: () => void;
    readonly onError: (error: unknown) => void;
  },
): JobBook {
  const { backend, storage } = live;
  const running = new Map<string, Running>();
  const changed = announcer<Job>();
  const newId = idsInOrder(backend);
  let stopped = false;

  function pathOf(row: JobRow): string {
    const mount = mountOf(row);
    const under = row.mount.slice(mount.length);
    return kinds(mount)?.pathOf?.(under, row.id) ?? `${row.mount}/jobs/${row.id}`;
  }
  async function commit(batch: Batch): Promise<void> {
    await hooks.held();
    await storage.commit(batch);
  }

  function start(row: JobRow): void {
    if (stopped || live.closed) return;
    const kind = kinds(mountOf(row));
    const job: Running = {
      row,
      abort: new AbortController(),
      stream: openJobStream({
        storage,
        timer: (ms, fire) => backend.timer(ms, fire),
        prefix: key.jobEvents(row.id),
        from: row.mark,
        limits: kind?.streamLimits,
        write: (rows, mark, kept) =>
          job.row.status === "streaming" && kept === undefined && !kind?.resumes
            ? commit({ check: [], remove: [], put: [...rows] })
            : change(job, {
              ...(rows.length > 0 ? { status: "streaming" } : {}),
              ...(kind?.resumes ? { mark } : {}),
              ...(kept === undefined ? {} : { kept }),
            }, rows),
        onError: (error) => job.abort.abort(error),
      }),
      asked: row.started !== undefined,
      isResumed: row.started !== undefined,
      changing: Promise.resolve(),
      over: false,
      stopTimer: () => {},
      done: Promise.resolve(),
    };
    running.set(row.id, job);
    live.uses++;
    if (job.asked) startTimer(job);
    job.done = runToEnd(job, kind).catch(hooks.onError).finally(() => {
      running.delete(row.id);
      job.stream.end();
      live.uses--;
      hooks.onEnd();
    });
  }

  /** Its time counts from when somebody was asked, also over a restart. */
  function startTimer(job: Running): void {
    const { timeout, started = backend.now() } = job.row;
    if (timeout === 0) return;
    // A clock that was set back does not give it more than it was given.
    const leftMs = Math.min(timeout, Math.max(0, started + timeout - backend.now()));
    const mount = mountOf(job.row);
    const by = kinds(mount)?.moreTimeBy?.(job.row.mount.slice(mount.length));
    job.stopTimer = backend.timer(leftMs, () => job.abort.abort(outOfTime(job.row, by)));
  }

  async function runToEnd(job: Running, kind: JobKind | undefined): Promise<void> {
    const { abort: { signal }, row } = job;
    let end: JobEnd | undefined;
    let thrown: unknown;
    try {
      if (!kind) {
        throw new FileError("not_supported", "run", row.mount, { detail: "no jobs are run here" });
      }
      end = await kind.run(runOf(job));
      thrown = end.error;
    } catch (error) {
      thrown = error ?? new FileError("internal", "run", row.mount);
    } finally {
      job.over = true;
      job.stopTimer();
    }
    // What came to its end all the same is kept as long as there is somebody to keep it.
    if (cutOff(signal) && (thrown !== undefined || live.closed)) return;
    try {
      await job.stream.close();
      await job.changing;
    } catch (error) {
      thrown ??= error;
    }
    thrown ??= job.stream.failure;
    if (thrown !== undefined && signal.aborted && signal.reason !== CANCELLED) {
      thrown = signal.reason;
    }
    const isCancelled = thrown !== undefined && signal.reason === CANCELLED;
    const status = thrown === undefined ? "complete" : isCancelled ? "cancelled" : "failed";
    const isFree = !end && (!job.asked || wasNotAsked(thrown));
    const paid = { cost: end ? end.costMicroUsd : isFree ? 0 : undefined, isFree };
    try {
      await finish(job.row, {
        ...paid,
        status,
        ...(end && "result" in end ? { result: end.result } : {}),
        ...(thrown === undefined ? {} : { error: isCancelled ? cancelled() : toldOf(thrown) }),
      });
    } catch (error) {
      // Where its rows are in doubt, the agent is opened again and ends it; else what it came to cannot be kept.
      if (live.closed) throw error;
      hooks.onError(error);
      await finish(job.row, { ...paid, status: "failed", error: toldOf(error) });
    }
  }
  function toldOf(error: unknown): Failure {
    const { message, ...failure } = live.redactor.json(failureFor(error));
    return { ...failure, message: message.slice(0, MAX_MESSAGE_CHARS) };
  }

  /** Everything that says that it has ended, in one commit: the row, what it came to, what it cost, and the envelope. */
  async function finish(
    row: JobRow,
    { status, cost, isFree, isUnknown = false, result, error }: {
      readonly status: JobStatus;
      readonly cost: number | undefined;
      readonly isFree: boolean;
      /** Nobody knows what it has cost, and nobody will. */
      readonly isUnknown?: boolean;
      readonly result?: Json | undefined;
      readonly error?: Failure;
    },
  ): Promise<void> {
    const held = row.held === undefined ? undefined : live.ledger.open.get(row.held);
    const money = held &&
      (isUnknown
        ? live.ledger.giveUp(held)
        : isFree
        ? live.ledger.release(held)
        : live.ledger.settle(held, cost));
    const now = backend.now();
    const ended: JobRow = {
      ...row,
      status,
      ended: now,
      cost: paidOf(cost, row.reserved),
      ...(error ? { error } : {}),
    };
    const told = live.redactor.json(result);
    const at = key.job(row.mount, row.id);
    const input = key.jobValue(row.id, "input");
    const along = joinBatches(money?.batch ?? { check: [], remove: [], put: [] }, {
      check: [],
      remove: [key.open(at), input, ...blobKeys(await storage.get(input))],
      put: [
        { key: at, value: encodeJson(ended) },
        { key: key.jobEnd(now, row.mount, row.id), value: encodeText("{}") },
        ...(told === undefined
          ? []
          : largeRows(key.jobValue(row.id, "result"), encodeJson(told), live.newBlobId)),
      ],
    });
    if (row.notify) {
      await live.inbox.accept(doneEnvelope(ended, pathOf(ended), now), { along, always: true });
    } else await commit(along);
    money?.done();
    changed.tell(shown(ended));
    live.trace.add({
      type: "usage",
      ...(row.envelope === undefined ? {} : { envelope_id: row.envelope }),
      job_id: row.id,
      mount: mountOf(row),
      status,
      cost_micro_usd: ended.cost,
      ...(error ? { error } : {}),
    });
    sweep(now).catch(hooks.onError);
  }

  function runOf(job: Running): JobRun {
    const { abort, row } = job;
    const { signal } = abort;
    /** Who is cancelled or out of time may still say so; who is cut off has no time for it. */
    function mustGoOn(): void {
      if (cutOff(signal)) throw signal.reason;
      if (job.over) throw isOver(row);
    }
    return {
      agent: live.id,
      now: () => backend.now(),
      get job() {
        return shown(job.row);
      },
      signal,
      files: live.agentFiles,
      async input() {
        const bytes = await readLarge(storage, key.jobValue(row.id, "input"));
        return bytes ? decodeJson<Json>(bytes) : null;
      },
      async asking() {
        signal.throwIfAborted();
        if (job.over) throw isOver(row);
        if (job.asked) return;
        await change(job, { status: "running", started: backend.now() }, []);
        job.asked = true;
        startTimer(job);
      },
      async emit(event, kept) {
        mustGoOn();
        await job.stream.add(live.redactor.json(event), live.redactor.json(kept));
      },
      async keep(kept) {
        mustGoOn();
        await job.stream.keep(live.redactor.json(kept));
      },
      stream: job.stream,
      async store(name, data) {
        mustGoOn();
        const { newBlobId } = live;
        const now = () => backend.now();
        const at = key.jobStored(row.id, name);
        await storeBytes({ storage, commit, newBlobId, now }, at, data);
      },
      stored: (name) => storedAt(storage, key.jobStored(row.id, name)),
      isResumed: job.isResumed,
      get ending() {
        if (!signal.aborted) return undefined;
        return cutOff(signal) ?? (signal.reason === CANCELLED ? "cancelled" : "timeout");
      },
      sleep: (ms) =>
        new Promise((resolve, reject) => {
          signal.throwIfAborted();
          const cancel = backend.timer(ms, () => {
            signal.removeEventListener("abort", left);
            resolve();
          });
          const left = () => {
            cancel();
            reject(signal.reason);
          };
          signal.addEventListener("abort", left, { once: true });
        }),
    };
  }
  /** One after the other, so that none is lost in another. */
  async function change(job: Running, change: Partial<JobRow>, put: readonly Row[]): Promise<void> {
    const mine = job.changing.then(async () => {
      const { row } = job;
      const next = { ...row, ...change };
      const at = key.job(next.mount, next.id);
      await commit({ check: [], remove: [], put: [{ key: at, value: encodeJson(next) }, ...put] });
      job.row = next;
      if (next.status !== row.status || "kept" in change) changed.tell(shown(next));
    });
    job.changing = mine.catch(() => {});
    await mine;
  }
  async function sweep(now: number): Promise<void> {
    const before = key.jobEnd(now - JOB_TTL_MS, "", "");
    const rows = await storage.list({ prefix: "jobend/", limit: SWEEP_BATCH });
    for (const { key: at } of rows) {
      if (at >= before) return;
      const [, , mount, id] = at.split("/") as [string, string, string, string];
      const events = await storage.list({ prefix: key.jobEvents(id), limit: SWEEP_ROWS });
      const values = await storage.list({ prefix: key.jobValues(id), limit: SWEEP_BATCH });
      const isLast = events.length < SWEEP_ROWS && values.length < SWEEP_BATCH;
      const remove = [
        ...events.map((event) => event.key),
        ...values.flatMap((row) => [row.key, ...blobKeys(row.value)]),
        ...(isLast ? [at, key.job(nameOfKey(mount), id)] : []),
      ];
      await commit({ check: [], remove, put: [] });
    }
  }

  async function rowOf(mount: string, id: string): Promise<JobRow | undefined> {
    const bytes = await storage.get(key.job(mount, id));
    return bytes && decodeJson<JobRow>(bytes);
  }
  /** One that runs tells all from `after` on, and ends with its job; one that has ended tells what is kept. */
  function streamOf(id: string): Stream {
    const prefix = key.jobEvents(id);
    return {
      async read({ after = 0, limit = Infinity }) {
        const stream = running.get(id)?.stream;
        if (stream) return await stream.read({ after, limit });
        return await eventsBehind(storage, prefix, after, limit);
      },
      async tail(count) {
        return count <= 0 ? [] : (await this.read({})).slice(-count);
      },
      async *watch({ after = 0, signal }) {
        let last = after;
        for (let stream = running.get(id)?.stream; stream; stream = running.get(id)?.stream) {
          try {
            for await (const event of stream.watch({ after: last, signal })) {
              last = event.seq;
              yield event;
            }
            break;
          } catch (error) {
            // Who is slow reads on from what is kept, which is all of it.
            if (!hasCode(error, "rate_limited")) throw error;
          }
        }
        while (!signal.aborted) {
          const events = await eventsBehind(storage, prefix, last, PAGE);
          if (events.length === 0) return;
          for (const event of events) {
            last = event.seq;
            yield event;
          }
        }
      },
    };
  }

  return {
    get running() {
      return running.size;
    },
    make({ mount, terms, held, envelope }) {
      const now = backend.now();
      const id = newId();
      const row: JobRow = {
        id,
        mount: mount + (terms.under ?? ""),
        status: "pending",
        created: now,
        ...(envelope === undefined ? {} : { envelope }),
        ...(held === undefined ? {} : { held }),
        reserved: terms.maxCostMicroUsd,
        data: terms.data,
        notify: terms.notify,
        timeout: terms.timeoutMs,
      };
      const at = key.job(row.mount, id);
      return {
        id,
        batch: {
          check: [],
          remove: [],
          put: [
            { key: at, value: encodeJson(row) },
            { key: key.open(at), value: encodeText("{}") },
            ...(terms.input === undefined
              ? []
              : largeRows(key.jobValue(id, "input"), encodeJson(terms.input), live.newBlobId)),
          ],
        },
        start: () => {
          changed.tell(shown(row));
          start(row);
        },
      };
    },
    view: (mount) => ({
      async list({ after, limit }) {
        const rows = await storage.list({
          prefix: key.jobs(mount),
          limit,
          ...(after === undefined ? {} : { after: key.job(mount, after) }),
        });
        return rows.map((row) => shown(decodeJson<JobRow>(row.value)));
      },
      async get(id) {
        const row = await rowOf(mount, id);
        return row && shown(row);
      },
      async result(id) {
        if (!await rowOf(mount, id)) return undefined;
        const bytes = await readLarge(storage, key.jobValue(id, "result"));
        return bytes && decodeJson<Json>(bytes);
      },
      async stored(id, name) {
        if (!await rowOf(mount, id)) return undefined;
        return await storedAt(storage, key.jobStored(id, name));
      },
      stream: streamOf,
      async *watch(id, signal) {
        for await (const job of changed.listen(signal)) if (job.job_id === id) yield job;
      },
      async cancel(id) {
        const job = running.get(id);
        if (!job || job.row.mount !== mount) return;
        job.abort.abort(CANCELLED);
        await job.done;
      },
    }),
    async recover() {
      const markers = await storage.list({ prefix: key.open("job/") });
      const pending: JobRow[] = [];
      for (const marker of markers) {
        const bytes = await storage.get(marker.key.slice(key.open("").length));
        if (!bytes) continue;
        const row = decodeJson<JobRow>(bytes);
        if (running.has(row.id)) continue;
        const resumes = kinds(mountOf(row))?.resumes ?? false;
        // What a file says of it was looked at by no policy here.
        const isOthers = isImported(marker);
        if (!isOthers && (row.status === "pending" || resumes)) {
          pending.push(row);
          continue;
        }
        const isUnknown = row.status !== "pending";
        await finish(row, {
          status: "failed",
          cost: isUnknown ? undefined : 0,
          isFree: !isUnknown,
          isUnknown,
          error: { code: "interrupted", message: isOthers ? LEFT_BEHIND : NOT_KNOWN },
        });
      }
      // Only in an agent that has come to be open: of one that has not, another comes.
      for (const row of pending) start(row);
    },
    async stop(why) {
      stopped = true;
      for (const { abort, stream } of running.values()) {
        abort.abort(CUT_OFF[why]);
        // Nothing is told of it any more, also where its run does not heed the signal.
        stream.end();
      }
      changed.end();
      let cancel = () => {};
      const late = new Promise<void>((resolve) => (cancel = backend.timer(STOP_MS, resolve)));
      await Promise.race([late, Promise.all([...running.values()].map(({ done }) => done))]);
      cancel();
    },
  };
}

/** Whether no more of it is kept, and why. */
function cutOff({ reason }: AbortSignal): "stopped" | "deleted" | undefined {
  if (reason === CUT_OFF.deleted) return "deleted";
  return reason === CUT_OFF.stopped ? "stopped" : undefined;
}

function cancelled(): Failure {
  return { code: "interrupted", message: CANCELLED };
}

/** What is no refusal is a fault of the program, not of the agent. */
function failureFor(error: unknown): Failure {
  const failure = failureOf(error);
  return error instanceof FileError ? failure : { ...failure, code: "internal" };
}
