/** What the laws of `/containers` are tried on: two agents as their operator has them, and an engine that runs what the laws say. */
import type { Command, ContainerPrice, SessionState } from "../../src/core/containers.ts";
import type { Agent, Failure } from "../../src/core/agent.ts";
import type { Budgets, UsageReport } from "../../src/core/budget.ts";
import type { ContainerResponse } from "../../src/core/containers.ts";
import type { FileService } from "../../src/fs/file.ts";
import {
  callJson,
  callText,
  entries,
  readJson,
  readText,
  watch,
  writeJson,
} from "../../src/fs/use.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds } from "../expect.ts";
import type { Law } from "../law.ts";
import type { Acts } from "./acts.ts";

export interface ContainerSubject {
  /** The files of an agent `listening`, with `BUDGETS`. Nobody else asks anything of its `/containers`. */
  readonly files: FileService;
  /** Another agent's. */
  readonly other: FileService;
  /** What does this. */
  command(acts: Acts): Command;
  /** As the engine itself tells it. */
  state(session: string): Promise<SessionState>;
  /** Lets so much time pass where it does not pass by itself. */
  elapse(ms: number): Promise<void>;
  /** The runtime goes away, and another begins on what it has kept; the engine goes on meanwhile. */
  restart(): Promise<void>;
}

export type ContainerLaw = Law<ContainerSubject>;

/** What a session costs at the subject's engine. */
export const PRICE: ContainerPrice = { micro_usd_per_session: 10, micro_usd_per_second: 1 };
export const BUDGETS: Budgets = { "/containers": { per_day_micro_usd: 1_000_000, approvers: [] } };

/** Tells in its outbox of every job that has ended. */
export const listening: Agent = {
  name: "listening",
  async onTrigger(ctx, trigger) {
    if (trigger.type === "event") await ctx.broadcast("heard", trigger.data);
  },
};

export interface Paths {
  readonly status: string;
  readonly status_path: string;
  readonly output_path: string;
  readonly result_path: string;
}

export interface Accepted extends Paths {
  readonly session_id: string;
}

export interface Given extends Paths {
  readonly exec_id: string;
}

export interface Status {
  readonly status: string;
  readonly error: Failure | null;
  readonly image: string;
  readonly limits: { readonly allow_network: boolean };
  readonly reserved_micro_usd: number;
  readonly cost_micro_usd: number | null;
}

export interface Output {
  readonly seq: number;
  readonly type: string;
  readonly stream?: "stdout" | "stderr";
  readonly data?: string;
  readonly encoding?: "base64";
  readonly exec_id?: string;
  readonly command?: number;
  readonly exit_code?: number;
}

export interface ExecResult {
  readonly exec_id: string;
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly duration_ms: number;
}

const ENDED = ["complete", "failed", "expired", "cancelled"];
export const SESSIONS = "/containers/sessions";

export async function begin(
  { files }: { readonly files: FileService },
  request: object,
): Promise<Accepted> {
  return await callJson<Accepted>(files, "/containers/new", { notify: false, ...request });
}

export async function exec(
  { files }: ContainerSubject,
  { session_id }: Accepted,
  request: object,
): Promise<Given> {
  const asked = { notify: false, ...request };
  return await callJson<Given>(files, `${SESSIONS}/${session_id}/exec/new`, asked);
}

export function statusOf({ files }: ContainerSubject, { status_path }: Paths): Promise<Status> {
  return readJson<Status>(files, status_path);
}

/** Its status, once it is this one, or when it has ended. */
export async function until(
  subject: ContainerSubject,
  paths: Paths,
  state?: string,
): Promise<Status> {
  const stop = new AbortController();
  const changes = await watch(subject.files, paths.status_path, { signal: stop.signal });
  try {
    while (true) {
      const status = await statusOf(subject, paths);
      if (status.status === state || ENDED.includes(status.status)) return status;
      await changes.next();
    }
  } finally {
    stop.abort();
  }
}

