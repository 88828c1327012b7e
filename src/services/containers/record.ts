/** What a session's commands came to so far, for its result: found again in its own stream after a restart. */
import type { Command, CommandResult } from "../../core/containers.ts";
import type { Stream } from "../../core/event_stream.ts";
import { type Capture, capture } from "./capture.ts";
import { bytesOf, type Told } from "./output.ts";

/** Of each stream of the whole session, in its result. */
export const MAX_RESULT_BYTES = 1024 * 1024;
/** Of each stream of one of several commands. */
const MAX_COMMAND_BYTES = 64 * 1024;
const PAGE = 256;

/** Both streams of something. */
export interface Streams {
  readonly stdout: Capture;
  readonly stderr: Capture;
}

export function streams(maxBytes: number): Streams {
  return { stdout: capture(maxBytes), stderr: capture(maxBytes) };
}

export interface Record {
  readonly whole: Streams;
  readonly add: (stream: Told["stream"], bytes: Uint8Array) => void;
  /** What comes from now on is that of command `n`. */
  readonly at: (n: number) => void;
  readonly exit: (n: number) => void;
  readonly lost: () => void;
  results(
    commands: readonly Command[],
    ended: readonly { readonly exit_code: number; readonly duration_ms: number }[],
  ): CommandResult[];
}

export function makeRecord(): Record {
  const whole = streams(MAX_RESULT_BYTES);
  const each: Streams[] = [];
  let current = 0;
  const at = (n: number) => current = n;
  return {
    whole,
    at,
    exit: (n) => at(n + 1),
    add(stream, bytes) {
      whole[stream].add(bytes);
      (each[current] ??= streams(MAX_COMMAND_BYTES))[stream].add(bytes);
    },
    lost() {
      for (const both of [whole, each[current] ??= streams(MAX_COMMAND_BYTES)]) {
        both.stdout.lost();
        both.stderr.lost();
      }
    },
    results: (commands, ended) =>
      ended.map(({ exit_code, duration_ms }, n) => ({
        command: commands[n] ?? "",
        exit_code,
        stdout: each[n]?.stdout.text() ?? "",
        stderr: each[n]?.stderr.text() ?? "",
        duration_ms,
      })),
  };
}

/** An event of a session's stream. */
interface OutputEvent extends Partial<Told> {
  readonly type: string;
  readonly exec_id?: string;
  readonly command?: number;
}

/** What earlier lives of the runtime told, event by event; what is not kept is called lost. */
export async function retold(
  stream: Pick<Stream, "read">,
  execId: string | undefined,
  to: {
    readonly add: (stream: Told["stream"], bytes: Uint8Array) => void;
    readonly lost: () => void;
    readonly exit: (command: number) => void;
  },
): Promise<void> {
  for (let after = 0;;) {
    const events = await stream.read({ after, limit: PAGE });
    if (events.length === 0) return;
    for (const event of events as unknown as (OutputEvent & { seq: number })[]) {
      after = event.seq;
      if (event.type === "cut" || event.type === "gap") to.lost();
      else if (event.exec_id !== execId) continue;
      else if (event.type === "exit") to.exit(event.command ?? 0);
      else if (event.stream !== undefined && event.data !== undefined) {
        to.add(event.stream, bytesOf(event as Told));
      }
    }
  }
}
