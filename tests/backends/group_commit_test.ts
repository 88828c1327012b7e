import assert from "../assert.ts";
import { FileError } from "../../src/fs/error.ts";
import {
  groupCommit,
  type Job,
  MAX_GROUP_BYTES,
  MAX_GROUP_ROWS,
} from "../../src/backends/group_commit.ts";

function job(name: string, rows = 1, bytes = 0): Job {
  const value = new Uint8Array(bytes);
  const put = Array.from({ length: rows }, (_, n) => ({ key: `${name}/${n}`, value }));
  return { owner: name, batch: { check: [], remove: [], put } };
}

/** Calls back when told to. */
function byHand() {
  const waiting: (() => void)[] = [];
  return {
    schedule: (flush: () => void) => {
      waiting.push(flush);
    },
    /** A turn that brought jobs is followed by another; these run until one brings none. */
    run() {
      waiting.shift()?.();
      while (waiting.length > 0) waiting.shift()?.();
    },
    waiting: () => waiting.length,
  };
}

async function outcome(done: Promise<void>): Promise<string> {
  return await done.then(() => "ok", (error) => String(error.code ?? error.message));
}

Deno.test("jobs that arrive together are applied together, in order, once", async () => {
  const turn = byHand();
  const groups: string[][] = [];
  const group = groupCommit(
    (jobs) => {
      groups.push(jobs.map(({ owner }) => owner));
      return jobs.map(() => undefined);
    },
    turn.schedule,
    () => false,
  );
  const done = ["a", "b", "a"].map((name) => group.add(job(name)));
  assert.equal(turn.waiting(), 1);
  turn.run();
  await Promise.all(done);
  assert.deepEqual(groups, [["a", "b", "a"]]);
  assert.equal(turn.waiting(), 0);
});

Deno.test("each job has its own refusal", async () => {
  const turn = byHand();
  const no = new FileError("conflict", "commit", "b");
  const group = groupCommit(
    (jobs) => jobs.map(({ owner }) => owner === "b" ? no : undefined),
    turn.schedule,
    () => false,
  );
  const done = ["a", "b", "c"].map((name) => outcome(group.add(job(name))));
  turn.run();
  assert.deepEqual(await Promise.all(done), ["ok", "conflict", "ok"]);
});

Deno.test("a failed transaction rejects all in it, and the next one works", async () => {
  const turn = byHand();
  let full = true;
  const group = groupCommit(
    (jobs) => {
      if (full) throw new FileError("quota_exceeded", "commit", "disk");
      return jobs.map(() => undefined);
    },
    turn.schedule,
    () => false,
  );
  const failed = [outcome(group.add(job("a"))), outcome(group.add(job("b")))];
  turn.run();
  assert.deepEqual(await Promise.all(failed), ["quota_exceeded", "quota_exceeded"]);
  full = false;
  const later = outcome(group.add(job("a")));
  turn.run();
  assert.equal(await later, "ok");
});

Deno.test("a group is bounded in rows and bytes, and other events have their turn between groups", async () => {
  const turn = byHand();
  const sizes: number[] = [];
  const group = groupCommit(
    (jobs) => {
      sizes.push(jobs.length);
      return jobs.map(() => undefined);
    },
    turn.schedule,
    () => false,
  );
  const third = Math.floor(MAX_GROUP_ROWS / 3);
  const done = [
    ...Array.from({ length: 4 }, () => job("rows", third)),
    job("more rows than a group has", MAX_GROUP_ROWS + 1),
    ...Array.from({ length: 3 }, () => job("bytes", 1, MAX_GROUP_BYTES / 2)),
  ].map((each) => group.add(each));
  while (turn.waiting() > 0) turn.run();
  await Promise.all(done);
  assert.deepEqual(sizes, [3, 1, 1, 2, 1]);
});

Deno.test("drain applies all that waits at once", async () => {
  const turn = byHand();
  const group = groupCommit((jobs) => jobs.map(() => undefined), turn.schedule, () => false);
  const done = Array.from({ length: 5 }, () => group.add(job("a", MAX_GROUP_ROWS)));
  group.drain();
  await Promise.all(done);
  turn.run();
  assert.equal(turn.waiting(), 0);
});

Deno.test("what is done when idle is called back as long as there is more", () => {
  const turn = byHand();
  let left = 3;
  const group = groupCommit((jobs) => jobs.map(() => undefined), turn.schedule, () => --left > 0);
  group.add(job("a"));
  while (turn.waiting() > 0) turn.run();
  assert.equal(left, 0);
});
