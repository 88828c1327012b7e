/** A task that is done: its program, kept as files, and what shows that it is right. */
import { codeOf } from "../../fs/error.ts";
import { blocksOf, type CodeFile } from "./format.ts";
import type { Task } from "./memory.ts";
import { spentOf, type Work } from "./work.ts";

const PROGRAMS = "/files/programs";

export interface Proof {
  readonly files: readonly CodeFile[];
  readonly session_id: string;
  readonly provider_id: string;
  /** The last that was run, as a shell takes it. */
  readonly command: string;
  readonly exit_code: number;
  /** Its end. */
  readonly output: string;
  readonly duration_ms: number;
}

/** Writes the program and its proof down; answers where, or why not. */
export async function keep(work: Work, task: Task, proof: Proof): Promise<string> {
  const { ctx, config } = work;
  const at = `${PROGRAMS}/${task.number}`;
  const { files, ...shown } = proof;
  const record = {
    task: task.text,
    files: files.map(({ path }) => path),
    attempts: task.attempt,
    model: task.model,
    image: config.image ?? null,
    ...shown,
    cost_micro_usd: {
      compute: task.spent.compute.cost_micro_usd,
      containers: task.spent.containers.cost_micro_usd,
    },
  };
  try {
    for (const { path, text } of files) await ctx.env.write(`${at}/${path}`, text);
    await ctx.env.write(`${at}.json`, record);
    return `It is kept in ${at}/, and the proof in ${at}.json.`;
  } catch (error) {
    if (ctx.signal.aborted || ["internal", "io"].includes(codeOf(error))) throw error;
    return `It is not kept in ${at}/: ${(error as Error).message}`;
  }
}

/** The answer. */
export function proven(work: Work, task: Task, proof: Proof, kept: string): string {
  const { command, exit_code, output, session_id, provider_id, duration_ms } = proof;
  const { image, max_attempts } = work.config;
  const where = image === undefined ? provider_id : `${image}, ${provider_id}`;
  return [
    `The test passed, at attempt ${task.attempt} of ${max_attempts}.`,
    blocksOf(proof.files),
    [
      `Proof, from session ${session_id} (${where}):`,
      `$ ${command}`,
      ...(output === "" ? [] : [output]),
      `exit code ${exit_code}, ${duration_ms} ms`,
    ].join("\n"),
    `${spentOf(task)} The model was ${task.model}.`,
    kept,
  ].join("\n\n");
}
