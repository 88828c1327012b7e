/** What a restart makes of jobs: those that ended stay as they were, those that were asked are interrupted, those that waited are run. */
import { readJson, readText, writeJson } from "../../../src/fs/use.ts";
import { deepEqual, equal, rejects } from "../../assert.ts";
import { ONE, says, scripted, untilAborted, used } from "./scripted.ts";
import { test } from "./world.ts";

const PAID = [{ id: "m", price: ONE }];

test("a finished job is shown as it was, chunks and all, and its key is still known", async (open) => {
  const p = scripted("p", { script: says("one two", used(1, 2)) });
  const before = await open([p]);
  const request = { stream: true, idempotency_key: "k" };
  const { job, status } = await before.answered(request);
  const chunks = await before.chunks(job);
  const result = await before.result(job);
  await before.stop();
  const after = await open([p], { rows: before.backend.reopen() });
  deepEqual(await after.ended(job), status);
  deepEqual(await after.chunks(job), chunks);
  deepEqual(await after.chunks(job, 1), chunks.slice(1));
  deepEqual(await after.result(job), result);
  deepEqual(await after.ask(request), job);
  equal(p.calls.length, 1);
});

for (const how of ["stop", "crash"] as const) {
  test(`a job that was being asked at a ${how} is interrupted, settled once, and not asked again`, async (open) => {
    const begun = Promise.withResolvers<void>();
    const p = scripted("p", {
      models: PAID,
      script: async (_call, sink, signal) => {
        await sink.delta({ content: "half" });
        begun.resolve();
        return await untilAborted(signal);
      },
    });
    const before = await open([p]);
    const job = await before.ask({ stream: true, max_cost_micro_usd: 500 });
    await begun.promise;
    await before.backend.clock.advance(0);
    const crashed = before.backend.reopen();
    await before.stop();
    const rows = how === "crash" ? crashed : before.backend.reopen();

    const after = await open([p], { rows });
    const { cost_micro_usd, error, status } = await after.ended(job);
    deepEqual([status, error!.code, cost_micro_usd], ["failed", "interrupted", 500]);
    deepEqual((await after.chunks(job)).map(({ delta }) => delta.content), ["half"]);
    await rejects(readText(after.files, job.result_path), { code: "interrupted" });
    const spent = async (files: typeof after.files) =>
      (await readJson<{ day: object }>(files, "/compute/usage")).day;
    const day = await spent(after.files);
    equal((day as { spent_micro_usd: number }).spent_micro_usd, 500);
    equal((day as { reserved_micro_usd: number }).reserved_micro_usd, 0);
    await after.stop();
    const again = await open([p], { rows: after.backend.reopen() });
    deepEqual(await spent(again.files), day);
    equal(p.calls.length, 1);
  });
}

test("a job that waited for its turn is run after the restart, in turn", async (open) => {
  const p = scripted("p", { script: (_call, _sink, signal) => untilAborted(signal) });
  const before = await open([p]);
  await writeJson(before.files, "/compute/policy", { max_concurrent: 1 });
  const jobs = [];
  for (let i = 0; i < 3; i++) {
    jobs.push(await before.ask());
    await before.backend.clock.advance(1);
  }
  await before.stop();
  p.script = says("at last");
  const after = await open([p], { rows: before.backend.reopen() });
  const states = [];
  for (const job of jobs) states.push((await after.ended(job)).status);
  deepEqual(states, ["failed", "complete", "complete"]);
  deepEqual(p.calls.map(({ job_id }) => job_id), jobs.map(({ job_id }) => job_id));
});