export async function runs(subject: ContainerSubject, paths: Paths): Promise<void> {
  const { status, error } = await until(subject, paths, "running");
  holds(status === "running", `it runs, and has not ended: ${status} ${error?.message ?? ""}`);
}

/** One that runs, and takes commands. */
export async function interactive(
  subject: ContainerSubject,
  more: object = {},
): Promise<Accepted> {
  const session = await begin(subject, { kind: "interactive", ...more });
  await runs(subject, session);
  return session;
}

/** Every event behind `after`; its end is the session's, or the command's. */
export async function events(
  { files }: ContainerSubject,
  { output_path }: Paths,
  after = 0,
): Promise<Output[]> {
  return await Array.fromAsync(await watch<Output>(files, output_path, { after }));
}

/** The same, as lines. */
export async function lines({ files }: ContainerSubject, paths: Paths): Promise<Output[]> {
  const text = await readText(files, paths.output_path);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Resolves when it has printed this. */
export async function printed(
  { files }: ContainerSubject,
  { output_path }: Paths,
  text: string,
): Promise<void> {
  const stop = new AbortController();
  const found: Output[] = [];
  try {
    const watched = await watch<Output>(files, output_path, { after: 0, signal: stop.signal });
    for await (const event of watched) {
      found.push(event);
      if (textOf(found).includes(text)) return;
    }
  } finally {
    stop.abort();
  }
  throw new Error(`it ends without printing ${text}`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytesOf(found: readonly Output[], of: Output["stream"] = "stdout"): Uint8Array {
  const parts = found.filter(({ stream }) => stream === of).map(({ data, encoding }) =>
    encoding === "base64" ? Uint8Array.fromBase64(data!) : encoder.encode(data)
  );
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function textOf(found: readonly Output[], of?: Output["stream"]): string {
  return decoder.decode(bytesOf(found, of));
}

export function exits(found: readonly Output[]): (readonly [number | string, number])[] {
  return found.filter(({ type }) => type === "exit")
    .map(({ command, exec_id, exit_code }) => [command ?? exec_id!, exit_code!]);
}

/** Begun, and ended. */
export async function ran(
  subject: ContainerSubject,
  ...commands: readonly Acts[]
): Promise<Accepted> {
  const session = await begin(subject, {
    commands: commands.map((acts) => subject.command(acts)),
  });
  await until(subject, session);
  return session;
}

export function resultOf({ files }: ContainerSubject, { result_path }: Accepted) {
  return readJson<ContainerResponse>(files, result_path);
}

export function execResult({ files }: ContainerSubject, { result_path }: Given) {
  return readJson<ExecResult>(files, result_path);
}

export async function setPolicy({ files }: ContainerSubject, change: object): Promise<void> {
  await writeJson(files, "/containers/policy", change);
}

export function usageOf({ files }: ContainerSubject): Promise<UsageReport> {
  return readJson<UsageReport>(files, "/containers/usage");
}

export async function ctl(
  { files }: { readonly files: FileService },
  { session_id }: Accepted,
  word: string,
  given?: Given,
): Promise<void> {
  const at = given ? `${session_id}/exec/${given.exec_id}` : session_id;
  await callText(files, `${SESSIONS}/${at}/ctl`, word);
}

export async function sessionIds(files: FileService): Promise<string[]> {
  return (await Array.fromAsync(entries(files, SESSIONS))).map(({ name }) => name);
}

/** A path in a session's work directory. */
export function fileIn({ session_id }: Accepted, path: string): string {
  return `${SESSIONS}/${session_id}/files/${path}`;
}

/** Refused with this code, and a message that says as much. */
export async function refusesWith(
  code: string,
  says: string,
  run: () => Promise<unknown>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    const { message } = error as Error;
    holds(codeOf(error) === code && message.includes(says), `${code} with ${says}, not ${message}`);
    return;
  }
  throw new Error(`it is not refused with ${code}`);
}
