/** The real program in processes of its own: `AGENTD_BIN` if that is set, else the source with the permissions that deno.json names. */
import config from "../../deno.json" with { type: "json" };
import { needs } from "../needs.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** The binary to try; undefined: the source. */
export const BINARY = Deno.env.get("AGENTD_BIN");
/** Tests of what only a binary can be; the source is tried without them also where everything must be there. */
export const ofBinary = needs(BINARY ? undefined : "AGENTD_BIN names no binary", false);

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Options {
  /** The binary under another name. */
  readonly program?: string;
  readonly cwd: string;
  /** All that the program sees of an environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** From source, in place of the permissions of the task. */
  readonly flags?: readonly string[];
  /** Both streams are a terminal's, and what is typed comes from it; all that is shown is in `out`. */
  readonly terminal?: boolean;
}

export interface Running {
  readonly pid: number;
  /**
   * The first line of either stream that fits, whether it has come already or comes; or the first after `skip` that fit. Rejects when the program ends
   * before it.
   */
  line(pattern: RegExp, skip?: number): Promise<string>;
  kill(signal: Deno.Signal): void;
  readonly ended: Promise<Ended>;
}

/** Flags of the task, so that what it is granted is also shown to be enough. */
export const FLAGS: readonly string[] = config.tasks.agentd.command
  .replace(/^deno run /, "").replace(/ main\.ts$/, "").replaceAll('"', "").split(" ");

const denoDir = (() => {
  if (BINARY !== undefined) return undefined;
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return (JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string }).denoDir;
})();

/** What Deno itself needs of the environment to start the program from its source. */
export const CACHE: Readonly<Record<string, string>> = denoDir === undefined
  ? {}
  : { DENO_DIR: denoDir };

/** What starts the program, word by word. */
export function programWords(flags: readonly string[] = FLAGS): string[] {
  return BINARY === undefined ? [Deno.execPath(), "run", ...flags, MAIN] : [BINARY];
}

/** The program, not yet started; it sees no other environment than the one given. */
export function command(args: readonly string[], options: Options): Deno.Command {
  const { cwd, env = {}, input, program, flags, terminal } = options;
  const words = [...(program === undefined ? programWords(flags) : [program]), ...args];
  const [name, ...rest] = terminal ? atTerminal(words) : words;
  return new Deno.Command(name!, {
    args: rest,
    cwd,
    // The cache is Deno's own affair and none of the program's.
    env: { ...CACHE, ...env },
    clearEnv: true,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A terminal is made by the program `script`. */
function atTerminal(words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  return ["script", "-qefc", quoted.join(" "), "/dev/null"];
}

export function start(args: readonly string[], options: Options): Running {
  const { input } = options;
  const child = command(args, options).spawn();
  if (input !== undefined) feed(child.stdin, input);
  const out = lines(child.stdout);
  const err = lines(child.stderr);
  const ended = Promise.all([child.status, out.text, err.text]).then(([status, out, err]) => ({
    code: status.code,
    out,
    err,
  }));
  return {
    pid: child.pid,
    line: (pattern, skip = 0) =>
      Promise.any([out.line(pattern, skip), err.line(pattern, skip)]).catch(async () => {
        const { code, out, err } = await ended;
        throw new Error(`no line ${pattern}; it ended with ${code}:\n${out}\n${err}`);
      }),
    kill(signal) {
      try {
        child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    },
    ended,
  };
}

/** Runs the program to its end. */
export function run(args: readonly string[], options: Options): Promise<Ended> {
  return start(args, options).ended;
}

async function feed(stdin: WritableStream<Uint8Array>, input: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    // It ended without reading all.
  }
}

function lines(stream: ReadableStream<Uint8Array>) {
  const seen: string[] = [];
  const waiting = new Set<{ see: (line: string) => void; gone: () => void }>();
  let over = false;
  const text = (async () => {
    let all = "";
    let rest = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      all += chunk;
      const parts = (rest + chunk).split("\n");
      rest = parts.pop()!;
      for (const line of parts) {
        seen.push(line);
        for (const one of waiting) one.see(line);
      }
    }
    over = true;
    for (const one of waiting) one.gone();
    return all;
  })();
  return {
    text,
    line(pattern: RegExp, skip: number): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      let left = skip;
      const see = (line: string) => {
        if (pattern.test(line) && left-- === 0) resolve(line);
      };
      const one = { see, gone: () => reject(new Error("ended")) };
      for (const line of seen) see(line);
      if (over) one.gone();
      else waiting.add(one);
      return promise.finally(() => waiting.delete(one));
    },
  };
}
