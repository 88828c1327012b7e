/** Laws of jobs: answered at once, told in parts and as a whole, kept, and nobody else's. */
import { callJson, readJson, readText, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import {
  answered,
  ask,
  type Chunk,
  chunks,
  type ComputeLaw,
  jobIds,
  lines,
  request,
} from "./subject.ts";

const FILES = ["ctl", "result", "status", "stream"];

function textOf(found: readonly Chunk[]): string {
  return found.map(({ delta }) => delta.content ?? "").join("");
}

export const jobLaws: readonly ComputeLaw[] = [
  {
    id: "C1",
    name: "new_answers_with_a_job",
    says: "`new` answers with a job's id, its status and the paths of its status, stream and " +
      "result, under which it is found and listed",
    async test(subject) {
      const { files } = subject;
      const job = await ask(subject);
      const at = `/compute/jobs/${job.job_id}`;
      same(job.status, "pending", "the status");
      const paths = [job.status_path, job.stream_path, job.result_path];
      same(paths, [`${at}/status`, `${at}/stream`, `${at}/result`], "the paths");
      same((await files.list(at)).map(({ name }) => name), FILES, "the files of a job");
      same(await jobIds(files), [job.job_id], "the jobs");
      await chunks(subject, job);
      const status = await readJson<Record<string, unknown>>(files, job.status_path);
      same([status["job_id"], status["status"]], [job.job_id, "complete"], "its end");
    },
  },
  {
    id: "C2",
    name: "a_result_is_whole",
    says: "a result tells the job, the output with its finish reason, what it cost and how long " +
      "it took in whole numbers, who answered, and with which model",
    async test(subject) {
      const { job, response } = await answered(subject);
      same(response.job_id, job.job_id, "the job");
      const { text, finish_reason } = response.output as { text: string; finish_reason: string };
      holds(text.length > 0 && finish_reason === "stop", `an answer, not ${text} ${finish_reason}`);
      const { cost_micro_usd, latency_ms, provider_id, model } = response;
      holds(Number.isSafeInteger(cost_micro_usd), `a cost, not ${cost_micro_usd}`);
      holds(Number.isSafeInteger(latency_ms) && latency_ms >= 0, `a latency, not ${latency_ms}`);
      const models = await readText(subject.files, `/compute/providers/${provider_id}/models`);
      holds(models.includes(JSON.stringify(model)), `${model} is a model of ${provider_id}`);
    },
  },
  {
    id: "C3",
    name: "a_stream_is_the_answer",
    says: "the chunks of a stream are numbered from 1 on without a gap, are together the answer, " +
      "and the last one, and no other, has the finish reason",
    async test(subject) {
      const { job, response } = await answered(subject, { stream: true });
      const found = await chunks(subject, job);
      holds(found.length > 1, `several chunks, not ${found.length}`);
      same(found.map(({ seq }) => seq), found.map((_, i) => i + 1), "the numbers");
      same(textOf(found), (response.output as { text: string }).text, "the text");
      const ends = found.map(({ finish_reason }) => finish_reason !== undefined);
      same(ends, found.map((_, i) => i === found.length - 1), "who has a finish reason");
      holds(found.every(({ job_id }) => job_id === job.job_id), "each tells its job");
    },
  },
  {
    id: "C4",
    name: "every_chunk_comes_once",
    says: "who watches from the start, comes late, comes again behind a chunk, or reads, gets " +
      "every chunk once",
    async test(subject) {
      const job = await ask(subject, { stream: true });
      const early = await chunks(subject, job);
      same(await chunks(subject, job), early, "who comes late");
      same(await lines(subject, job), early, "who reads");
      for (const { seq } of early) {
        same(await chunks(subject, job, seq), early.slice(seq), `who comes again behind ${seq}`);
      }
    },
  },
  {
    id: "C5",
    name: "without_streaming_there_is_one_chunk",
    says: "a request that does not ask for a stream has one chunk, with all of the answer",
    async test(subject) {
      const { job, response } = await answered(subject);
      const found = await chunks(subject, job);
      same(found.length, 1, "how many chunks");
      same(textOf(found), (response.output as { text: string }).text, "the text");
      same(found[0]!.finish_reason, "stop", "the finish reason");
    },
  },
  {
    id: "C6",
    name: "one_key_is_one_job",
    says: "the same request with the same idempotency key is the same job, also at once, and " +
      "another request with it is a conflict",
    async test(subject) {
      const keyed = { idempotency_key: "k" };
      const [first, second] = await Promise.all([ask(subject, keyed), ask(subject, keyed)]);
      same(second, first, "two at once");
      await chunks(subject, first);
      same(await ask(subject, keyed), first, "again, when it has ended");
      await refuses("conflict", () => ask(subject, { ...keyed, stream: true }), "another request");
      holds((await ask(subject, { idempotency_key: "l" })).job_id !== first.job_id, "another key");
      same((await jobIds(subject.files)).length, 2, "how many jobs");
    },
  },
  {
    id: "C7",
    name: "a_job_is_its_agents",
    says: "another agent finds no file of a job, cannot cancel it, and does not see it listed",
    async test(subject) {
      const { other } = subject;
      const { job } = await answered(subject);
      for (const file of FILES) {
        const path = `/compute/jobs/${job.job_id}/${file}`;
        await refuses("not_found", () => other.stat(path), `stat ${file}`);
        await refuses("not_found", () => readText(other, path), `read ${file}`);
      }
      const ctl = `/compute/jobs/${job.job_id}/ctl`;
      await refuses("not_found", () => writeText(other, ctl, "cancel"), "cancel");
      same(await jobIds(other), [], "the other's jobs");
      const keyed = request(subject, { idempotency_key: "k" });
      const mine = await callJson<{ job_id: string }>(subject.files, "/compute/new", keyed);
      const theirs = await callJson<{ job_id: string }>(other, "/compute/new", keyed);
      holds(mine.job_id !== theirs.job_id, "a key is its agent's too");
    },
  },
  {
    id: "C8",
    name: "what_has_ended_stays",
    says: "a job that has ended is not changed by `cancel`, and its `ctl` takes no other word",
    async test(subject) {
      const { files } = subject;
      const { job, response } = await answered(subject, { stream: true });
      const before = await readText(files, job.status_path);
      const found = await chunks(subject, job);
      const ctl = `/compute/jobs/${job.job_id}/ctl`;
      await writeText(files, ctl, "cancel");
      await refuses("invalid_request", () => writeText(files, ctl, "stop"), "another word");
      same(await readText(files, job.status_path), before, "its status");
      same(await chunks(subject, job), found, "its chunks");
      same(await readJson(files, job.result_path), response, "its result");
    },
  },
];
