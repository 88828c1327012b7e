/** What the laws of `/compute` need of whoever keeps them: the files of two agents as their operator has them, and a model that is free. */
import type { ComputeResponse } from "../../src/core/compute.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callJson, readJson, readText, watch, writeJson } from "../../src/fs/use.ts";
import type { Law } from "../law.ts";

export interface ComputeSubject {
  /** An agent's files. Nobody else asks anything of its `/compute`. */
  readonly files: FileService;
  /** Another agent's. */
  readonly other: FileService;
  /** A free model whose answer to `WORDS` is several words. */
  readonly model: string;
}

export type ComputeLaw = Law<ComputeSubject>;

export const WORDS = "one two three four";

export interface Accepted {
  readonly job_id: string;
  readonly status: string;
  readonly status_path: string;
  readonly stream_path: string;
  readonly result_path: string;
}

export interface Chunk {
  readonly job_id: string;
  readonly seq: number;
  readonly delta: { readonly content?: string };
  readonly finish_reason?: string;
}

/** A chat that says `WORDS`; what is given goes over it. */
export function request({ model }: ComputeSubject, more: object = {}): object {
  const input = { messages: [{ role: "user", content: WORDS }] };
  return { model, kind: "chat", input, notify: false, ...more };
}

export async function ask(subject: ComputeSubject, more: object = {}): Promise<Accepted> {
  return await callJson<Accepted>(subject.files, "/compute/new", request(subject, more));
}

/** Every chunk behind `after`; its end is the job's. */
export async function chunks(
  { files }: ComputeSubject,
  { job_id }: Accepted,
  after = 0,
): Promise<Chunk[]> {
  const path = `/compute/jobs/${job_id}/stream`;
  const found: Chunk[] = [];
  for await (const chunk of await watch<Chunk & { type: string }>(files, path, { after })) {
    found.push(chunk);
  }
  return found;
}

/** The same, as lines. */
export async function lines({ files }: ComputeSubject, job: Accepted): Promise<Chunk[]> {
  const text = await readText(files, job.stream_path);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Asked, and answered. */
export async function answered(
  subject: ComputeSubject,
  more: object = {},
): Promise<{ readonly job: Accepted; readonly response: ComputeResponse }> {
  const job = await ask(subject, more);
  await chunks(subject, job);
  return { job, response: await readJson<ComputeResponse>(subject.files, job.result_path) };
}

export async function setPolicy({ files }: ComputeSubject, change: object): Promise<void> {
  await writeJson(files, "/compute/policy", change);
}

export async function jobIds(files: FileService): Promise<string[]> {
  return (await files.list("/compute/jobs")).map(({ name }) => name);
}
