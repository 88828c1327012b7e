/** Batches that arrive together share one transaction and one fsync; each is still all or nothing by itself. Knows no SQL. */
import type { Batch } from "../core/storage.ts";
import type { Owner } from "../core/backend.ts";
import type { FileError } from "../fs/error.ts";

/** A batch to write; without one, the owner is dropped. */
export interface Job {
  readonly owner: Owner;
  readonly batch: Batch | undefined;
}

export interface GroupCommit {
  /** Resolves once the job is durable. Jobs take effect in the order of the calls. */
  add(job: Job): Promise<void>;
  /** Applies all that waits, now. */
  drain(): void;
}

/** What one group may hold, so that the event loop is free again after a few milliseconds. */
export const MAX_GROUP_ROWS = 512;
export const MAX_GROUP_BYTES = 1024 * 1024;

/** Turns of the event loop that a group waits at the most, and jobs from which on it waits no more. */
const MAX_TURNS = 16;
const MAX_GROUP_JOBS = 64;

interface Waiting extends Job {
  resolve(): void;
  reject(error: unknown): void;
}

/** What a job costs its group: every row that it names counts one. */
function weigh({ batch }: Job): { rows: number; bytes: number } {
  if (!batch) return { rows: 1, bytes: 0 };
  let bytes = 0;
  for (const { value } of batch.put) bytes += value.byteLength;
  return { rows: batch.check.length + batch.remove.length + batch.put.length, bytes };
}

/**
 * `apply` does all jobs in one transaction and answers each one's refusal (or undefined); when it throws, none took
 * effect and all are rejected. `schedule` calls back soon, after the events that wait; `idle` runs between groups, and
 * answers whether it has more to do.
 */
export function groupCommit(
  apply: (jobs: readonly Job[]) => readonly (FileError | undefined)[],
  schedule: (flush: () => void) => void,
  idle: () => boolean,
): GroupCommit {
  let queue: Waiting[] = [];
  let scheduled = false;

  function take(): Waiting[] {
    let rows = 0;
    let bytes = 0;
    let n = 0;
    for (const job of queue) {
      const weight = weigh(job);
      rows += weight.rows;
      bytes += weight.bytes;
      if (n > 0 && (rows > MAX_GROUP_ROWS || bytes > MAX_GROUP_BYTES)) break;
      n++;
    }
    if (n === queue.length) {
      const all = queue;
      queue = [];
      return all;
    }
    return queue.splice(0, n);
  }

  function flush(): void {
    const group = take();
    if (group.length === 0) return;
    let refusals: readonly (FileError | undefined)[];
    try {
      refusals = apply(group);
    } catch (error) {
      for (const job of group) job.reject(error);
      return;
    }
    group.forEach((job, i) => {
      const refusal = refusals[i];
      if (refusal) job.reject(refusal);
      else job.resolve();
    });
  }

  /** A turn of the events that brought more jobs is likely followed by another: the fsync waits for the first one that brings none. */
  function turn(seen: number, turns: number): void {
    const more = queue.length > seen;
    if (more && turns < MAX_TURNS && queue.length < MAX_GROUP_JOBS) {
      const now = queue.length;
      return schedule(() => turn(now, turns + 1));
    }
    scheduled = false;
    flush();
    const left = idle();
    if (left || queue.length > 0) wake();
  }
  function wake(): void {
    if (scheduled) return;
    scheduled = true;
    const seen = queue.length;
    schedule(() => turn(seen, 1));
  }

  return {
    add: (job) =>
      new Promise((resolve, reject) => {
        queue.push({ owner: job.owner, batch: job.batch, resolve, reject });
        wake();
      }),
    drain() {
      while (queue.length > 0) flush();
    },
  };
}
