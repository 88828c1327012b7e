/** A real llama.cpp behind an OpenAI-compatible server on this machine, for tests: `await startLlama()`. Its model is made on the fly and says what the test wants. */
import { missingEngine } from "./engine.ts";
import type { Reply } from "./model.ts";
import { type Report, reportIn, type Setup } from "./protocol.ts";
import { ENDLESS_MODEL, MODEL } from "./serve.ts";

/** What the model says where a test does not care. */
export const GREETING = "Hello from a small model on this machine.";

export interface LlamaOptions {
  /**
   * What the model says: the first for the first answer after a word of the user, the second for the next answer after that (so
   * after a tool's result), and so on; the last one stays. A call is made only where the request has tools.
   */
  readonly replies?: readonly Reply[];
  /** Answers are counted over the whole talk: the second reply is for a talk with one answer in it, whoever spoke since. */
  readonly wholeTalk?: boolean;
}

export interface Llama extends AsyncDisposable {
  /** Ends with `/v1`. */
  readonly url: string;
  /** Says the replies. */
  readonly model: string;
  /** Goes on until it is stopped, or after thousands of tokens (seconds). */
  readonly endless: string;
  /** Resolves when a further generation has begun: its first word was there. */
  generating(): Promise<void>;
  /** Resolves when a further generation has ended in the engine because its client left. */
  cancelled(): Promise<void>;
  /** Ends the process in the middle of whatever it does. Also what the end of an `await using` does. */
  stop(): Promise<void>;
}

/** Why there is no engine on this machine, for `needs()`; undefined if there is. */
export const MISSING_LLAMA = missingEngine();

export async function startLlama(options: LlamaOptions = {}): Promise<Llama> {
  const { replies = [GREETING], wholeTalk = false } = options;
  const dir = await Deno.makeTempDir({ prefix: "agentd-llama-" });
  const setup: Setup = { dir, replies, wholeTalk };
  const program = new URL("./serve.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", program.href, JSON.stringify(setup)],
    cwd: new URL("../../", import.meta.url),
    // It ends when this is closed, and so when who started it is gone.
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const heard = { listening: mailbox<number>(), generating: mailbox(), cancelled: mailbox() };
  const said = Promise.all([
    lines(child.stdout, (line) => tell(reportIn(line))),
    tailOf(child.stderr),
  ]);
  const tell = (report: Report | undefined) => {
    if (report?.event === "listening") heard.listening.put(report.port);
    else if (report) heard[report.event].put(undefined);
  };
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= ended();
  const ended = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await said;
    await child.stdin.close().catch(() => {});
    await child.status;
    await Deno.remove(dir, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  };
  const died = said.then(([_, errors]) => {
    throw new Error(`The model server ended before it listened:\n${errors}`);
  });
  died.catch(() => {});
  try {
    const port = await Promise.race([heard.listening.take(), died]);
    return {
      url: `http://127.0.0.1:${port}/v1`,
      model: MODEL,
      endless: ENDLESS_MODEL,
      generating: () => heard.generating.take(),
      cancelled: () => heard.cancelled.take(),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is put is taken once, in order, by who came first. */
function mailbox<T = undefined>() {
  const full: T[] = [], waiting: ((value: T) => void)[] = [];
  return {
    put(value: T): void {
      const first = waiting.shift();
      if (first) first(value);
      else full.push(value);
    },
    take: (): Promise<T> =>
      full.length > 0
        ? Promise.resolve(full.shift()!)
        : new Promise((resolve) => waiting.push(resolve)),
  };
}

async function lines(stream: ReadableStream<Uint8Array>, heard: (line: string) => void) {
  let open = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const all = (open + text).split("\n");
    open = all.pop()!;
    all.forEach(heard);
  }
}

const TAIL_CHARS = 4_000;

async function tailOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    tail = (tail + text).slice(-TAIL_CHARS);
  }
  return tail;
}
