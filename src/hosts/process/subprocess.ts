/** One agent's process as the runtime sees it: started closed and empty, spoken to over its pipe, ended by SIGKILL. */
import { FileError } from "../../fs/error.ts";
import { cut } from "../log.ts";
import { channel, type Message } from "./channel.ts";
import { EXIT_ENDED, MAX_BODY_BYTES } from "./values.ts";
import { breach, type Head, isBreach } from "./wire.ts";

/** How to start this program again as an agent's process; memory in MiB and the parent's process id follow as its last arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** How long a new process may take until it is ready. */
const READY_MS = 30_000;
/** What is read of a process's standard error; one that writes more waits for ever, which is a stall. */
const MAX_STDERR_BYTES = 64 * 1024;

export interface Listener {
  /** @throws breach */
  message(message: Message): void;
  /** The most bytes that a body of this head may have. */
  maxBodyBytes(head: Head): number;
  /** The process ended, or was ended. Called once, and nothing after it. */
  ended(fault: FileError): void;
}

export interface Subprocess {
  readonly pid: number;
  readonly memoryMb: number;
  /** False from the kill on. */
  readonly alive: boolean;
  /** Rejects if it ended before. */
  readonly ready: Promise<void>;
  /** It is gone, and its place is free. */
  readonly gone: Promise<void>;
  /** Who hears what it says; without a listener it is out of date and dropped. */
  listener: Listener | undefined;
  send(head: Head, body?: Uint8Array): void;
  ping(n: number): void;
  /** Stands still until `resume`: no line of the agent's code runs between its ticks. */
  pause(): void;
  resume(): void;
  kill(fault: FileError): void;
}

/** @throws FileError `io` when it cannot be started */
export function startProcess(command: Command, memoryMb: number): Subprocess {
  const child = spawn(command, memoryMb);
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  let isReady = false;
  let alive = true;
  let exitTold = false;
  let listener: Listener | undefined;

  const input = child.stdin.getWriter();
  const pipe = channel({
    write: (bytes) => input.write(bytes),
    deliver,
    maxBodyBytes: (head) => listener?.maxBodyBytes(head) ?? MAX_BODY_BYTES,
  });

  function deliver(message: Message): void {
    if (!alive) return;
    const { head } = message;
    if (exitTold) throw breach("a word after the last one");
    if (head.t === "exit") exitTold = true;
    else if (isReady) listener?.message(message);
    else if (head.t === "open_door") kill(notReady(`its walls do not stand: ${String(head.why)}`));
    else if (head.t !== "ready") throw breach("a word before it is ready");
    else {
      isReady = true;
      ready.resolve();
    }
  }

  async function readOutput(): Promise<void> {
    for await (const chunk of child.stdout) {
      if (!alive) continue;
      try {
        pipe.take(chunk);
      } catch (error) {
        kill(brokenProtocol(error));
      }
    }
  }

  function kill(fault: FileError): void {
    if (!alive) return;
    end(fault);
    signal(child, "SIGKILL");
  }

  function end(fault: FileError): void {
    alive = false;
    pipe.close();
    ready.reject(fault);
    const told = listener;
    listener = undefined;
    told?.ended(fault);
  }

  async function untilGone(): Promise<void> {
    const [stderr, status] = await Promise.all([
      readSome(child.stderr, MAX_STDERR_BYTES),
      child.status,
      readOutput().catch(() => {}),
    ]);
    if (alive) end(endOf(status, stderr, exitTold, isReady, memoryMb));
    clearTimeout(late);
    await input.close().catch(() => {});
  }

  const late = setTimeout(() => {
    if (!isReady) kill(notReady(`it was not ready within ${READY_MS} ms`));
  }, READY_MS);

  return {
    pid: child.pid,
    memoryMb,
    get alive() {
      return alive;
    },
    ready: ready.promise,
    gone: untilGone(),
    get listener() {
      return listener;
    },
    set listener(next) {
      listener = next;
    },
    send: (head, body) => pipe.send(head, body),
    ping: (n) => pipe.sendUrgent({ t: "ping", n }),
    pause: () => signal(child, "SIGSTOP"),
    resume: () => signal(child, "SIGCONT"),
    kill,
  };
}

function spawn({ program, args }: Command, memoryMb: number): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: [...args, String(memoryMb), String(Deno.pid)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      cwd: "/",
      // Away from the terminal's Ctrl-C, which is the server's to hear.
      detached: true,
      clearEnv: true,
      // Nothing of the server's: these say that there is no place to keep anything.
      env: { DENO_DIR: "/dev/null", TMPDIR: "/dev/null", TZ: "UTC", NO_COLOR: "1" },
    }).spawn();
  } catch (error) {
    const detail = `${program} does not start: ${(error as Error).message}`;
    throw new FileError("io", "start", "agent process", { detail, cause: error });
  }
}

/** A process that has just ended cannot be told anything, which is no fault. */
function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // Its end is told by its status.
  }
}

/** The first bytes as text; the rest stays unread. */
async function readSome(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let left = maxBytes; left > 0;) {
      const { value, done } = await reader.read();
      if (done) break;
      left -= value.length;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // What was read is what there is.
  }
  return text;
}

/** Why a process ended that was not killed. */
function endOf(
  { code, signal }: Deno.CommandStatus,
  stderr: string,
  exitTold: boolean,
  isReady: boolean,
  memoryMb: number,
): FileError {
  const how = signal ? signal : `exit code ${code}`;
  const cause = cut(stderr.trim(), 4000);
  const isFull = /out of memory|memory allocation of \d+ bytes failed/i.test(stderr);
  if (!isReady && isFull) {
    const detail = `max_memory_mb is ${memoryMb}, which is too little to start with`;
    return new FileError("out_of_memory", "start", "agent process", { detail, cause });
  }
  if (!isReady) return notReady(`it ended (${how}): ${cut(cause.replace(/\s+/g, " "), 500)}`);
  if (exitTold) return ended("agent_error", `it ended its own process (${how})`, cause);
  if (code === EXIT_ENDED || isFull) {
    return ended("out_of_memory", `its heap was full at ${memoryMb} MiB (max_memory_mb)`, cause);
  }
  return ended("agent_error", `its process ended (${how})`, cause);
}

function ended(code: "agent_error" | "out_of_memory", detail: string, cause: string): FileError {
  return new FileError(code, "run", "agent process", { detail, ...(cause ? { cause } : {}) });
}

function notReady(detail: string): FileError {
  return new FileError("io", "start", "agent process", { detail });
}

function brokenProtocol(error: unknown): FileError {
  const what = isBreach(error) ? error.message : "what it said could not be handled";
  const detail = `its process broke the protocol: ${cut(what, 300)} ` +
    `(standard output is the runtime's; use ctx.log or console)`;
  return new FileError("agent_error", "run", "agent process", { detail, cause: error });
}
