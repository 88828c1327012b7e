/** `docker` as a program of this machine: started with lists of arguments, never through a shell; what it prints is bounded, and whoever aborts is rid of it at once. */
import { FileError } from "../../fs/error.ts";
import { type Ended, engineFailure } from "./failure.ts";

export type { Ended };

/** Of what `run` keeps; no answer that it is used for comes near. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Of what a command says on stderr: its beginning, as that is where the reason is. */
const MAX_STDERR_BYTES = 16 * 1024;
/** For how long a killed command is waited for. */
const GONE_MS = 500;

export interface CliOptions {
  /** What is set besides what this program's own environment has: `DOCKER_HOST`, for one. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunOptions {
  readonly stdin?: Uint8Array;
  readonly signal?: AbortSignal;
  /** Milliseconds; what takes longer is ended and rejected with `provider_unavailable`. Default: for ever. */
  readonly withinMs?: number;
}

export interface Ran extends Ended {
  readonly stdout: string;
}

/** A command that runs. */
export interface DockerProcess {
  readonly stdin: WritableStream<Uint8Array>;
  /** Read it or cancel it: the command waits for its reader. */
  readonly stdout: ReadableStream<Uint8Array>;
  /** When the process is gone; does not wait for `stdout` to be read. */
  readonly ended: Promise<Ended>;
  /** Ends this client; what runs in the container is the engine's. No error for one that has ended. */
  kill(): void;
}

export interface DockerCli {
  /**
   * Runs a command to its end, whatever its exit code.
   * @throws the signal's reason; FileError `provider_unavailable` if there is no `docker` that could be started, or it took too long; `too_large` for endless output
   */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /**
   * Runs a command that must succeed, and gives what it printed, trimmed.
   * @param on what it is about, for the refusal: an image, a session
   * @throws as `run`, and what `engineFailure` makes of its words
   */
  ask(args: readonly string[], on: string, options?: RunOptions): Promise<string>;
  /** Starts a command with live pipes. @throws FileError `provider_unavailable` */
  open(args: readonly string[]): DockerProcess;
}

export function dockerCli({ env = {} }: CliOptions = {}): DockerCli {
  const open = (args: readonly string[]) => opened(args, env);
  const run = (args: readonly string[], options: RunOptions = {}) => ran(open, args, options);
  return {
    open,
    run,
    async ask(args, on, options) {
      const ended = await run(args, options);
      if (ended.code !== 0) throw engineFailure(args[0] ?? "run", on, ended);
      return ended.stdout.trim();
    },
  };
}

function opened(args: readonly string[], env: Readonly<Record<string, string>>): DockerProcess {
  const child = spawned(args, env);
  const stderr = firstOf(child.stderr, MAX_STDERR_BYTES);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    ended: Promise.all([child.status, stderr]).then(([{ code }, bytes]) => ({
      code,
      stderr: decoded(bytes),
    })),
    kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    },
  };
}

function spawned(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Deno.ChildProcess {
  try {
    return new Deno.Command("docker", {
      args: [...args],
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (cause) {
    throw new FileError("provider_unavailable", "run", "docker", {
      detail: whyNot(cause),
      extra: { asked: false },
      cause,
    });
  }
}

function whyNot(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) {
    return "there is no docker on this machine; install Docker, or put its client into PATH";
  }
  if (cause instanceof Deno.errors.NotCapable) {
    return "this program was started without the permission to run docker: --allow-run=docker";
  }
  const { code, name } = (cause ?? {}) as { code?: unknown; name?: unknown };
  return `docker cannot be started on this machine: ${String(code ?? name)}`;
}

async function ran(
  open: DockerCli["open"],
  args: readonly string[],
  { stdin, signal, withinMs }: RunOptions,
): Promise<Ran> {
  signal?.throwIfAborted();
  const process = open(args);
  const over = Promise.withResolvers<never>();
  const abort = () => over.reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const late = withinMs === undefined ? undefined : setTimeout(
    () => over.reject(tooLate(args[0] ?? "run", withinMs)),
    withinMs,
  );
  const end = ending(process, args, stdin);
  // Whoever has left the race no longer waits for it.
  end.catch(() => {});
  over.promise.catch(() => {});
  try {
    return await Promise.race([end, over.promise]);
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", abort);
    process.kill();
    await gone(end);
  }
}

/** Killed, it is gone in no time; unless the kernel has it in its hands, and nobody waits for that. */
async function gone(end: Promise<unknown>): Promise<void> {
  const enough = Promise.withResolvers<void>();
  const timer = setTimeout(enough.resolve, GONE_MS);
  await Promise.race([end.catch(() => {}), enough.promise]);
  clearTimeout(timer);
}

async function ending(
  process: DockerProcess,
  args: readonly string[],
  stdin: Uint8Array | undefined,
): Promise<Ran> {
  const [stdout, { code, stderr }] = await Promise.all([
    allOf(process.stdout, args[0] ?? "run"),
    process.ended,
    given(process.stdin, stdin),
  ]);
  const said = decoded(stdout);
  return { code, stdout: said, stderr: stderr === "" && isNoProgram(code) ? said : stderr };
}

/** That a container has no such program is said on stdout, by some engines. */
function isNoProgram(code: number): boolean {
  return code === 126 || code === 127;
}

/** Who does not read it to the end says why by its exit code. */
async function given(to: WritableStream<Uint8Array>, bytes: Uint8Array | undefined): Promise<void> {
  const writer = to.getWriter();
  try {
    if (bytes !== undefined && bytes.length > 0) await writer.write(bytes);
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

async function allOf(stream: ReadableStream<Uint8Array>, verb: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES) {
      const detail = `docker printed more than ${MAX_OUTPUT_BYTES} bytes`;
      throw new FileError("too_large", verb, "docker", { detail });
    }
    chunks.push(chunk);
  }
  return joined(chunks, size);
}

/** Its beginning; the rest is read, so that nobody waits, and thrown away. */
export async function firstOf(
  stream: ReadableStream<Uint8Array>,
  most: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const taken = chunk.subarray(0, most - size);
    if (taken.length > 0) chunks.push(taken);
    size += taken.length;
  }
  return joined(chunks, size);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function tooLate(verb: string, ms: number): FileError {
  return new FileError("provider_unavailable", verb, "docker", {
    detail: `the Docker engine did not answer within ${
      Math.ceil(ms / 1000)
    } s; look whether it is overloaded`,
  });
}
