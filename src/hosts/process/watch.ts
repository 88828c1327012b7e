/** While a process works: does it still answer, and how much memory does it hold? */
import { FileError } from "../../fs/error.ts";
import type { Message } from "./channel.ts";
import { growthBytes } from "./lock.ts";
import { breach } from "./wire.ts";
import type { Subprocess } from "./subprocess.ts";

/** A process cannot grow far in between: it has set itself a limit of its own. */
const LOOK_MS = 100;
/** How often a process is asked at the least; it tells in its answer that its heap was full. */
const ASK_MS = 500;
export interface Watch {
  /** Takes a `pong`. @throws breach */
  take(message: Message): void;
  stop(): void;
}

export interface WatchLimits {
  readonly stallMs: number;
  /** Bytes in memory of the process when it was blank; undefined where that cannot be told. */
  readonly blankBytes: number | undefined;
}

/** Kills the process with `timeout` when it leaves a ping unanswered for `stallMs`, with `out_of_memory` when it holds too much. */
export function watchProcess(process: Subprocess, { stallMs, blankBytes }: WatchLimits): Watch {
  const everyMs = Math.min(ASK_MS, stallMs / 4);
  let asked = 0;
  let answered = 0;
  let askedAtMs = performance.now();
  let lookedAtMs = askedAtMs;

  function look(): void {
    const nowMs = performance.now();
    // When the runtime itself was held up, the answer lies in the pipe and only was not read.
    askedAtMs += Math.max(0, nowMs - lookedAtMs - 2 * LOOK_MS);
    lookedAtMs = nowMs;
    if (asked > answered && nowMs - askedAtMs > stallMs) return process.kill(stalled(stallMs));
    if (asked === answered && nowMs - askedAtMs >= everyMs) {
      askedAtMs = nowMs;
      process.ping(++asked);
    }
    if (blankBytes === undefined) return;
    const allowed = blankBytes + growthBytes(process.memoryMb);
    const bytes = bytesInMemory(process.pid);
    if (bytes !== undefined && bytes > allowed) process.kill(tooLarge(process.memoryMb));
  }

  const timer = setInterval(look, LOOK_MS);
  return {
    take({ head }) {
      if (head.full === true) return process.kill(heapFull(process.memoryMb));
      if (head.n !== asked || answered === asked) throw breach("an answer to no ping");
      answered = asked;
    },
    stop: () => clearInterval(timer),
  };
}

let mayLook = true;

/**
 * What a process holds in memory. Deno lets a program look into /proc only if everything is allowed; without that, the limit that the process has set for
 * itself must do.
 */
export function bytesInMemory(pid: number): number | undefined {
  if (!mayLook) return undefined;
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) mayLook = false;
    return undefined;
  }
}

function stalled(stallMs: number): FileError {
  const detail = `it did not answer for ${stallMs} ms (max_stall_ms); ` +
    "a loop that never awaits holds up everything in its process";
  return new FileError("timeout", "run", "agent process", { detail });
}

function heapFull(memoryMb: number): FileError {
  return outOfMemory(`its heap was full at ${memoryMb} MiB (max_memory_mb)`, memoryMb);
}

function tooLarge(memoryMb: number): FileError {
  return outOfMemory(`it used more than ${memoryMb} MiB (max_memory_mb)`, memoryMb);
}

function outOfMemory(detail: string, memoryMb: number): FileError {
  return new FileError("out_of_memory", "run", "agent process", {
    detail,
    extra: { limit: memoryMb },
  });
}
