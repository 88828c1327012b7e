/** A server of the real program in a fresh folder, and the program's clients beside it. */
import { type Ended, type Options, run, type Running, start } from "./program.ts";

export interface Place {
  /** An empty folder; the program's working directory. */
  readonly dir: string;
  /** Runs the program there. */
  run(args: readonly string[], options?: Partial<Options>): Promise<Ended>;
  start(args: readonly string[], options?: Partial<Options>): Running;
  /** Starts `dev`, or what is named, and waits until it serves. */
  serve(args?: readonly string[], options?: Partial<Options>): Promise<Served>;
}

export interface Served {
  readonly url: string;
  readonly pid: number;
  readonly running: Running;
  /** Asks it to stop, and waits for that. */
  stop(): Promise<Ended>;
  /** Ends it as a power cut would. */
  kill(): Promise<Ended>;
}

/** Runs a test in an empty folder; what it started and has not ended is ended, and the folder is removed. */
export async function inPlace(test: (place: Place) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "agentd-e2e-" }));
  const started: Running[] = [];
  const begin = (args: readonly string[], options: Partial<Options> = {}) => {
    const running = start(args, { cwd: dir, ...options });
    started.push(running);
    return running;
  };
  try {
    await test({
      dir,
      start: begin,
      run: (args, options = {}) => run(args, { cwd: dir, ...options }),
      async serve(args = ["dev", "--listen", "127.0.0.1:0"], options) {
        const running = begin([...args, "--json"], options);
        const { url, pid } = JSON.parse(await running.line(/^\{.*"url"/)) as {
          url: string;
          pid: number;
        };
        const end = (signal: Deno.Signal) => {
          running.kill(signal);
          return running.ended;
        };
        return { url, pid, running, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
      },
    });
  } finally {
    for (const running of started) running.kill("SIGKILL");
    await Promise.all(started.map((running) => running.ended));
    await Deno.remove(dir, { recursive: true });
  }
}
